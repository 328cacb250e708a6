"""Human-readable explanations of the commonest SLURM reason codes; others are shown raw."""

from ftdist_launch.slurm.client import QueuedJob

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
"""States of a job in the queue that does not run."""

REASONS = {
    "Resources": "waiting for free nodes",
    "Priority": "waiting behind jobs of higher priority",
    "Dependency": "waiting for another job",
    "DependencyNeverSatisfied": "will never start: a job that it depends on failed",
    "BeginTime": "restarting soon",
    "JobArrayTaskLimit": "waiting for other runs of its sweep",
    "JobHeldUser": "held by its owner, until `scontrol release`",
    "JobHeldAdmin": "held by an administrator",
    "ReqNodeNotAvail": "waiting for nodes that are down or reserved",
    "QOSMaxJobsPerUserLimit": "waiting: you run as many jobs as your QOS allows",
}
"""Why a job waits, by the code that `squeue` shows; the codes are explained in `man squeue`."""


def waiting_reason(job: QueuedJob) -> str:
    """Why a job waits, such as "waiting for free nodes (Resources)"."""
    if job.reason == "None":
        return f"waiting in the queue ({job.state})"
    text = REASONS.get(job.reason.partition(",")[0], "waiting in the queue")
    return f"{text} ({job.reason})"
