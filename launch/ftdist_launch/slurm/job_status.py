"""Describe the SLURM jobs of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftdist_launch.run_records import RUN_STAGES, Event, Records, stage_outcome
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.waiting_reasons import explain_reason

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
"""States of a job in the queue that does not run."""


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
    elif finished is not None and stage_outcome(finished) != "done":
        summary = f"{stage_outcome(finished)}: {finished['cause']}"
    elif finished is not None:
        summary = "done"
    elif snapshot.accounts.get(job):
        summary = f"ended as {snapshot.accounts[job][-1]}"
    elif run_over and stage in RUN_STAGES:
        summary = "ended"
    elif snapshot.problem is not None:
        summary, over = "unknown", False
    else:
        summary = "no longer in the queue"
    state = None if queued is None else queued.state
    return JobStatus(job=job, stage=stage, state=state, summary=summary, over=over)


def _queued_summary(records: Records, submitted: Event, *, snapshot: QueueSnapshot) -> str:
    job = snapshot.queue[submitted["job"]]
    if job.state not in WAITING:
        return f"{job.state.lower()} on {job.nodes}"
    text = explain_reason(job.reason)
    code = job.state if job.reason == "None" else job.reason
    dependencies = [name for name in submitted.get("after", []) if name in snapshot.queue]
    if job.reason == "Dependency" and dependencies:
        stages = {event["job"]: event["stage"] for event in records.of_kind("job_submitted")}
        names = [f"job {name} ({stages.get(name, 'unknown')})" for name in sorted(dependencies)]
        text = f"waiting for {' and '.join(names)}"
    start = f", expected to start at {job.start}" if job.start not in ("", "N/A") else ""
    return f"{text} ({code}){start}"
