"""Where a run stands: a pure function of its records and of what SLURM says of its jobs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ftdist.errors import CrashLoopError, RequeueError
from ftdist.rundir import RunDir
from ftdist_launch.run_records import Event, Records, read_records
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.job_status import (
    JobStatus,
    QueueSnapshot,
    job_status,
    loss_told,
    unrest_told,
    waiting_told,
)
from ftdist_launch.slurm.reason_text import WAITING

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
"""new: never started; pending: in the queue; preparing: its library is tokenised; restarting: in
the queue once more; crash_loop: given up; lost: it is nowhere, and nobody wrote down its end."""

OVER: tuple[State, ...] = ("done", "stopped", "failed", "crash_loop", "lost")
"""States that nothing follows by itself."""

_OF_THE_RUN = ("prepare", "train")
"""Stages without which a run is not done; what else it is asked for comes beside it."""


@dataclass(frozen=True, kw_only=True)
class AttemptStatus:
    """One start of the run, and how it ended."""

    number: int
    started: float
    """Seconds since the epoch."""

    world_size: int
    hosts: tuple[str, ...]
    job: str | None
    """SLURM's number; None on a machine of one's own."""

    outcome: str | None
    """As `ftdist_launch.restart_policy.Outcome`; None: it runs, or ended without a word."""

    checkpoint: int | None
    """Step of the newest checkpoint at its end."""

    cause: str | None
    """Why it failed, where it did."""

    rank: int | None
    """The first rank that failed."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """Where a run stands."""

    name: str
    state: State
    why: str | None
    """What it waits for, or what is known of its being lost."""

    step: int
    steps: int | None
    loss: float | None
    tokens_per_s: float | None
    eta_s: float | None
    attempts: tuple[AttemptStatus, ...]
    jobs: tuple[JobStatus, ...]
    error: str | None
    """Why it does not run: the first failing rank's words."""

    remedy: str | None
    damaged: tuple[str, ...]
    """What was wrong with each checkpoint that was set aside."""

    wandb_url: str | None
    sweep: str | None
    """Name shared by the runs of one sweep."""

    overrides: tuple[str, ...]
    made: float
    """Seconds since the epoch."""

    note: str | None
    """What is doubtful about all this."""


def read_status(run: RunDir, *, queue: Queue | None = None) -> RunStatus:
    """Where a run stands.

    Args:
        run: to look at.
        queue: of the cluster; None: SLURM is not asked.
    """
    return read_all([run], queue=queue)[0]


def read_all(runs: Sequence[RunDir], *, queue: Queue | None = None) -> list[RunStatus]:
    """Where some runs stand; SLURM is asked once for all, and only where a run's end is open."""
    records = [read_records(run) for run in runs]
    seen = look(records, queue=queue)
    told = [status_of(each, seen=seen) for each in records]
    for place, status in enumerate(told):
        if status.state == "lost":
            # It may have ended, and said so, between the reading of its records and the question.
            told[place] = status_of(read_records(runs[place]), seen=seen)
    return told


def look(records: Sequence[Records], *, queue: Queue | None) -> QueueSnapshot:
    """What SLURM says of the jobs of some runs that have no end on record."""
    jobs = {job for each in records for job in open_jobs(each)}
    if not jobs:
        return QueueSnapshot()
    if queue is None:
        return QueueSnapshot(problem="SLURM was not asked.")
    try:
        seen = QueueSnapshot(queue=queue.states(jobs))
    except SlurmError as error:
        return QueueSnapshot(problem=error.problem)
    lost = [each for each in records if status_of(each, seen=seen).state == "lost"]
    gone = {job for each in lost for job in open_jobs(each)} - seen.queue.keys()
    try:
        return QueueSnapshot(queue=seen.queue, accounts=queue.accounting(gone))
    except SlurmError:
        return seen


def open_jobs(records: Records) -> list[str]:
    """Jobs of a run, the newest of each stage, that have no end on record."""
    final = _end_on_record(records.events) is not None
    return [
        event["job"]
        for stage, event in records.newest_jobs().items()
        if not (final and stage in _OF_THE_RUN) and records.stage_end(event) is None
    ]


def status_of(records: Records, *, seen: QueueSnapshot) -> RunStatus:
    """Where a run stands.

    Args:
        records: of the run.
        seen: what SLURM says.
    """
    attempts, newest = _attempts(records), records.newest
    state = _state(records, attempts, seen=seen)
    jobs = records.newest_jobs()
    cause = _cause(records) if state in ("failed", "crash_loop", "restarting") else None
    doubtful = seen.problem is not None and bool(open_jobs(records))
    note = None
    if doubtful:
        note = f"SLURM does not answer: {seen.problem} This is what the run itself has on record."
    return RunStatus(
        name=records.name,
        state=state,
        why=_why(records, state=state, seen=seen),
        step=int(newest.get("step", 0)),
        steps=_steps(records),
        loss=newest.get("train/loss"),
        tokens_per_s=newest.get("throughput/tokens_per_s"),
        eta_s=newest.get("time/eta_s"),
        attempts=attempts,
        jobs=tuple(
            job_status(records, event, over=state in OVER, seen=seen) for event in jobs.values()
        ),
        error=cause,
        remedy=None if cause is None else records.remedies.get(cause),
        damaged=tuple(
            str(event.get("problem", "A checkpoint was damaged."))
            for event in records.of_kind("checkpoint_corrupt")
        ),
        wandb_url=records.wandb_url,
        sweep=next((e["sweep"] for e in records.of_kind("job_submitted") if "sweep" in e), None),
        overrides=records.overrides,
        made=records.made,
        note=note,
    )


def _attempts(records: Records) -> tuple[AttemptStatus, ...]:
    ends = {event["attempt"]: event for event in records.of_kind("attempt_finished")}
    made: dict[int, AttemptStatus] = {}
    for event in records.of_kind("attempt_started"):
        ended = ends.get(event["attempt"], {})
        made[event["attempt"]] = AttemptStatus(
            number=event["attempt"],
            started=event["time"],
            world_size=event["world_size"],
            hosts=tuple(event.get("hosts") or [event["host"]]),
            job=event.get("job"),
            outcome=ended.get("outcome"),
            checkpoint=ended.get("checkpoint"),
            cause=ended.get("cause"),
            rank=ended.get("rank"),
        )
    return tuple(made[number] for number in sorted(made))


def _state(records: Records, attempts: Sequence[AttemptStatus], *, seen: QueueSnapshot) -> State:
    final = _end_on_record(records.events)
    if final is not None:
        return final
    if _is_of_a_cluster(records):
        return _cluster_state(records, attempts, seen=seen)
    if records.held:
        return "running"
    if not attempts:
        return "new"
    # Asked to go on, and refused before it began: it stands where it stood.
    return _FINAL.get(attempts[-1].outcome or "", "lost")


def _cluster_state(
    records: Records, attempts: Sequence[AttemptStatus], *, seen: QueueSnapshot
) -> State:
    jobs = records.newest_jobs()
    job = str(jobs["train"]["job"]) if "train" in jobs else ""
    own = [attempt for attempt in attempts if attempt.job == job]
    runs = bool(own) and own[-1].outcome is None
    if seen.problem is not None:
        return "running" if runs else "restarting" if own else "pending"
    train = seen.queue.get(job)
    prepare = seen.queue.get(jobs["prepare"]["job"]) if "prepare" in jobs else None
    if train is None and prepare is None:
        return "stopped" if _is_cancelled(records) else "lost"
    if train is not None and train.state not in WAITING:
        return "running" if runs or not own else "restarting"
    if own:
        return "restarting"
    return "pending" if prepare is None or prepare.state in WAITING else "preparing"


def _end_on_record(events: Collection[Event]) -> State | None:
    """How the run ended since it was last asked to go; None: it has not, or did not say so."""
    state: State | None = None
    for event in events:
        match event.get("event"):
            case "run_requested" | "attempt_started":
                state = None
            case "attempt_finished":
                state = _FINAL.get(event["outcome"])
            case "submit_failed":
                state = "stopped"
            case "stage_finished" if event["stage"] in _OF_THE_RUN and event["exit_code"]:
                state = _OF_STAGES.get(event["exit_code"], "failed")
    return state


_OF_STAGES: dict[int, State] = {
    CrashLoopError.exit_code: "crash_loop",
    RequeueError.exit_code: "stopped",
}

_FINAL: dict[str, State] = {
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
    "crash_loop": "crash_loop",
}


def _cause(records: Records) -> str | None:
    ends = records.of_kind("attempt_finished", "stage_finished")
    causes = [event.get("cause") for event in ends if event.get("stage", "train") in _OF_THE_RUN]
    return causes[-1] if causes else None


def _steps(records: Records) -> int | None:
    known = [
        e["steps"] for e in records.of_kind("attempt_started", "data_prepared") if "steps" in e
    ]
    return known[-1] if known else None


def _is_of_a_cluster(records: Records) -> bool:
    """Whether a cluster has the run since it was last asked to go, or had it before that."""
    since: list[Event] = []
    ever = False
    for event in records.events:
        if event.get("event") == "run_requested":
            since = []
        since.append(event)
        ever |= event.get("event") == "job_submitted" and event["stage"] in _OF_THE_RUN
    for event in since:
        if event.get("event") == "job_submitted" and event["stage"] in _OF_THE_RUN:
            return True
        if event.get("event") == "attempt_started" and "job" not in event:
            return False
    return ever and not records.held


def _is_cancelled(records: Records) -> bool:
    """Whether somebody asked for the end since the run was last asked to go."""
    wishes = records.of_kind("run_requested", "cancel_requested")
    return bool(wishes) and wishes[-1]["event"] == "cancel_requested"


def _why(records: Records, *, state: State, seen: QueueSnapshot) -> str | None:
    if not _is_of_a_cluster(records) or seen.problem is not None:
        return None
    if state == "running" and _is_cancelled(records):
        at_once = records.of_kind("cancel_requested")[-1].get("now")
        return "it was cancelled" if at_once else "it was asked to save and end"
    if state == "running":
        return unrest_told(records, seen=seen)
    if state in ("pending", "preparing", "restarting"):
        return waiting_told(records, seen=seen)
    return loss_told(records, seen=seen) if state == "lost" else None
