"""Describe the SLURM jobs of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftdist.errors import RequeueError
from ftdist_launch.run_records import RUN_STAGES, Event, Records
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.reason_text import WAITING, waiting_reason

STATES = {
    "COMPLETING": "ending",
    "STAGE_OUT": "ending",
    "CONFIGURING": "starting",
    "SUSPENDED": "suspended",
    "STOPPED": "suspended",
}
"""What a job in the queue that does not wait does, unless it runs."""


@dataclass(frozen=True, kw_only=True)
class QueueSnapshot:
    """What SLURM reports about jobs whose end is not recorded."""

    queue: Mapping[str, QueuedJob] = field(default_factory=dict)
    accounts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of jobs that left the queue: the final state of each start, oldest first."""

    problem: str | None = None
    """Why SLURM could not be queried: then the queue is unknown."""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """The newest job of a stage."""

    job: str
    stage: str
    state: str | None
    """SLURM's word; None: it is not in the queue, or the queue is unknown."""

    summary: str
    """What it does, waits for or did."""

    over: bool
    """Whether it has ended, as far as known."""


def job_status(
    records: Records, submitted: Event, *, run_over: bool, snapshot: QueueSnapshot
) -> JobStatus:
    """The status of one job.

    Args:
        records: of the run.
        submitted: the event of its submission.
        run_over: whether the run has ended.
        snapshot: of SLURM's queue.
    """
    job, stage = submitted["job"], submitted["stage"]
    queued, finished = snapshot.queue.get(job), records.stage_end(submitted)
    over = queued is None
    if queued is not None:
        summary = _queued_summary(records, submitted, snapshot=snapshot)
    elif finished is not None and finished["exit_code"]:
        stopped = finished["exit_code"] == RequeueError.exit_code
        summary = f"{'stopped' if stopped else 'failed'}: {finished['cause']}"
    elif finished is not None:
        summary = "done"
    elif snapshot.accounts.get(job):
        summary = f"ended ({snapshot.accounts[job][-1]})"
    elif run_over and stage in RUN_STAGES:
        summary = "ended"
    elif snapshot.problem is not None:
        summary, over = "unknown", False
    else:
        summary = "no longer in the queue"
    state = None if queued is None else queued.state
    return JobStatus(job=job, stage=stage, state=state, summary=summary, over=over)


def waiting_summary(records: Records, *, snapshot: QueueSnapshot) -> str | None:
    """What a run waits for before it trains; None if unknown."""
    jobs = records.newest_jobs()
    queued = {
        stage: _queued_summary(records, jobs[stage], snapshot=snapshot)
        for stage in ("train", "prepare")
        if stage in jobs and jobs[stage]["job"] in snapshot.queue
    }
    if "prepare" in queued:
        queued["prepare"] = f"job {jobs['prepare']['job']}: {queued['prepare']}"
    return "; ".join(queued.values()) or None


def running_summary(records: Records, *, snapshot: QueueSnapshot) -> str | None:
    """The state of the training job if it is in the queue and not simply running."""
    train = records.newest_jobs().get("train")
    if train is None or train["job"] not in snapshot.queue:
        return None
    if snapshot.queue[train["job"]].state == "RUNNING":
        return None
    return f"its job is {_queued_summary(records, train, snapshot=snapshot)}"


def lost_summary(records: Records, *, snapshot: QueueSnapshot) -> str | None:
    """What is known of a run whose jobs are no longer in the queue."""
    ends = {
        stage: f"job {job['job']} ({stage}) ended as {snapshot.accounts[job['job']][-1]}"
        for stage, job in records.newest_jobs().items()
        if stage in RUN_STAGES and snapshot.accounts.get(job["job"])
    }
    clauses = list(ends.values())
    if "prepare" in ends and not ends["prepare"].endswith("COMPLETED"):
        clauses.append(f"see `ftdist logs {records.name} --stage prepare`")
    clauses += [f"requeue failed: {event['cause']}" for event in records.of_kind("requeue_failed")]
    return "; ".join(clauses) or None


def _queued_summary(records: Records, submitted: Event, *, snapshot: QueueSnapshot) -> str:
    job = snapshot.queue[submitted["job"]]
    if job.state not in WAITING:
        return f"{STATES.get(job.state, 'running')} on {job.nodes} ({job.state})"
    summary = waiting_reason(job)
    dependencies = [name for name in submitted.get("after", []) if name in snapshot.queue]
    if job.reason == "Dependency" and dependencies:
        stages = {event["job"]: event["stage"] for event in records.of_kind("job_submitted")}
        names = [f"job {name} ({stages.get(name, 'unknown')})" for name in sorted(dependencies)]
        summary = f"waiting for {' and '.join(names)} (Dependency)"
    if job.start not in ("", "N/A"):
        summary += f", expected to start at {job.start}"
    return summary
