"""SLURM's codes for why a job waits, in plain words; the codes are explained in `man squeue`."""

import re

REASONS = {
    "None": "waiting in the queue",
    "Resources": "waiting for free nodes",
    "Priority": "waiting behind jobs of higher priority",
    "Dependency": "waiting for another job",
    "DependencyNeverSatisfied": "will never start: a job that it depends on failed",
    "BeginTime": "restarting soon",
    "JobArrayTaskLimit": "waiting for other runs of its sweep",
    "JobHeldUser": "held by its owner, until `scontrol release`",
    "JobHeldAdmin": "held by an administrator",
    "JobHoldMaxRequeue": "held: it was restarted too often; `scontrol release` starts it again",
    "launch_failed_requeued_held": "held: a node could not start it; `scontrol release` retries",
    "JobLaunchFailure": "a node could not start it; SLURM retries",
    "ReqNodeNotAvail": "waiting for nodes that are down or reserved",
    "Reservation": "waiting for its reservation to begin",
    "ReservationDeleted": "will not start: its reservation was deleted",
    "NodeDown": "waiting for a node that is down",
    "Licenses": "waiting for a licence",
    "Cleaning": "waiting until SLURM has cleaned up its last start",
    "Prolog": "the nodes are being prepared",
    "PartitionDown": "waiting: its partition is closed for now",
    "PartitionInactive": "waiting: its partition takes no jobs now",
    "PartitionNodeLimit": "will not start: it asks for more nodes than its partition allows",
    "PartitionTimeLimit": "will not start: its time limit exceeds that of its partition",
    "BadConstraints": "will not start: no node has what cluster.constraint asks for",
    "AccountNotAllowed": "will not start: its partition does not allow your account",
    "InvalidAccount": "will not start: cluster.account is not valid",
    "InvalidQOS": "will not start: cluster.qos is not valid",
    "QOSNotAllowed": "will not start: its partition does not allow your QOS",
    "QOSMaxJobsPerUserLimit": "waiting: you run as many jobs as your QOS allows",
    "AssocMaxJobsLimit": "waiting: your account runs as many jobs as it may",
    "AssocGrpJobsLimit": "waiting: your account's group runs as many jobs as it may",
    "QOSGrpJobsLimit": "waiting: all users of your QOS run as many jobs as it allows",
    "QOSUsageThreshold": "waiting: your usage is too high for your QOS",
}

_LIMIT = re.compile(
    r"(?P<who>QOS|Assoc)(?P<kind>Grp|Max|Min)(?P<what>GRES|C[Pp][Uu]|Mem(?:ory)?|Node|Wall|Billing)"
    r"(?P<time>Duration|Minutes|RunMinutes)?(?P<per>PerJob|PerNode|PerUser)?"
)
_WHAT = {
    "gres": "GPUs",
    "cpu": "CPU cores",
    "mem": "memory",
    "memory": "memory",
    "node": "nodes",
    "wall": "time",
    "billing": "billed resources",
}


def explain_reason(code: str) -> str:
    """Why a job waits, without an initial capital and without a full stop.

    Args:
        code: the reason as `squeue` shows it; more may follow after a comma.
    """
    code = code.partition(",")[0]
    return REASONS.get(code) or _explain_limit(code) or "waiting in the queue"


def _explain_limit(code: str) -> str | None:
    """The meaning of one of the many limits of an account or a QOS."""
    match = _LIMIT.match(code)
    if match is None:
        return None
    owner = "your QOS" if match["who"] == "QOS" else "your account"
    what = _WHAT[match["what"].lower()]
    if match["kind"] == "Min":
        return f"will not start: it asks for less of the {what} than {owner} requires"
    if match["per"] in ("PerJob", "PerNode"):
        per = "job" if match["per"] == "PerJob" else "node"
        amount = "time" if match["time"] else what
        return f"will not start: it asks for more {amount} per {per} than {owner} allows"
    if match["time"]:
        return f"waiting: {owner} has used up its budget of {what.removesuffix('s')} time"
    if match["per"] == "PerUser":
        return f"waiting: you use as much of the {what} as {owner} allows"
    return f"waiting: all jobs of {owner} use as much of the {what} as it allows"
