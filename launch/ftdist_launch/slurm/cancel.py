"""Cancel the jobs of a run: a running training job saves a checkpoint first."""

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.run_jobs import queued_jobs

STOP_SIGNAL = "USR2"
"""Tells ranks to finish the step, save a checkpoint and exit."""


def cancel(run: RunDir, *, now: bool, queue: Queue) -> list[str]:
    """Cancel every job of a run.

    Args:
        run: whose jobs.
        now: whether running training jobs end at once, without saving a checkpoint.
        queue: of the cluster.

    Returns:
        One sentence per job.

    Raises:
        ConfigError: the run has no job in the queue.
        SlurmError: SLURM is unavailable, or refuses.
    """
    jobs = queued_jobs(run, queue=queue)
    if not jobs:
        raise ConfigError(
            f"Run {run.name} is not running here, and has no job in the queue.",
            remedy=f"see `ftdist status {run.cli_name}`.",
        )
    messages, cancelled = [], []
    try:
        # Recorded first: the batch script reads why its ranks ended.
        run.append_event("cancel_requested", by="cancel", now=now)
    except OSError as error:
        messages.append(
            f"Cannot write {run.events} ({error.strerror}): its jobs are cancelled at once."
        )
        now = True
    for job, (stage, queued) in jobs.items():
        if stage == "train" and queued.state == "RUNNING" and not now:
            queue.signal(job, STOP_SIGNAL)
            messages.append(f"Job {job} was asked to finish its step, save a checkpoint and exit.")
        else:
            cancelled.append(job)
            messages.append(f"Job {job} ({stage}, {queued.state}) was cancelled.")
    queue.cancel(cancelled)
    return messages
