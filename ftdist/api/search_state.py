"""A search that is going on: its trials so far, the next one, and what is recorded."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.status import OVER, RunStatus, read_all
from ftdist_launch.sweeps.records import Trial, mark_best, record_trial
from ftdist_launch.sweeps.sampler import ObservedTrial, suggest
from ftdist_launch.sweeps.scores import SweepScore
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.api.jobs import Supervise
from ftdist.config.search_space import SearchSpace
from ftdist.config.sweep import MAX_NAME, run_name
from ftdist.errors import FtdistError, HubError, StorageError
from ftdist.io.progress import LogFn
from ftdist.io.units import format_duration

PAUSES_S = (30.0, 60.0, 120.0, 300.0, *[600.0] * 20)
"""Between tries to start a trial while SLURM, the Hub or the disk fails: 3.5 hours in all."""

MAX_FAILED_STARTS = 5
"""So many trials in a row that could not start end the search."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a space is searched."""

    trials: int
    score: SweepScore
    parallel: int = 1
    """Trials in the queue of a cluster at once."""

    seed: int = 1
    """Of the sampler."""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The trials of a search, by number, the best one marked."""

    trials: tuple[Trial, ...]
    states: dict[str, str]
    """How trials ended, by name: done, failed, or a state of `ftdist status`."""

    is_stopped: bool
    """Whether the search was interrupted."""


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """A trial that is about to start."""

    number: int
    name: str
    swept: dict[str, str]
    overrides: list[str]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The trials of a search and the statuses of their runs, read at once."""

    trials: tuple[Trial, ...]
    """By number, the best one marked."""

    statuses: dict[Path, RunStatus]
    """Of trials that could start, by run directory."""

    @property
    def states(self) -> dict[str, str]:
        """How trials ended, by name: failed, or a state of `ftdist status`."""
        failed = {trial.run.name: "failed" for trial in self.trials if trial.failure is not None}
        return failed | {root.name: status.state for root, status in self.statuses.items()}


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search, within `records.exclusive()`."""

    records: SearchRecords
    settings: SearchSettings
    supervise: Supervise
    log: LogFn
    queue: Queue | None
    """Of the cluster; None: trials run here."""

    @property
    def space(self) -> SearchSpace:
        """What is searched."""
        return self.records.space

    def read(self) -> Snapshot:
        """The trials so far."""
        trials = self.records.trials()
        runs = [trial.run for trial in trials if trial.failure is None]
        statuses = read_all(runs, queue=self.queue)
        by_root = {run.root: status for run, status in zip(runs, statuses, strict=True)}
        states = Snapshot(trials=tuple(trials), statuses=by_root).states
        return Snapshot(trials=tuple(mark_best(trials, states=states)), statuses=by_root)

    def next_trial(self, number: int, *, snapshot: Snapshot) -> NewTrial | None:
        """A new trial with the values that the sampler suggests; None: all were tried."""
        swept = suggest(
            self.space,
            [as_tried(trial, snapshot) for trial in snapshot.trials],
            seed=self.settings.seed,
            lower_is_better=self.settings.score.lower_is_better,
        )
        if swept is None:
            self.log("Every combination was tried.")
            return None
        name = run_name(self.space.name, swept)
        taken = {trial.run.name for trial in snapshot.trials}
        if name in taken or (Path(self.space.root) / name).exists():
            name = f"{name[: MAX_NAME - 7]}-{number}"
        shown = ", ".join(f"{key}={value}" for key, value in swept.items())
        self.log(f"Trial {number} of {self.settings.trials}: {shown}.")
        overrides = self.space.overrides(swept, name=name)
        return NewTrial(number=number, name=name, swept=swept, overrides=overrides)

    def recorder(self, trial: NewTrial) -> partial[None]:
        """What records that a run directory is this trial."""
        return partial(
            record_trial,
            sweep=self.space.name,
            number=trial.number,
            swept=trial.swept,
            score=self.settings.score,
        )

    def start(self, trial: NewTrial, action: Callable[[], T]) -> T | None:
        """Start a trial; None: it could not start, which is recorded.

        Raises:
            FtdistError: it is the first trial, or the last of several in a row that could not
                start, or SLURM, the Hub or the disk failed for hours.
        """

        def is_made() -> bool:
            return any(each.number == trial.number for each in self.records.trials())

        try:
            return self.retry(action, unless=lambda: trial.number == 1 or is_made())
        except (FtdistError, OSError) as error:
            if is_made():  # the search continues it later
                self.log(str(error))
                return None
            if trial.number == 1 or not isinstance(error, FtdistError) or is_transient(error):
                raise
            self.log(str(error))
            self.records.record_failure(
                number=trial.number, name=trial.name, swept=trial.swept, cause=error.problem
            )
            newest = self.records.trials()[-MAX_FAILED_STARTS:]
            if len(newest) == MAX_FAILED_STARTS and all(each.failure for each in newest):
                raise
            return None

    def retry(self, action: Callable[[], T], *, unless: Callable[[], bool] = lambda: False) -> T:
        """Do something, again after a pause while SLURM, the Hub or the disk fails.

        Raises:
            FtdistError: it failed for another reason, or for hours, or `unless` is true.
        """
        for pause_s in PAUSES_S:
            try:
                return action()
            except (FtdistError, OSError) as error:
                if not is_transient(error) or unless():
                    raise
                problem = error.problem if isinstance(error, FtdistError) else f"{error}."
                self.log(f"{problem} The next try is in {format_duration(pause_s)}.")
            time.sleep(pause_s)
        return action()

    def report(self, trial: Trial, *, state: str) -> None:
        """Log how a trial ended."""
        score = self.settings.score.name
        best = ", the best so far" if trial.is_best else ""
        value = f"no {score}" if trial.value is None else f"{score} {trial.value:.4f}{best}"
        self.log(f"Trial {trial.number} of {self.settings.trials} {state}: {value}.")


def is_transient(error: Exception) -> bool:
    """Whether the same may succeed later: SLURM, the Hub or the disk failed."""
    return isinstance(error, SlurmError | HubError | StorageError | OSError)


def as_tried(trial: Trial, snapshot: Snapshot) -> ObservedTrial:
    """A trial for the sampler; nothing is known of one that was stopped or lost."""
    status = snapshot.statuses.get(trial.run.root)
    state = "failed" if trial.failure is not None or status is None else status.state
    values = {"done": trial.value, "failed": math.nan, "crash_loop": math.nan}
    return ObservedTrial(swept=trial.swept, value=values.get(state), is_open=state not in OVER)
