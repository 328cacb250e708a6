"""The config of a run as W&B shows it: config, plan, units, code version, SLURM job.

Computed from the run directory alone, so that a rebuilt W&B run shows the same. No torch, no wandb.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ftdist.config.schema import RunConfig, TrackingConfig
from ftdist.observe.metrics import UNITS
from ftdist.observe.redact import redacted
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

_SLURM_FIELDS = {
    "job": "job_id",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "cluster": "cluster",
    "hosts": "nodes",
    "restarts": "restart_count",
}
"""Fields of the launch event, and their names in W&B."""


def wandb_config(
    run: RunDir, config: RunConfig, plan: Plan, *, attempt: int, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The config in W&B, without secrets.

    Args:
        run: its events name the code version and the SLURM job.
        config: of the run.
        plan: of the run.
        attempt: the newest one.
        environment: values of its secrets are hidden.
    """
    request: Mapping[str, Any] = {}
    launch: Mapping[str, Any] = {}
    for event in run.read_events():
        if event.get("event") == "run_requested" and "git" in event:
            request = event
        elif event.get("event") == "attempt_started" and event.get("attempt") == attempt:
            launch = event
    shown = {
        **asdict(config),
        "plan": asdict(plan),
        "attempt": attempt,
        "units": UNITS,
        "code": {**(request.get("git") or {}), **_present(request, {"version": "version"})},
        "slurm": _present(launch, _SLURM_FIELDS) if "job" in launch else {},
    }
    result = redacted(shown, environment=environment)
    assert isinstance(result, dict)
    return result


def run_labels(
    run: RunDir, tracking: TrackingConfig, *, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Name, group, job type, tags and notes of the run in W&B, without secrets."""
    labels = {
        "name": tracking.name or run.name,
        "group": tracking.group or _sweep_name(run),
        "job_type": tracking.job_type,
        "tags": list(tracking.tags),
        "notes": tracking.notes,
    }
    result = redacted(labels, environment=environment)
    assert isinstance(result, dict)
    return result


def _sweep_name(run: RunDir) -> str | None:
    """Name of the sweep of a run; None outside a sweep."""
    names = (event.get("sweep") for event in run.read_events())
    return next((str(name) for name in names if name), None)


def _present(event: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: event[name] for name, new in names.items() if event.get(name) is not None}
