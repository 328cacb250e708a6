"""The status of a run: a pure function of its records and of SLURM's queue."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ftdist.errors import CrashLoopError, RequeueError
from ftdist.rundir import RunDir
from ftdist_launch.run_records import RUN_STAGES, Event, Records, read_run_records
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.job_status import WAITING, JobStatus, QueueSnapshot, job_status

State = Literal[
    "new",
    "pending",
    "preparing",
    "running",
    "restarting",
    "done",
    "stopped",
    "failed",
    "crash_loop",
    "lost",
]
"""new: never started; pending: in the queue; preparing: its library is being tokenised;
restarting: in the queue again; crash_loop: given up; lost: not running, and no end is recorded."""

OVER: tuple[State, ...] = ("done", "stopped", "failed", "crash_loop", "lost")
"""Final states, until a user resumes the run."""


@dataclass(frozen=True, kw_only=True)
class AttemptStatus:
    """One attempt of the run, and how it ended."""

    number: int
    started: float
    """Seconds since the epoch."""

    world_size: int
    hosts: tuple[str, ...]
    job: str | None
    """SLURM's job number; None: a local attempt."""

    outcome: str | None
    """As `ftdist_launch.restart_policy.Outcome`; None: no end is recorded."""

    checkpoint: int | None
    """Step of the newest checkpoint at its end."""

    cause: str | None
    """Why it failed."""

    rank: int | None
    """The first rank that failed."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The status of a run."""

    name: str
    state: State
    reason: str | None
    """What it waits for, or what is known about its loss."""

    step: int
    steps: int | None
    loss: float | None
    tokens_per_s: float | None
    eta_s: float | None
    attempts: tuple[AttemptStatus, ...]
    jobs: tuple[JobStatus, ...]
    error: str | None
    """Why it is not running: the problem of the rank that failed first."""

    remedy: str | None
    corrupt_checkpoints: tuple[str, ...]
    """The problem of each checkpoint that was set aside."""

    wandb_url: str | None
    sweep: str | None
    """Name shared by the runs of one sweep."""

    overrides: tuple[str, ...]
    created: float
    """Seconds since the epoch."""

    note: str | None
    """Why the status may be out of date."""


def read_status(run: RunDir, *, queue: Queue | None = None) -> RunStatus:
    """The status of a run; without a queue, SLURM is not queried."""
    return read_all([run], queue=queue)[0]


def read_all(runs: Sequence[RunDir], *, queue: Queue | None = None) -> list[RunStatus]:
    """The status of several runs; SLURM is queried once, for jobs without a recorded end."""
    records = [read_run_records(run) for run in runs]
    snapshot = query_slurm(records, queue=queue)
    statuses = [status_of(each, snapshot=snapshot) for each in records]
    for index, status in enumerate(statuses):
        if status.state == "lost":
            # It may have recorded its end after its records were read.
            statuses[index] = status_of(read_run_records(runs[index]), snapshot=snapshot)
    return statuses


def query_slurm(records: Sequence[Records], *, queue: Queue | None) -> QueueSnapshot:
    """What SLURM reports about the jobs of some runs whose end is not recorded."""
    jobs = {job for each in records for job in open_jobs(each)}
    if not jobs:
        return QueueSnapshot()
    if queue is None:
        return QueueSnapshot(problem="SLURM was not queried.")
    try:
        snapshot = QueueSnapshot(queue=queue.states(jobs))
    except SlurmError as error:
        return QueueSnapshot(problem=error.problem)
    lost = [each for each in records if status_of(each, snapshot=snapshot).state == "lost"]
    gone = {job for each in lost for job in open_jobs(each)} - snapshot.queue.keys()
    try:
        return QueueSnapshot(queue=snapshot.queue, accounts=queue.accounting(gone))
    except SlurmError:
        return snapshot


def open_jobs(records: Records) -> list[str]:
    """Jobs of a run, the newest of each stage, whose end is not recorded."""
    final = _recorded_end(records.events) is not None
    return [
        event["job"]
        for stage, event in records.newest_jobs().items()
        if not (final and stage in RUN_STAGES) and records.stage_end(event) is None
    ]


def status_of(records: Records, *, snapshot: QueueSnapshot) -> RunStatus:
    """The status of a run from its records and from SLURM's queue."""
    attempts, newest = _attempts(records), records.newest
    state = _state(records, attempts, snapshot=snapshot)
    jobs = tuple(
        job_status(records, event, run_over=state in OVER, snapshot=snapshot)
        for event in records.newest_jobs().values()
    )
    end = _last_end(records) if state in ("failed", "crash_loop", "restarting") else {}
    note = None
    if snapshot.problem is not None and open_jobs(records):
        note = f"SLURM is unavailable: {snapshot.problem} Showing the run's own records."
    steps = [event["steps"] for event in records.of_kind("attempt_started", "data_prepared")]
    return RunStatus(
        name=records.name,
        state=state,
        reason=_reason(records, jobs, state=state, snapshot=snapshot),
        step=int(newest.get("step", 0)),
        steps=steps[-1] if steps else None,
        loss=newest.get("train/loss"),
        tokens_per_s=newest.get("throughput/tokens_per_s"),
        eta_s=newest.get("time/eta_s"),
        attempts=attempts,
        jobs=jobs,
        error=end.get("cause"),
        remedy=end.get("remedy"),
        corrupt_checkpoints=tuple(e["problem"] for e in records.of_kind("checkpoint_corrupt")),
        wandb_url=records.wandb_url,
        sweep=next((e["sweep"] for e in records.of_kind("job_submitted") if "sweep" in e), None),
        overrides=records.overrides,
        created=records.created,
        note=note,
    )


def _attempts(records: Records) -> tuple[AttemptStatus, ...]:
    ends = {event["attempt"]: event for event in records.of_kind("attempt_finished")}
    return tuple(
        AttemptStatus(
            number=event["attempt"],
            started=event["time"],
            world_size=event["world_size"],
            hosts=tuple(event.get("hosts") or [event["host"]]),
            job=event.get("job"),
            outcome=end.get("outcome"),
            checkpoint=end.get("checkpoint"),
            cause=end.get("cause"),
            rank=end.get("rank"),
        )
        for event in records.of_kind("attempt_started")
        for end in [ends.get(event["attempt"], {})]
    )


def _state(
    records: Records, attempts: Sequence[AttemptStatus], *, snapshot: QueueSnapshot
) -> State:
    final = _recorded_end(records.events)
    if final is not None:
        return final
    if _is_on_cluster(records):
        return _cluster_state(records, attempts, snapshot=snapshot)
    if records.held:
        return "running"
    if not attempts:
        return "new"
    # A resume that was refused before it started leaves the state of the attempt before.
    return _FINAL.get(attempts[-1].outcome or "", "lost")


def _cluster_state(
    records: Records, attempts: Sequence[AttemptStatus], *, snapshot: QueueSnapshot
) -> State:
    jobs = records.newest_jobs()
    job = str(jobs["train"]["job"]) if "train" in jobs else ""
    own = [attempt for attempt in attempts if attempt.job == job]
    runs = bool(own) and own[-1].outcome is None
    if snapshot.problem is not None:
        return "running" if runs else "restarting" if own else "pending"
    train = snapshot.queue.get(job)
    prepare = snapshot.queue.get(jobs["prepare"]["job"]) if "prepare" in jobs else None
    if train is None and prepare is None:
        return "stopped" if _is_cancelled(records) else "lost"
    if train is not None and train.state not in WAITING:
        return "running" if runs or not own else "restarting"
    if own:
        return "restarting"
    return "pending" if prepare is None or prepare.state in WAITING else "preparing"


def _recorded_end(events: Collection[Event]) -> State | None:
    """How the run ended since it was last requested; None: no end is recorded."""
    state: State | None = None
    for event in events:
        match event.get("event"):
            case "run_requested" | "attempt_started":
                state = None
            case "attempt_finished":
                state = _FINAL.get(event["outcome"])
            case "submit_failed":
                state = "stopped"
            case "stage_finished" if event["stage"] in RUN_STAGES and event["exit_code"]:
                state = _BY_EXIT_CODE.get(event["exit_code"], "failed")
    return state


_BY_EXIT_CODE: dict[int, State] = {
    CrashLoopError.exit_code: "crash_loop",
    RequeueError.exit_code: "stopped",
}

_FINAL: dict[str, State] = {state: state for state in OVER if state != "lost"}


def _last_end(records: Records) -> Event:
    """The event of the newest end of an attempt or of the preparation; empty without one."""
    ends = records.of_kind("attempt_finished", "stage_finished")
    return next((end for end in reversed(ends) if end.get("stage", "train") in RUN_STAGES), {})


def _is_on_cluster(records: Records) -> bool:
    """Whether the run was last started on a cluster rather than here."""
    on_cluster = False
    for event in records.of_kind("job_submitted", "attempt_started"):
        if event["event"] == "job_submitted":
            on_cluster |= event["stage"] in RUN_STAGES
        elif "job" not in event:
            on_cluster = False
    return on_cluster


def _is_cancelled(records: Records) -> bool:
    """Whether the run was cancelled since it was last requested."""
    requests = records.of_kind("run_requested", "cancel_requested")
    return bool(requests) and requests[-1]["event"] == "cancel_requested"


def _reason(
    records: Records, jobs: Sequence[JobStatus], *, state: State, snapshot: QueueSnapshot
) -> str | None:
    """What a run on a cluster waits for, or what is known about its loss."""
    if not _is_on_cluster(records) or snapshot.problem is not None:
        return None
    if state == "running" and _is_cancelled(records):
        now = records.of_kind("cancel_requested")[-1].get("now")
        return "it was cancelled" if now else "it was asked to save a checkpoint and stop"
    queued = {job.stage: job for job in jobs if job.stage in RUN_STAGES and job.state is not None}
    clauses = []
    if state == "running" and "train" in queued and queued["train"].state != "RUNNING":
        clauses.append(f"its job is {queued['train'].summary}")
    if state in ("pending", "preparing", "restarting"):
        prepare = queued.pop("prepare", None)
        clauses += [job.summary for job in queued.values()]
        clauses += [] if prepare is None else [f"job {prepare.job}: {prepare.summary}"]
    if state == "lost":
        ended = [job for job in jobs if job.stage in RUN_STAGES and job.job in snapshot.accounts]
        clauses += [f"job {job.job} ({job.stage}) {job.summary}" for job in ended]
        if any(job.stage == "prepare" and "COMPLETED" not in job.summary for job in ended):
            clauses.append(f"see `ftdist logs {records.name} --stage prepare`")
        failed = records.of_kind("requeue_failed")
        clauses += [f"requeue failed: {event['cause']}" for event in failed]
    return "; ".join(clauses) or None
