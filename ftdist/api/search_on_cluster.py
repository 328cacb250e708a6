"""The trials of a search as jobs of a cluster, several at once."""

import itertools
import time
from collections.abc import Callable
from functools import partial

from ftdist_launch.confirmation import Confirmation
from ftdist_launch.slurm.submit import check, submit
from ftdist_launch.sweeps.records import Trial

from ftdist.api.evaluate import evaluate_run
from ftdist.api.export import export_run
from ftdist.api.resume import resume_run
from ftdist.api.search_state import NewTrial, Search, Snapshot, is_transient
from ftdist.config.compose import compose
from ftdist.errors import FtdistError


def search_on_cluster(search: Search, *, poll_s: float) -> None:
    """Submit trials, a few at a time, and wait for their scores.

    Trials do not need this process: a search that continues finds them where they are then.

    Args:
        search: the search.
        poll_s: seconds between looks at the queue.
    """
    confirmation, over, is_exhausted = Confirmation(), set[int](), False
    while True:
        snapshot = search.read()
        for trial in snapshot.trials:
            if trial.number in over or _is_open(search, trial, snapshot, confirmation):
                continue
            over.add(trial.number)
            search.report(trial, state=snapshot.states[trial.run.name])
        numbers = {trial.number for trial in snapshot.trials}
        is_complete = is_exhausted or len(numbers) >= search.settings.trials
        num_open = len(numbers - over)
        if is_complete and num_open == 0:
            return
        if not is_complete and num_open < search.settings.parallel:
            number = next(n for n in itertools.count(1) if n not in numbers)
            new = search.next_trial(number, snapshot=snapshot)
            is_exhausted = new is None
            if new is not None:
                search.start(new, partial(_submit, search, new))
        else:
            time.sleep(poll_s)


def _submit(search: Search, trial: NewTrial) -> None:
    assert search.queue is not None
    config = check(compose(trial.overrides), queue=search.queue, log=search.log)
    ((_, _, job),) = submit(
        [config],
        overrides=[trial.overrides],
        on_made=search.recorder(trial),
        queue=search.queue,
    )
    search.log(f"Run {trial.name}: job {job}.")


def _is_open(search: Search, trial: Trial, snapshot: Snapshot, confirmation: Confirmation) -> bool:
    """Whether a trial still runs; one that is trained gets its export and comparison."""
    status = snapshot.statuses.get(trial.run.root)
    if status is None:
        return False
    jobs = {job.stage: job for job in status.jobs}
    is_over = confirmation.is_over(status)
    is_unfinished = status.state in ("new", "lost", "stopped")
    if is_over and is_unfinished and "train" not in jobs:  # its submission failed
        return _continue(search, partial(resume_run, trial.run, []))
    if not is_over or status.state != "done":
        return not is_over
    is_unscored = trial.value is None
    if is_unscored and search.settings.score.needs_comparison:
        if "compare" not in jobs:
            compare = partial(evaluate_run, trial.run, [], stage="compare")
            export = partial(export_run, trial.run, [])
            return ("export" in jobs or _continue(search, export)) and _continue(search, compare)
        if not jobs["compare"].over:
            return True
    is_final = confirmation.confirms(f"{trial.run.root} unscored", is_seen=is_unscored)
    return is_unscored and not is_final


def _continue(search: Search, action: Callable[..., object]) -> bool:
    """Submit a job of a trial; whether that succeeded."""
    try:
        search.retry(partial(action, supervise=search.supervise, log=search.log))
    except FtdistError as error:
        if is_transient(error):
            raise
        search.log(str(error))
        return False
    return True
