"""How the jobs of one run stand in SLURM, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftdist.errors import RequeueError
from ftdist_launch.run_records import Event, Records
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.reason_text import DOES, WAITING, end, why


@dataclass(frozen=True, kw_only=True)
class QueueSnapshot:
    """What SLURM says of jobs that have no end on record."""

    queue: Mapping[str, QueuedJob] = field(default_factory=dict)
    accounts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problem: str | None = None
    """Why SLURM could not be asked: then the queue is not known."""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A job of the run, the newest one of its stage."""

    job: str
    stage: str
    state: str | None
    """SLURM's word; None: it is not in the queue, or SLURM was not asked."""

    told: str
    """What it does, waits for or did, in plain words."""

    over: bool
    """Whether it has ended, as far as is known."""


def waiting_told(records: Records, *, seen: QueueSnapshot) -> str | None:
    """What a run waits for before it trains; None: nothing that is known."""
    jobs = records.newest_jobs()
    told = []
    for stage in ("train", "prepare"):
        submitted = jobs.get(stage)
        if submitted is None or submitted["job"] not in seen.queue:
            continue
        words = _does(records, submitted, seen=seen)
        told.append(words if stage == "train" else f"job {submitted['job']} {words}")
    return "; ".join(told) or None


def unrest_told(records: Records, *, seen: QueueSnapshot) -> str | None:
    """What the job of a run that trains does beside running; None: nothing."""
    train = records.newest_jobs().get("train")
    if train is None or train["job"] not in seen.queue:
        return None
    runs = seen.queue[train["job"]].state == "RUNNING"
    return None if runs else f"its job {_does(records, train, seen=seen)}"


def loss_told(records: Records, *, seen: QueueSnapshot) -> str | None:
    """What is known of a run whose jobs have gone from the queue; None: nothing."""
    told = []
    has_failed = False
    for stage in _OF_THE_RUN:
        job = records.newest_jobs().get(stage, {}).get("job", "")
        states = seen.accounts.get(job)
        if not states:
            continue
        if has_failed and states[-1] == "CANCELLED":  # SLURM does so where a forerunner failed
            told.append(f"so job {job}, which {DOES[stage]}, never started")
            continue
        told.append(f"SLURM says of job {job}, which {DOES[stage]}: {end(states)}")
        has_failed = stage == "prepare" and states[-1] != "COMPLETED"
        if has_failed:
            told[-1] += ", as its log tells: --stage prepare"
    refused = records.of_kind("requeue_failed")
    if refused:
        told.append(f"SLURM refused to start it again: {refused[-1]['cause']}")
    return "; ".join(told) or None


_OF_THE_RUN = ("prepare", "train")


def job_status(records: Records, submitted: Event, *, over: bool, seen: QueueSnapshot) -> JobStatus:
    """How one job stands.

    Args:
        records: of the run.
        submitted: the record of the job.
        over: whether the run has ended.
        seen: what SLURM says.
    """
    job = submitted["job"]
    queued, ended = seen.queue.get(job), records.stage_end(submitted)
    gone = over if submitted["stage"] in _OF_THE_RUN else False
    if queued is not None:
        told = _does(records, submitted, seen=seen)
    elif ended is not None:
        stopped = ended["exit_code"] == RequeueError.exit_code
        failed = "stopped" if stopped else "failed"
        told = f"{failed}: {ended['cause']}" if ended["exit_code"] else "done"
    elif seen.accounts.get(job):
        told = end(seen.accounts[job])
    elif seen.problem is not None and not gone:
        return JobStatus(
            job=job, stage=submitted["stage"], state=None, told="not known", over=False
        )
    else:
        told = "ended" if gone else "gone from the queue"
    return JobStatus(
        job=job,
        stage=submitted["stage"],
        state=None if queued is None else queued.state,
        told=told,
        over=queued is None,
    )


def _does(records: Records, submitted: Event, *, seen: QueueSnapshot) -> str:
    """What a job in the queue does."""
    queued = seen.queue[submitted["job"]]
    if queued.state not in WAITING:
        does = _STATES.get(queued.state, "runs")
        return f"{does} on {queued.nodes} ({queued.state})"
    after = [job for job in submitted.get("after", []) if job in seen.queue]
    stages = {event["job"]: event["stage"] for event in records.of_kind("job_submitted")}
    told = why(queued, after=after, stages=stages)
    expected = "" if queued.start in ("", "N/A") else f", expected to start at {queued.start}"
    return told + expected


_STATES = {
    "COMPLETING": "is ending",
    "STAGE_OUT": "is ending",
    "CONFIGURING": "starts up",
    "SUSPENDED": "was halted",
    "STOPPED": "was halted",
}
