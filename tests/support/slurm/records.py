"""Hand-written events of runs and states of their SLURM jobs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftdist_launch.run_records import Records
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.job_status import QueueSnapshot

from ftdist.rundir import RunDir

Event = dict[str, Any]


def run_requested(by: str = "submit") -> Event:
    return {"event": "run_requested", "time": 1.0, "by": by}


def job_submitted(stage: str, job: str, *after: str, **more: Any) -> Event:
    return {"event": "job_submitted", "stage": stage, "job": job, "after": list(after), **more}


def submit_failed(stage: str) -> Event:
    return {"event": "submit_failed", "stage": stage, "time": 7.0, "cause": "The queue is full."}


def trial_recorded(sweep: str, swept: Mapping[str, str], *, score: str = "held_out_loss") -> Event:
    return {"event": "trial_recorded", "sweep": sweep, "trial": 1, "swept": swept, "score": score}


def attempt_started(attempt: int, *, job: str | None = "12", **more: Any) -> Event:
    place = {} if job is None else {"job": job, "hosts": ["n1", "n2"]}
    begun = {"attempt": attempt, "time": 5.0, "world_size": 4, "steps": 20, "host": "n1"}
    return {"event": "attempt_started", **begun, **place, **more}


def attempt_finished(
    attempt: int, outcome: str, cause: str | None = None, rank: int | None = None
) -> Event:
    output = {"outcome": outcome, "checkpoint": 10, "cause": cause, "rank": rank}
    return {"event": "attempt_finished", "attempt": attempt, **output}


def stage_finished(stage: str, job: str, code: int, cause: str | None = None) -> Event:
    output = {"stage": stage, "job": job, "exit_code": code, "cause": cause}
    return {"event": "stage_finished", **output}


def cancel_requested(*, now: bool = False) -> Event:
    return {"event": "cancel_requested", "by": "cancel", "now": now}


def waiting_job(job: str, reason: str, *, start: str = "N/A") -> QueuedJob:
    return QueuedJob(job=job, state="PENDING", reason=reason, nodes="", start=start)


def running_job(job: str, state: str = "RUNNING") -> QueuedJob:
    return QueuedJob(job=job, state=state, reason="None", nodes="n[1-2]", start="N/A")


def records(*events: Event, held: bool = False, **more: Any) -> Records:
    return Records(name="r", events=events, held=held, **{"newest": {}, "overrides": ()} | more)


def queue_snapshot(
    *jobs: QueuedJob, accounts: Mapping[str, list[str]] | None = None, problem: str | None = None
) -> QueueSnapshot:
    return QueueSnapshot(
        queue={job.job: job for job in jobs}, accounts=accounts or {}, problem=problem
    )


SUBMITTED = (run_requested(), job_submitted("prepare", "11"), job_submitted("train", "12", "11"))
PREPARED = (*SUBMITTED, stage_finished("prepare", "11", 0))


def make_run(root: Path, *events: Event) -> RunDir:
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text("run: {}\n")
    for event in events:
        fields = {name: value for name, value in event.items() if name not in ("event", "time")}
        run.append_event(event["event"], **fields)
    return run
