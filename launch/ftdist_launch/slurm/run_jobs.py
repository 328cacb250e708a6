"""The queued jobs of a run, and checks against running or submitting it twice."""

import shutil
from collections.abc import Sequence

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.slurm.client import Queue, QueuedJob
from ftdist_launch.slurm.sbatch import Stage


def queued_jobs(run: RunDir, *, queue: Queue) -> dict[str, tuple[Stage, QueuedJob]]:
    """The run's jobs that are waiting or running, oldest first, by number.

    Raises:
        SlurmError: SLURM is unavailable.
    """
    stages: dict[str, Stage] = {
        event["job"]: event["stage"]
        for event in run.read_events()
        if event.get("event") == "job_submitted"
    }
    states = queue.states(stages)
    return {job: (stage, states[job]) for job, stage in stages.items() if job in states}


def queued_jobs_of(run: RunDir, *, stages: Sequence[Stage], queue: Queue) -> list[str]:
    """Numbers of the run's waiting or running jobs of some stages.

    Raises:
        SlurmError: SLURM is unavailable.
    """
    return [job for job, (stage, _) in queued_jobs(run, queue=queue).items() if stage in stages]


def refuse_second_job(stage: Stage, run: RunDir, *, queue: Queue) -> None:
    """Refuse a second job of a stage: both would write the same files.

    Raises:
        ConfigError: a job of the stage is waiting or running.
        SlurmError: SLURM is unavailable.
    """
    jobs = queued_jobs_of(run, stages=(stage,), queue=queue)
    if jobs:
        cancel = f"ftdist cancel {run.cli_name}" if stage == "train" else f"scancel {jobs[0]}"
        raise ConfigError(
            f"Run {run.name} is already in the queue for stage {stage}, as job {jobs[0]}.",
            remedy=f"wait for it (`ftdist status {run.cli_name}`), or cancel it: `{cancel}`.",
        )


def refuse_queued(run: RunDir) -> None:
    """Refuse to work locally on a run that has jobs on a cluster.

    Raises:
        ConfigError: a job of the run is waiting or running.
        SlurmError: SLURM is unavailable.
    """
    if shutil.which("squeue") is None:
        return  # not a login node: there is no queue to query
    jobs = queued_jobs(run, queue=Queue())
    if jobs:
        raise ConfigError(
            f"Run {run.name} has jobs in the queue of a cluster: {', '.join(jobs)}.",
            remedy=f"wait for them (`ftdist status {run.cli_name}`), or cancel them with "
            f"`ftdist cancel {run.cli_name}` first.",
        )
