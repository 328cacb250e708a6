"""The trials of a search as jobs of a cluster, several at once."""

import time
from collections.abc import Mapping
from pathlib import Path

from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.submit import check, submit
from ftdist_launch.status import OVER, RunStatus
from ftdist_launch.sweeps.records import Trial

from ftdist.api.evaluate import evaluate_run
from ftdist.api.export import export_run
from ftdist.api.search_state import Search, read_statuses
from ftdist.config.compose import compose
from ftdist.errors import FtdistError


def search_on_cluster(search: Search, *, poll_s: float) -> bool:
    """Submit trials, a few at a time, and wait for their scores.

    Trials do not need this process: a search that continues finds them where they are then.

    Args:
        search: the search.
        poll_s: seconds between looks at the queue.

    Returns:
        Whether the user stopped it.
    """
    queue, is_exhausted, reported = Queue(), False, set[int]()
    try:
        while True:
            trials = search.records.trials()
            statuses = read_statuses(trials, queue=queue)
            ended = {trial.number for trial in trials if not _is_open(search, trial, statuses)}
            for number in sorted(ended - reported):
                search.report(number)
            reported |= ended
            is_over = is_exhausted or len(trials) >= search.settings.trials
            num_open = len(trials) - len(ended)
            if is_over and num_open == 0:
                return False
            if not is_over and num_open < search.settings.parallel:
                is_exhausted = not _submit_next(search, len(trials) + 1, queue=queue)
            else:
                time.sleep(poll_s)
    except KeyboardInterrupt:
        return True


def _submit_next(search: Search, number: int, *, queue: Queue) -> bool:
    """Submit a new trial; False if every combination was tried."""
    trial = search.next_trial(number)
    if trial is None:
        return False
    try:
        config = check(compose(trial.overrides), queue=queue, log=search.log)
        ((_, _, job),) = submit(
            [config],
            overrides=[trial.overrides],
            on_made=search.recorder(trial),
            queue=queue,
        )
    except FtdistError as error:
        search.record_failure(error, trial=trial)
    else:
        search.log(f"Run {trial.name}: job {job}.")
    return True


def _is_open(search: Search, trial: Trial, statuses: Mapping[Path, RunStatus]) -> bool:
    """Whether a trial still runs; one that is trained gets its export and comparison."""
    status = statuses.get(trial.run.root)
    if status is None:
        return False
    if status.state not in OVER:
        return True
    is_scored = trial.value is not None or not search.settings.score.needs_comparison
    if status.state != "done" or is_scored:
        return False
    jobs = {job.stage: job for job in status.jobs}
    if "compare" in jobs:
        return not jobs["compare"].over
    try:
        if "export" not in jobs:
            export_run(trial.run, [], supervise=search.supervise, log=search.log)
        evaluate_run(trial.run, [], stage="compare", supervise=search.supervise, log=search.log)
    except SlurmError as error:
        search.log(str(error))
        return True
    except FtdistError as error:
        search.log(str(error))
        return False
    return True
