"""The status of a run: a pure function of its records and of SLURM's queue."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ftdist.rundir import RunDir
from ftdist_launch.attempt_status import AttemptStatus, device_hours, read_attempts
from ftdist_launch.expert.stages import Stage, stages_of
from ftdist_launch.run_records import RUN_STAGES, Records, read_run_records
from ftdist_launch.run_state import (
    OVER,
    State,
    last_end,
    recorded_end,
    run_state,
    waiting_reason,
)
from ftdist_launch.slurm.client import QueuedJob, SlurmError
from ftdist_launch.slurm.job_status import JobStatus, QueueSnapshot, job_status
from ftdist_launch.sweeps.records import TRIAL, sweep_of

__all__ = ["OVER", "AttemptStatus", "RunStatus", "State", "query_slurm", "read_all", "read_status"]


@runtime_checkable
class JobQueries(Protocol):
    """What a status asks of SLURM: `ftdist_launch.slurm.client.Queue`, or one with a cache."""

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        """Those of `jobs` that are in the queue, by number."""

    def accounting(self, jobs: Collection[str]) -> dict[str, list[str]]:
        """The states of all starts of each job, oldest first."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The status of a run."""

    name: str
    path: str
    """The run directory."""

    state: State
    reason: str | None
    """What it waits for, or what is known about its loss."""

    step: int
    steps: int | None
    loss: float | None
    """Of the newest step, in nats per token."""

    held_out_loss: float | None
    """Newest, in nats per token."""

    evals: Mapping[str, float]
    """The newest value of every metric of the evaluations in training, by name."""

    scores: Mapping[str, float]
    """Of the tuned model in the comparison, by name; empty before it."""

    tokens_per_s: float | None
    mfu: float | None
    """Model FLOPs utilization, 0 to 1; None on CPUs and on GPUs of unknown speed."""

    peak_gib: float | None
    """Peak memory of the rank with the highest, in GiB."""

    eta_s: float | None
    device: str | None
    """"cpu" or "cuda"; None before the library is prepared."""

    device_hours: float
    """Hours of all ranks of all attempts: GPU-hours, or process-hours on CPUs."""

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

    swept: Mapping[str, str]
    """Its values of the swept keys; empty outside a sweep."""

    sweep_score: str | None
    """Name of the score by which the runs of its sweep are ranked."""

    stages: tuple[Stage, ...]
    """Of `ftdist expert`, in order; empty for other runs."""

    overrides: tuple[str, ...]
    created: float
    """Seconds since the epoch."""

    updated: float | None
    """When the newest step was recorded, seconds since the epoch."""

    note: str | None
    """Why the status may be out of date."""

    @property
    def is_over(self) -> bool:
        """Whether neither the training nor another stage of the run is going on or waiting."""
        going_on = any(stage.state in ("waiting", "running") for stage in self.stages)
        return self.state in OVER and not going_on


def read_status(run: RunDir, *, queue: JobQueries | None = None) -> RunStatus:
    """The status of a run; without a queue, SLURM is not queried."""
    return read_all([run], queue=queue)[0]


def read_all(runs: Sequence[RunDir], *, queue: JobQueries | None = None) -> list[RunStatus]:
    """The status of several runs; SLURM is queried once, for jobs without a recorded end."""
    records = [read_run_records(run) for run in runs]
    snapshot = query_slurm(records, queue=queue)
    statuses = [status_of(each, snapshot=snapshot) for each in records]
    for index, status in enumerate(statuses):
        if status.state == "lost":
            # It may have recorded its end after its records were read.
            statuses[index] = status_of(read_run_records(runs[index]), snapshot=snapshot)
    return statuses


def query_slurm(records: Sequence[Records], *, queue: JobQueries | None) -> QueueSnapshot:
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
    final = recorded_end(records.events) is not None
    return [
        event["job"]
        for stage, event in records.newest_jobs().items()
        if not (final and stage in RUN_STAGES) and records.stage_end(event) is None
    ]


def status_of(records: Records, *, snapshot: QueueSnapshot) -> RunStatus:
    """The status of a run from its records and from SLURM's queue."""
    attempts, newest = read_attempts(records), records.newest
    state = run_state(records, attempts, snapshot=snapshot)
    jobs = tuple(
        job_status(records, event, run_over=state in OVER, snapshot=snapshot)
        for event in records.newest_jobs().values()
    )
    end = last_end(records) if state in ("failed", "crash_loop", "restarting") else {}
    note = None
    if snapshot.problem is not None and open_jobs(records):
        problem = snapshot.problem.rstrip(".")
        note = f"SLURM is unavailable: {problem}. Showing the run's own records."
    steps = [event["steps"] for event in records.of_kind("attempt_started", "data_prepared")]
    trial = next(iter(records.of_kind(TRIAL)), {})
    updated = newest.get("time")
    alive = time.time() if state == "running" else updated or 0.0
    return RunStatus(
        name=records.name,
        path=records.path,
        state=state,
        reason=waiting_reason(records, jobs, state=state, snapshot=snapshot),
        step=int(newest.get("step", 0)),
        steps=steps[-1] if steps else None,
        **_measured(records),
        device=records.plan.get("device"),
        device_hours=device_hours(attempts, now=alive),
        attempts=attempts,
        jobs=jobs,
        error=end.get("cause"),
        remedy=end.get("remedy"),
        corrupt_checkpoints=tuple(e["problem"] for e in records.of_kind("checkpoint_corrupt")),
        wandb_url=records.wandb_url,
        sweep=sweep_of(records.events),
        swept=trial.get("swept", {}),
        sweep_score=trial.get("score"),
        stages=stages_of(
            records.events, jobs=jobs, held=records.held or records.unsupervised, now=time.time()
        ),
        overrides=records.overrides,
        created=records.created,
        updated=updated,
        note=note,
    )


def _measured(records: Records) -> dict[str, Any]:
    """The fields that come from the newest metrics."""
    newest = records.newest
    return {
        "loss": newest.get("train/loss"),
        "held_out_loss": records.newest_evals.get("eval/held_out_loss"),
        "evals": dict(records.newest_evals),
        "scores": dict(records.report_scores),
        "tokens_per_s": newest.get("throughput/tokens_per_s"),
        "mfu": newest.get("throughput/mfu"),
        "peak_gib": newest.get("memory/peak_gib"),
        "eta_s": newest.get("time/eta_s"),
    }
