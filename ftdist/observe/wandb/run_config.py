"""What W&B's page of a run says beside its curves: config, plan, units, code, SLURM's side of it.

A function of the run directory alone, so that a run that is rebuilt from its record shows the same.
No torch, no wandb.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.observe.metrics import UNITS
from ftdist.observe.redact import redacted
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir

_OF_SLURM = {
    "job": "job_id",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "cluster": "cluster",
    "hosts": "nodes",
    "restarts": "restart_count",
}
"""What the record calls a fact of SLURM's, and what W&B's page calls it."""


def wandb_config(
    run: RunDir, config: RunConfig, plan: Plan, *, attempt: int, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The config in W&B, without secrets.

    Args:
        run: whose events tell of the code and of SLURM.
        config: of the run.
        plan: of the run.
        attempt: the newest one.
        environment: its secrets are hidden wherever they stand.
    """
    asked: Mapping[str, Any] = {}
    launched: Mapping[str, Any] = {}
    for event in run.read_events():
        if event.get("event") == "run_requested" and "git" in event:
            asked = event
        elif event.get("event") == "attempt_started" and event.get("attempt") == attempt:
            launched = event
    shown = {
        **asdict(config),
        "plan": asdict(plan),
        "attempt": attempt,
        "units": UNITS,
        "code": {**(asked.get("git") or {}), **_known(asked, {"version": "version"})},
        "slurm": _known(launched, _OF_SLURM) if "job" in launched else {},
    }
    result = redacted(shown, environment=environment)
    assert isinstance(result, dict)
    return result


def sweep_name(run: RunDir) -> str | None:
    """Name of the sweep that a run belongs to, which is its group in W&B; None: it is alone."""
    names = (e.get("sweep") for e in run.read_events() if e.get("event") == "job_submitted")
    return next((str(name) for name in names if name), None)


def _known(event: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {shown: event[name] for name, shown in names.items() if event.get(name) is not None}
