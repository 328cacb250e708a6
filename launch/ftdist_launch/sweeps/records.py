"""Which runs belong to a sweep, what was swept, and which is the best: from their events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.rundir import RunDir
from ftdist_launch.sweeps.scores import HELD_OUT, SweepScore, find_score, read_score

TRIAL = "trial_recorded"
"""The event that makes a run part of a sweep: its first one."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A run of a sweep."""

    run: RunDir
    sweep: str
    """Name of the sweep."""

    number: int
    """From 1, in the order of the sweep."""

    swept: Mapping[str, str]
    """Its values of the swept keys."""

    score: SweepScore
    value: float | None
    """Of the score; None if it was not measured yet."""

    is_best: bool = False
    failure: str | None = None
    """Why it could not start; then there is no run."""

    @property
    def swept_text(self) -> str:
        """The values as on a command line, with short keys."""
        return swept_text(self.swept)


def swept_text(swept: Mapping[str, str]) -> str:
    """Values of swept keys as on a command line, with short keys."""
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in swept.items())


def record_trial(
    run: RunDir,
    *,
    sweep: str,
    number: int,
    swept: Mapping[str, str],
    score: SweepScore = HELD_OUT,
) -> None:
    """Record that a run is part of a sweep, before its config makes it a run."""
    run.append_event(TRIAL, sweep=sweep, trial=number, swept=dict(swept), score=score.name)


def sweep_of(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the sweep of a run with these events; None outside a sweep."""
    return next((str(e["sweep"]) for e in events if "sweep" in e), None)


def trials_of(name: str, *, root: Path) -> list[Trial]:
    """The trials of one sweep by number; `is_best` is not decided.

    Of other runs, only the first event is read.
    """
    trials = []
    for path in root.glob("*/config.yaml"):
        run = RunDir(path.parent.resolve())
        event = next(run.read_events(), {})
        if event.get("event") == TRIAL and event["sweep"] == name:
            trials.append(_trial(run, event))
    return sorted(trials, key=lambda trial: trial.number)


def _trial(run: RunDir, event: Mapping[str, Any]) -> Trial:
    score = find_score(event["score"])
    return Trial(
        run=run,
        sweep=event["sweep"],
        number=event["trial"],
        swept=event["swept"],
        score=score,
        value=read_score(run, score),
    )


def mark_best(trials: Sequence[Trial], *, states: Mapping[str, str]) -> list[Trial]:
    """The trials of one sweep with the best one marked.

    Args:
        trials: of the sweep.
        states: of their runs, by name.
    """
    values = [trial.value if states.get(trial.run.name) == "done" else None for trial in trials]
    best = index_of_best(values, score=trials[0].score) if trials else None
    return [replace(trial, is_best=index == best) for index, trial in enumerate(trials)]


def index_of_best(values: Sequence[float | None], *, score: SweepScore) -> int | None:
    """Which value of a score is the best, the first of equals; None if none is finite.

    Values of runs that are not done must be None: only a finished run can be the best.
    """
    sign = 1.0 if score.lower_is_better else -1.0
    finite = [
        (sign * value, index)
        for index, value in enumerate(values)
        if value is not None and math.isfinite(value)
    ]
    return min(finite)[1] if finite else None
