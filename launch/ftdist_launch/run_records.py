"""Read the recorded state of a run: its events, newest metrics, lock and first failure."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.errors import RequeueError
from ftdist.observe.metrics import LOSS
from ftdist.observe.wandb.state import read_url
from ftdist.rundir import RunDir
from ftdist_launch.local.leftover_ranks import is_unsupervised
from ftdist_launch.lock import is_held

Event = Mapping[str, Any]

TAIL_BYTES = 1 << 16
"""How much of the end of `metrics.jsonl` is searched first for its newest values."""

MAX_TAIL_BYTES = 1 << 20
"""How much of it is searched at most, for evaluations."""


def stage_outcome(event: Event) -> str:
    """How the event of a stage's end says that it ended: done, stopped or failed."""
    code = event["exit_code"]
    by_code = "stopped" if code == RequeueError.exit_code else "failed" if code else "done"
    return str(event.get("outcome", by_code))


RUN_STAGES = ("curate", "prepare", "train")
"""Stages without which a run is not done; export, comparison and merge are optional."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """The recorded state of one run."""

    name: str
    events: tuple[Event, ...] = ()
    newest: Mapping[str, Any]
    """The newest row of metrics; empty before the first step."""

    newest_evals: Mapping[str, float] = field(default_factory=dict)
    """The newest value of each `eval/` metric; empty before the first evaluation."""

    report_scores: Mapping[str, float] = field(default_factory=dict)
    """Scores of the tuned model from the comparison; empty before it."""

    plan: Mapping[str, Any] = field(default_factory=dict)
    """The content of plan.json; empty before the library is prepared."""

    path: str = ""
    """The run directory."""

    held: bool = False
    """Whether a process holds the lock of the run."""

    unsupervised: bool = False
    """Whether ranks run on this machine although the `ftdist` that supervised them has ended."""

    overrides: tuple[str, ...] = ()
    """As typed on the command line."""

    wandb_url: str | None = None
    created: float = 0.0
    """Seconds since the epoch."""

    def of_kind(self, *kinds: str) -> list[Event]:
        """Events of some kinds, oldest first."""
        return [event for event in self.events if event.get("event") in kinds]

    def newest_jobs(self) -> dict[str, Event]:
        """The newest submission by stage; before training only those that it depends on."""
        jobs = {str(event["stage"]): event for event in self.of_kind("job_submitted")}
        for stage, following in (("prepare", "train"), ("curate", "prepare")):
            needed = jobs.get(following, {}).get("after", [])
            if stage in jobs and "train" in jobs and jobs[stage]["job"] not in needed:
                del jobs[stage]
        return jobs

    def stage_end(self, submitted: Event) -> Event | None:
        """The event of the end of a single-process job; None if it has none, or may restart."""
        own = {"stage": submitted["stage"], "job": submitted["job"]}
        ends = [end for end in self.of_kind("stage_finished") if own.items() <= end.items()]
        return ends[-1] if ends else None


def read_run_records(run: RunDir) -> Records:
    """Read the recorded state of a run."""
    events = tuple(run.read_events())
    newest, newest_evals = newest_metrics(run)
    held = is_held(run)
    return Records(
        name=run.name,
        events=events,
        newest=newest,
        newest_evals=newest_evals,
        report_scores=_report_scores(run),
        plan=_read_object(run.plan),
        path=str(run.root),
        held=held,
        unsupervised=not held and is_unsupervised(run),
        overrides=tuple(run.overrides.read_text().splitlines() if run.overrides.exists() else ()),
        wandb_url=read_url(run),
        created=events[0]["time"] if events else run.config.stat().st_mtime,
    )


def find_runs(root: Path) -> list[RunDir]:
    """Every run under a folder, in any order."""
    return [RunDir(path.parent.resolve()) for path in root.glob("*/config.yaml")]


def newest_metrics(run: RunDir) -> tuple[dict[str, Any], dict[str, float]]:
    """The newest row with a training loss, and the newest value of each `eval/` metric.

    Both are empty before the first. Only the end of the file is read.
    """
    row: dict[str, Any] = {}
    evals: dict[str, float] = {}
    tail = TAIL_BYTES
    while True:
        try:
            size = run.metrics.stat().st_size
            with run.metrics.open("rb") as file:
                file.seek(max(0, size - tail))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return {}, {}
        for line in reversed(lines):
            if row and b'"eval/' not in line:
                continue  # parsing is what takes time
            with suppress(ValueError):  # incomplete
                values: dict[str, Any] = json.loads(line)
                row = row or (values if LOSS.name in values else {})
                evals = {k: v for k, v in values.items() if k.startswith("eval/")} | evals
        if (row and evals) or tail >= min(size, MAX_TAIL_BYTES):
            return row, evals
        tail = MAX_TAIL_BYTES


def _report_scores(run: RunDir) -> dict[str, float]:
    """What `ftdist compare` measured for the tuned model."""
    scores = _read_object(run.report / "scores.json")
    tuned = {k: v for k, v in scores.get("tuned", {}).items() if isinstance(v, int | float)}
    loss = scores.get("general_nll", {}).get("tuned")
    return tuned | ({} if loss is None else {"general_nll": loss})


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty if the file does not exist or is being written."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
