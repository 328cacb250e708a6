"""Which runs belong to a sweep, what was swept, and which is the best: from their events."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftdist.rundir import RunDir
from ftdist_launch.sweeps.scores import HELD_OUT, SweepScore, find_score, read_score

TRIAL = "sweep_trial"
"""The event that makes a run part of a sweep."""


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
    """Record that a run is part of a sweep."""
    run.append_event("sweep_trial", sweep=sweep, trial=number, swept=dict(swept), score=score.name)


def sweep_of(events: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the sweep of a run with these events; None outside a sweep."""
    return next((str(e["sweep"]) for e in events if "sweep" in e), None)


def read_trial(run: RunDir) -> Trial | None:
    """The run as part of its sweep; None outside a sweep. `is_best` is not decided."""
    event = next((e for e in run.read_events() if e.get("event") == TRIAL), None)
    if event is None:
        return None
    score = find_score(event["score"])
    return Trial(
        run=run,
        sweep=event["sweep"],
        number=event["trial"],
        swept=event["swept"],
        score=score,
        value=read_score(run, score),
    )


def read_trials(runs: Sequence[RunDir]) -> dict[Path, Trial]:
    """The trials among some runs, by run directory; the best one of each sweep is marked."""
    trials = [trial for run in runs if (trial := read_trial(run)) is not None]
    sweeps: dict[tuple[Path, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        sweeps[trial.run.root.parent, trial.sweep].append(trial)
    return {trial.run.root: trial for each in sweeps.values() for trial in mark_best(each)}


def trials_of(name: str, *, root: Path) -> list[Trial]:
    """The trials of one sweep by number, the best one marked."""
    runs = [RunDir(path.parent.resolve()) for path in root.glob("*/config.yaml")]
    trials = [trial for run in runs if (trial := read_trial(run)) is not None]
    mine = [trial for trial in trials if trial.sweep == name]
    return mark_best(sorted(mine, key=lambda trial: trial.number))


def mark_best(trials: Sequence[Trial]) -> list[Trial]:
    """The trials of one sweep with the best one marked, the first of equals."""
    best: Trial | None = None
    for trial in trials:
        if trial.value is None or not math.isfinite(trial.value):
            continue
        if best is None or best.value is None or trial.score.is_better(trial.value, best.value):
            best = trial
    return [replace(trial, is_best=trial is best) for trial in trials]
