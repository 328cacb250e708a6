"""The trials of a search one after another, on this machine."""

from functools import partial

from ftdist_launch.sweeps.records import Trial

from ftdist.api.evaluate import evaluate_run
from ftdist.api.export import export_run
from ftdist.api.jobs import Submitted
from ftdist.api.resume import resume_run
from ftdist.api.search_state import NewTrial, Search, Snapshot
from ftdist.api.training import Trained, train_run
from ftdist.errors import FtdistError
from ftdist.rundir import RunDir

COMPLETE = "complete"
"""A trial of an earlier search with nothing left to do."""


def search_local(search: Search) -> bool:
    """Train and score trials until there are enough.

    Returns:
        Whether the user stopped it.
    """
    for number in range(1, search.settings.trials + 1):
        snapshot = search.read()
        known = {trial.number: trial for trial in snapshot.trials}
        if number in known:
            outcome = _continue(search, known[number], snapshot)
        else:
            trial = search.next_trial(number, snapshot=snapshot)
            if trial is None:
                return False
            outcome = _new(search, trial)
        if outcome == "stopped":
            return True
        if outcome != COMPLETE:
            _report(search, number)
    return False


def _report(search: Search, number: int) -> None:
    snapshot = search.read()
    for trial in snapshot.trials:
        if trial.number == number:
            search.report(trial, state=snapshot.states[trial.run.name])


def _new(search: Search, trial: NewTrial) -> str:
    """Train and score a new trial; how it ended."""
    train = partial(
        train_run,
        trial.overrides,
        supervise=search.supervise,
        log=search.log,
        on_made=search.recorder(trial),
    )
    trained: Trained | None = search.start(trial, train)
    if trained is None:
        return "failed"
    outcome, failure = trained.finished.outcome, trained.finished.failure
    if failure is not None and outcome != "stopped":
        search.log(failure.problem)
    return _score(search, trained.run) if outcome == "done" else outcome


def _continue(search: Search, trial: Trial, snapshot: Snapshot) -> str:
    """Finish a trial of an earlier search; how it ended."""
    score, state = search.settings.score, snapshot.states[trial.run.name]
    if state in ("failed", "crash_loop"):
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
        if ended.outcome != "done":
            search.log("" if ended.failure is None else ended.failure.problem)
            return ended.outcome
    return "done"
