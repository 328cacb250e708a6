"""Ending the jobs of a run: those that run save first, those that wait leave the queue."""

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue
from ftdist_launch.slurm.submit import jobs_of

STOP_SIGNAL = "USR2"
"""What ranks understand as: finish the step, save, end."""


def cancel(run: RunDir, *, now: bool, queue: Queue) -> list[str]:
    """End every job of a run.

    Args:
        run: whose jobs.
        now: whether those that run are ended at once, without a checkpoint.
        queue: of the cluster.

    Returns:
        A sentence for each job.

    Raises:
        ConfigError: there is none.
        SlurmError: SLURM does not answer, or refuses.
    """
    at_work = jobs_of(run, queue=queue)
    if not at_work:
        raise ConfigError(
            f"Run {run.name} has no job in the queue.",
            remedy=f"see `ftdist status {run.cli_name}`; a run on this machine ends with Ctrl-C.",
        )
    told, ended = [], []
    try:
        # Written first: the batch script reads why its ranks ended.
        run.append_event("cancel_requested", by="cancel", now=now)
    except OSError as error:
        told.append(
            f"{run.events} cannot be written ({error.strerror}): its jobs are ended at once."
        )
        now = True
    for job, (stage, queued) in at_work.items():
        if stage == "train" and queued.state == "RUNNING" and not now:
            queue.signal(job, STOP_SIGNAL)
            told.append(f"Job {job} was asked to finish its step, save and end.")
        else:
            ended.append(job)
            does = "waits for" if queued.state == "PENDING" else "runs"
            told.append(f"Job {job} ({stage}, {does} {queued.nodes or queued.reason}) is ended.")
    queue.cancel(ended)
    return told
