"""SLURM's words in plain ones; its own always stand beside them, for those who know them."""

from collections.abc import Collection, Mapping

from ftdist_launch.slurm.client import QueuedJob

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
"""States of a job in the queue that does not run."""

DOES = {
    "prepare": "prepares the library",
    "train": "trains",
    "export": "exports the tuned model",
    "compare": "compares base and tuned",
    "blend": "measures models between base and tuned",
}
"""What a job does, by its stage."""

REASONS = {
    "None": "waits in the queue, and SLURM has not looked at it yet",
    "Resources": "waits in the queue for free nodes",
    "Priority": "waits in the queue behind jobs of higher priority",
    "BeginTime": "restarts soon",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "waits for a job that failed, and will never start",
    "JobArrayTaskLimit": "waits for other runs of its sweep",
    "JobHeldUser": "held back by its owner, until `scontrol release`",
    "JobHeldAdmin": "held back by those who run the cluster",
    "JobHoldMaxRequeue": "held back because SLURM has restarted it too often",
    "launch failed requeued held": "held back because it could not be started",
    "Reservation": "waits for the time that its nodes are reserved for",
    "ReqNodeNotAvail": "waits for nodes that are down, or kept for maintenance",
    "NodeDown": "waits for nodes that are down",
    "BadConstraints": "will never start: no nodes have what cluster.constraint asks for",
    "PartitionNodeLimit": "will never start: the partition allows fewer nodes",
    "PartitionTimeLimit": "will never start: the partition allows less time",
    "PartitionDown": "waits for its partition, which is down",
    "PartitionInactive": "waits for its partition, which is switched off",
    "QOSMaxJobsPerUserLimit": "held back because you run as many jobs as your QOS allows",
    "QOSMaxSubmitJobPerUserLimit": "held back because you have as many jobs as your QOS allows",
    "QOSMaxNodePerUserLimit": "held back because you use as many nodes as your QOS allows",
    "QOSMaxCpuPerUserLimit": "held back because you use as many CPUs as your QOS allows",
    "QOSMaxGRESPerUser": "held back because you use as many GPUs as your QOS allows",
    "QOSMaxWallDurationPerJobLimit": "will never start: your QOS allows less time",
    "QOSNotAllowed": "will never start: the partition does not take this QOS",
    "InvalidQOS": "will never start: there is no such QOS",
    "InvalidAccount": "will never start: there is no such account",
    "AssocMaxJobsLimit": "held back because you run as many jobs as your account allows",
    "Licenses": "waits for a licence",
    "Prolog": "starts: its nodes are being made ready",
    "Cleaning": "restarts soon: its nodes are being cleaned up",
}
"""Why a job waits. QOS: a quality of service, by which SLURM shares a cluster out."""

_BEGINNINGS = (
    ("QOSMax", "held back because it would take more than your QOS allows"),
    ("QOSGrp", "held back because all users of its QOS together use what it allows"),
    ("QOS", "held back by a limit of its QOS"),
    ("AssocGrp", "held back because all users of its account together use what it allows"),
    ("Assoc", "held back by a limit of its account"),
    ("ReqNodeNotAvail", REASONS["ReqNodeNotAvail"]),
    ("Nodes_required_for_job", REASONS["ReqNodeNotAvail"]),
)
"""Families of reasons that are too many to name each."""

ENDS = {
    "CANCELLED": "somebody cancelled it, not through ftdist",
    "COMPLETED": "it ended well",
    "FAILED": "it failed",
    "TIMEOUT": "it ran into its time limit",
    "NODE_FAIL": "it lost a node",
    "BOOT_FAIL": "its nodes did not come up",
    "OUT_OF_MEMORY": "its nodes ran out of memory",
    "PREEMPTED": "it had to make room for another job",
    "DEADLINE": "it could not end before its deadline",
    "REVOKED": "another cluster took it",
}
"""How a job ended, as SLURM's accounts say it."""


def why(
    queued: QueuedJob, *, after: Collection[str] = (), stages: Mapping[str, str] | None = None
) -> str:
    """Why a job waits: "waits in the queue for free nodes (Resources)".

    Args:
        queued: the job.
        after: jobs it waits for that are in the queue themselves.
        stages: what the run's jobs are, by their number.
    """
    raw = queued.reason
    if raw == "Dependency" and after:
        told = [_named(job, stage=(stages or {}).get(job)) for job in sorted(after)]
        return f"waits for {', and '.join(told)} (Dependency)"
    if raw == "None" and queued.state != "PENDING":
        return f"waits in the queue ({queued.state})"
    words = REASONS.get(raw) or REASONS.get(raw.replace("_", " "))
    if words is None:
        words = next((told for begin, told in _BEGINNINGS if raw.startswith(begin)), None)
    return f"{words or 'waits in the queue'} ({raw})"


def end(states: Collection[str]) -> str:
    """How a job ended: "it ran into its time limit (TIMEOUT)".

    Args:
        states: of every start of the job, oldest first.
    """
    newest = list(states)[-1]
    return f"{ENDS.get(newest, 'it ended')} ({newest})"


def _named(job: str, *, stage: str | None) -> str:
    return f"job {job}" if stage is None else f"job {job}, which {DOES[stage]}"
