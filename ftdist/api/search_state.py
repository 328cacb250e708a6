"""A search that is going on: its trials so far, the next one, and what is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ftdist_launch.slurm.client import Queue
from ftdist_launch.status import OVER, RunStatus, read_all
from ftdist_launch.sweeps.records import Trial, mark_best, record_trial
from ftdist_launch.sweeps.sampler import Tried, suggest
from ftdist_launch.sweeps.scores import SweepScore
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.api.jobs import Supervise
from ftdist.config.search_space import SearchSpace
from ftdist.config.sweep import MAX_NAME, run_name
from ftdist.errors import FtdistError
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir


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
class Search:
    """A search, within `records.exclusive()`."""

    records: SearchRecords
    settings: SearchSettings
    supervise: Supervise
    log: LogFn

    @property
    def space(self) -> SearchSpace:
        """What is searched."""
        return self.records.space

    def next_trial(self, number: int) -> NewTrial | None:
        """A new trial with the values that the sampler suggests; None: all were tried."""
        trials = self.records.trials()
        statuses = read_statuses(trials, queue=None)
        score = self.settings.score
        swept = suggest(
            self.space,
            [_tried(trial, statuses.get(trial.run.root)) for trial in trials],
            seed=self.settings.seed,
            lower_is_better=score.lower_is_better,
        )
        if swept is None:
            self.log("Every combination was tried.")
            return None
        name = run_name(self.space.name, swept)
        if any(trial.run.name == name for trial in trials):  # cut to the same 64 characters
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

    def record_failure(self, error: FtdistError, *, trial: NewTrial) -> None:
        """Record a trial that could not start.

        Raises:
            FtdistError: it is the first trial: the search itself cannot start.
        """
        run = RunDir(Path(self.space.root) / trial.name)
        if trial.number == 1 and not run.exists():
            raise error
        self.log(str(error))
        if not run.exists():
            self.records.record_failure(
                number=trial.number, name=trial.name, swept=trial.swept, cause=error.problem
            )

    def report(self, number: int) -> None:
        """Log how a trial ended."""
        result = self.result(is_stopped=False)
        trial = next(each for each in result.trials if each.number == number)
        score = self.settings.score.name
        best = ", the best so far" if trial.is_best else ""
        value = f"no {score}" if trial.value is None else f"{score} {trial.value:.4f}{best}"
        state = result.states.get(trial.run.name, "failed")
        self.log(f"Trial {number} of {self.settings.trials} {state}: {value}.")

    def result(self, *, is_stopped: bool) -> SearchResult:
        """The trials and their states; only those that are done can be the best."""
        trials = self.records.trials()
        statuses = read_statuses(trials, queue=None)
        states = dict.fromkeys(self.records.causes(), "failed")
        states |= {root.name: status.state for root, status in statuses.items()}
        is_done = {trial.number: states.get(trial.run.name) == "done" for trial in trials}
        done = [trial for trial in trials if is_done[trial.number]]
        others = [replace(trial, is_best=False) for trial in trials if not is_done[trial.number]]
        ranked = sorted([*mark_best(done), *others], key=lambda trial: trial.number)
        return SearchResult(trials=tuple(ranked), states=states, is_stopped=is_stopped)


def read_statuses(trials: Sequence[Trial], *, queue: Queue | None) -> dict[Path, RunStatus]:
    """The status of each trial that has a run directory."""
    runs = [trial.run for trial in trials if trial.run.exists()]
    statuses = read_all(runs, queue=queue)
    return {run.root: status for run, status in zip(runs, statuses, strict=True)}


def _tried(trial: Trial, status: RunStatus | None) -> Tried:
    is_open = status is not None and status.state not in OVER
    is_done = status is not None and status.state == "done"
    return Tried(swept=trial.swept, value=trial.value if is_done else None, is_open=is_open)
