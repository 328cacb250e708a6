"""Read the recorded state of a run: its events, newest metrics, lock and first failure."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.observe.wandb.state import read_url
from ftdist.rundir import RunDir
from ftdist_launch.lock import is_held

Event = Mapping[str, Any]

TAIL_BYTES = 1 << 16
"""How much of the end of `metrics.jsonl` is searched for its newest row."""

RUN_STAGES = ("prepare", "train")
"""Stages without which a run is not done; export, comparison and merge are optional."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """The recorded state of one run."""

    name: str
    events: tuple[Event, ...] = ()
    newest: Mapping[str, Any]
    """The newest row of metrics; empty before the first step."""

    held: bool = False
    """Whether a process holds the lock of the run."""

    overrides: tuple[str, ...] = ()
    """As typed on the command line."""

    wandb_url: str | None = None
    created: float = 0.0
    """Seconds since the epoch."""

    def of_kind(self, *kinds: str) -> list[Event]:
        """Events of some kinds, oldest first."""
        return [event for event in self.events if event.get("event") in kinds]

    def newest_jobs(self) -> dict[str, Event]:
        """The newest submission by stage; of prepare only one that the training depends on."""
        jobs = {str(event["stage"]): event for event in self.of_kind("job_submitted")}
        prepare, train = jobs.get("prepare"), jobs.get("train")
        if prepare and train and prepare["job"] not in train.get("after", []):
            del jobs["prepare"]
        return jobs

    def stage_end(self, submitted: Event) -> Event | None:
        """The event of the end of a single-process job; None if it has none, or may restart."""
        own = {"stage": submitted["stage"], "job": submitted["job"]}
        ends = [end for end in self.of_kind("stage_finished") if own.items() <= end.items()]
        return ends[-1] if ends else None


def read_run_records(run: RunDir) -> Records:
    """Read the recorded state of a run."""
    events = tuple(run.read_events())
    return Records(
        name=run.name,
        events=events,
        newest=newest_metrics(run),
        held=is_held(run),
        overrides=tuple(run.overrides.read_text().splitlines() if run.overrides.exists() else ()),
        wandb_url=read_url(run),
        created=events[0]["time"] if events else run.config.stat().st_mtime,
    )


def find_runs(root: Path) -> list[RunDir]:
    """Every run under a folder, in any order."""
    return [RunDir(path.parent.resolve()) for path in root.glob("*/config.yaml")]


def newest_metrics(run: RunDir) -> dict[str, Any]:
    """The newest row with a training loss; empty before the first step."""
    try:
        with run.metrics.open("rb") as file:
            file.seek(max(0, run.metrics.stat().st_size - TAIL_BYTES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        with suppress(ValueError):  # incomplete
            row: dict[str, Any] = json.loads(line)
            if "train/loss" in row:
                return row
    return {}
