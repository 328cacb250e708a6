"""The state of a run, and what it waits for, from its records and SLURM's queue."""

from collections.abc import Collection, Sequence
from typing import Literal

from ftdist.errors import CrashLoopError
from ftdist_launch.attempt_status import AttemptStatus
from ftdist_launch.run_records import RUN_STAGES, Event, Records, stage_outcome
from ftdist_launch.slurm.job_status import WAITING, JobStatus, QueueSnapshot

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
"""new: never started; pending: in the queue; preparing: its library is being
curated or tokenised;
restarting: in the queue again; crash_loop: given up; lost: not running, and no end is recorded."""

EARLY_STAGES = ("curate", "prepare")
"""Stages before training."""

OVER: tuple[State, ...] = ("done", "stopped", "failed", "crash_loop", "lost")
"""Final states, until a user resumes the run."""


def run_state(
    records: Records, attempts: Sequence[AttemptStatus], *, snapshot: QueueSnapshot
) -> State:
    """The state of a run."""
    final = recorded_end(records.events)
    if final is not None:
        return final
    if _is_on_cluster(records):
        return _cluster_state(records, attempts, snapshot=snapshot)
    if records.held or records.unsupervised:
        return "running"
    if not attempts:
        return "lost" if records.of_kind("stage_started") else "new"
    # A resume that was refused before it started leaves the state of the attempt before.
    return _FINAL.get(attempts[-1].outcome or "", _lost_or_done(records, attempts))


def _lost_or_done(records: Records, attempts: Sequence[AttemptStatus]) -> State:
    """Done or stopped if the ranks came so far although what started them was gone."""
    if not attempts:
        return "lost"
    ends = records.of_kind("training_complete", "training_stopped")
    own = [end["event"] for end in ends if end["attempt"] == attempts[-1].number]
    states: dict[str, State] = {"training_complete": "done", "training_stopped": "stopped"}
    return states[own[-1]] if own else "lost"


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
    early = [snapshot.queue.get(jobs[name]["job"]) for name in EARLY_STAGES if name in jobs]
    preparing = [queued for queued in early if queued is not None]
    if train is None and not preparing:
        by_hand = bool(own) and snapshot.accounts.get(job, [""])[-1].startswith("CANCELLED")
        return "stopped" if by_hand or _is_cancelled(records) else _lost_or_done(records, attempts)
    if train is not None and train.state not in WAITING:
        return "running" if runs or not own else "restarting"
    if own:
        return "restarting"
    return "preparing" if any(q.state not in WAITING for q in preparing) else "pending"


def recorded_end(events: Collection[Event]) -> State | None:
    """How the run ended since it was last requested; None: no end is recorded."""
    state: State | None = None
    for event in events:
        match event.get("event"):
            case "run_requested" | "attempt_started":
                state = None
            case "attempt_finished" if event["outcome"] != "superseded":
                state = _FINAL.get(event["outcome"])
            case "requeue_failed":
                state = "stopped"
            case "submit_failed" if event.get("stage", "train") in RUN_STAGES:
                state = "stopped"
            case "stage_finished" if event["stage"] in RUN_STAGES:
                given_up = event["exit_code"] == CrashLoopError.exit_code
                outcome = "crash_loop" if given_up else stage_outcome(event)
                state = state if outcome == "done" else _FINAL[outcome]
    return state


_FINAL: dict[str, State] = {state: state for state in OVER if state != "lost"}


def last_end(records: Records) -> Event:
    """The event of the newest end of an attempt or of the preparation; empty without one."""
    ends = records.of_kind("attempt_finished", "stage_finished")
    ends = [end for end in ends if end.get("outcome") != "superseded"]
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


def waiting_reason(
    records: Records, jobs: Sequence[JobStatus], *, state: State, snapshot: QueueSnapshot
) -> str | None:
    """What a run waits for, or what is known about its loss."""
    if snapshot.problem is not None:
        return None
    if state == "running" and _is_cancelled(records):
        now = records.of_kind("cancel_requested")[-1].get("now")
        return "it was cancelled" if now else "it was asked to save a checkpoint and stop"
    if state == "running" and records.unsupervised:
        return (
            "without its `ftdist`, which has ended; its ranks go on, save at the end, and are not "
            "restarted if they fail"
        )
    if state == "stopped" and (failed := records.of_kind("requeue_failed")):
        return f"SLURM did not requeue its job: {failed[-1]['cause']}"
    if not _is_on_cluster(records):
        return None
    queued = {job.stage: job for job in jobs if job.stage in RUN_STAGES and job.state is not None}
    clauses = []
    if state == "running" and "train" in queued and queued["train"].state != "RUNNING":
        clauses.append(f"its job is {queued['train'].summary}")
    if state in ("pending", "preparing", "restarting"):
        early = [queued.pop(name) for name in EARLY_STAGES if name in queued]
        clauses += [job.summary for job in queued.values()]
        clauses += [f"job {job.job}: {job.summary}" for job in early[:1]]
    if state == "lost":
        ended = [job for job in jobs if job.stage in RUN_STAGES and job.job in snapshot.accounts]
        clauses += [f"job {job.job} ({job.stage}) {job.summary}" for job in ended]
        if any(job.stage == "prepare" and "COMPLETED" not in job.summary for job in ended):
            clauses.append(f"see `ftdist logs {records.name} --stage prepare`")
    return "; ".join(clauses) or None
