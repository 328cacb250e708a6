"""The trials of a search one after another, on this machine."""

from functools import partial

from ftdist_launch.status import read_status
from ftdist_launch.sweeps.records import Trial

from ftdist.api.evaluate import evaluate_run
from ftdist.api.export import export_run
from ftdist.api.jobs import Submitted
from ftdist.api.resume import resume_run
from ftdist.api.search_state import Search
from ftdist.api.training import train_run
from ftdist.errors import FtdistError
from ftdist.rundir import RunDir

COMPLETE = "complete"
"""A trial of an earlier search with nothing left to do."""


def search_here(search: Search) -> bool:
    """Train and score trials until there are enough.

    Returns:
        Whether the user stopped it.
    """
    for number in range(1, search.settings.trials + 1):
        trials = {trial.number: trial for trial in search.records.trials()}
        outcome = _continue(search, trials[number]) if number in trials else _new(search, number)
        if outcome is None:
            return False
        if outcome == "stopped":
            return True
        if outcome != COMPLETE:
            search.report(number)
    return False


def _new(search: Search, number: int) -> str | None:
    """Train and score a new trial; how it ended, None if every combination was tried."""
    trial = search.next_trial(number)
    if trial is None:
        return None
    try:
        trained = train_run(
            trial.overrides,
            supervise=search.supervise,
            log=search.log,
            on_made=search.recorder(trial),
        )
    except FtdistError as error:
        search.record_failure(error, trial=trial)
        return "failed"
    outcome, failure = trained.finished.outcome, trained.finished.failure
    if failure is not None and outcome != "stopped":
        search.log(failure.problem)
    return _score(search, trained.run) if outcome == "done" else outcome


def _continue(search: Search, trial: Trial) -> str:
    """Finish a trial of an earlier search; how it ended."""
    score, state = search.settings.score, ""
    if trial.run.exists():
        state = read_status(trial.run).state
    if state in ("", "failed", "crash_loop"):
        return COMPLETE
    if state == "done":
        is_scored = trial.value is not None or not score.needs_comparison
        return COMPLETE if is_scored else _score(search, trial.run)
    search.log(f"Trial {trial.number} of {search.settings.trials}: resuming {trial.run.name}.")
    try:
        ended = resume_run(trial.run, [], supervise=search.supervise, log=search.log)
    except FtdistError as error:
        search.log(str(error))
        return "failed"
    assert not isinstance(ended, list), "the search is on this machine"
    outcome = "done" if ended is None else ended.outcome
    return _score(search, trial.run) if outcome == "done" else outcome


def _score(search: Search, run: RunDir) -> str:
    """Export and compare a trained trial if its score needs that; how that ended."""
    if not search.settings.score.needs_comparison:
        return "done"
    for stage in (export_run, partial(evaluate_run, stage="compare")):
        try:
            ended = stage(run, [], supervise=search.supervise, log=search.log)
        except FtdistError as error:
            search.log(str(error))
            return "failed"
        assert not isinstance(ended, Submitted), "the search is on this machine"
        if ended.exit_code:
            search.log("" if ended.failure is None else ended.failure.problem)
            return ended.outcome
    return "done"
