"""Record the end of an attempt that nothing recorded, because what supervised it was killed."""

import shutil
import sys

from ftdist.rundir import RunDir
from ftdist_launch.attempt_end import describe_loss, last_record_time, unrecorded_attempt
from ftdist_launch.attempts import JobExit, finish_attempt
from ftdist_launch.rank_failures import exited_silently, first_failure, read_failures
from ftdist_launch.rank_records import read_exit_codes
from ftdist_launch.slurm.job_causes import slurm_cause, was_cancelled_by_hand

LOST_HERE = "The `ftdist` that supervised it was killed, and its ranks ended with it."
LOST_ON_CLUSTER = "Its job ended before the batch script could record how."


def record_lost_attempt(run: RunDir) -> str | None:
    """Record the end of the newest attempt if nothing has recorded it; it counts as any other.

    Call it within the lock of the run, when no rank and no job of it is left.

    Returns:
        What was recorded, as a sentence; None: nothing was to do.
    """
    started = unrecorded_attempt(run)
    on_cluster = started is not None and "job" in started
    if started is None or (on_cluster and shutil.which("squeue") is None):
        return None
    number, folder = started["attempt"], run.attempt(started["attempt"])
    codes = read_exit_codes(folder, started["world_size"])
    failure = first_failure(read_failures(folder))
    ended = last_record_time(run, number)
    if on_cluster and not run.was_cancelled() and was_cancelled_by_hand(started["job"]):
        run.record_event("cancel_requested", by="scancel", now=True)
    if failure is None and None in codes:
        problem = (slurm_cause(started["job"]) or LOST_ON_CLUSTER) if on_cluster else LOST_HERE
        failure = exited_silently(
            codes.index(None),
            time=ended,
            log=run.jobs,
            problem=problem,
            remedy=f"read the ends of the logs in {run.jobs}.",
        )
    finished = finish_attempt(
        run,
        number,
        JobExit(exit_codes=codes, failure=failure, out_of_memory=False),
        stop_signal=None,
        # The user has asked for the run again: it is not given up for this one.
        limit=sys.maxsize,
        ended=ended,
        can_move=True,
        lost=True,
    )
    lost = describe_loss(finished.steps_lost)
    return f"Attempt {number} of run {run.name} had ended: {finished.cause} {lost.capitalize()}."
