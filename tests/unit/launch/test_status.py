"""The status of a run from its records and SLURM's queue, and SLURM's reasons explained."""

import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.attempt_end import own_failure
from ftdist_launch.attempt_status import device_hours, read_attempts
from ftdist_launch.attempts import start_attempt
from ftdist_launch.expert.stages import STAGES, stages_of
from ftdist_launch.rank_failures import exited_silently
from ftdist_launch.restart_policy import Outcome
from ftdist_launch.run_records import TAIL_BYTES, newest_metrics, read_run_records
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError
from ftdist_launch.slurm.job_status import QueueSnapshot
from ftdist_launch.status import open_jobs, query_slurm, read_all, read_status, status_of

from ftdist.io.jsonl import append_json_line
from tests.support.runs.fake_runs import plan_of, slurm_config
from tests.support.slurm.records import (
    PREPARED,
    SUBMITTED,
    Event,
    attempt_finished,
    attempt_started,
    cancel_requested,
    job_submitted,
    make_run,
    queue_snapshot,
    records,
    run_requested,
    running_job,
    stage_finished,
    submit_failed,
    waiting_job,
)

COMPLETE = {"event": "training_complete", "attempt": 1, "step": 20, "signal": None}


@pytest.mark.parametrize(
    ("events", "held", "state"),
    [
        ((), False, "new"),
        ((run_requested("train"),), True, "running"),
        ((run_requested("train"),), False, "new"),
        ((run_requested("train"), attempt_started(1, job=None)), True, "running"),
        ((run_requested("train"), attempt_started(1, job=None)), False, "lost"),
        # Its supervisor was killed, and its ranks trained to the end; the second time they did not.
        ((attempt_started(1, job=None), COMPLETE), False, "done"),
        ((attempt_started(1, job=None), COMPLETE, attempt_started(2, job=None)), False, "lost"),
        ((attempt_started(1, job=None), attempt_finished(1, "requeue")), True, "running"),
        ((attempt_started(1, job=None), attempt_finished(1, "requeue")), False, "lost"),
        ((attempt_started(1, job=None), attempt_finished(1, "done")), False, "done"),
        (
            (attempt_started(1, job=None), attempt_finished(1, "done")),
            True,
            "done",
        ),  # it is being exported
        ((attempt_started(1, job=None), attempt_finished(1, "stopped")), False, "stopped"),
        ((attempt_started(1, job=None), attempt_finished(1, "failed")), False, "failed"),
        ((attempt_started(1, job=None), attempt_finished(1, "crash_loop")), False, "crash_loop"),
        (
            (attempt_started(1, job=None), attempt_finished(1, "failed"), run_requested("resume")),
            True,
            "running",
        ),
        (
            (attempt_started(1, job=None), attempt_finished(1, "failed"), run_requested("resume")),
            False,
            "failed",
        ),
        (
            (
                attempt_started(1, job=None),
                attempt_finished(1, "failed"),
                attempt_started(2, job=None),
            ),
            True,
            "running",
        ),
    ],
)
def test_state_of_a_run_on_this_machine(events: tuple[Event, ...], held: bool, state: str) -> None:
    assert status_of(records(*events, held=held), snapshot=QueueSnapshot()).state == state


# Runs on a cluster

TABLE: list[tuple[tuple[Event, ...], QueueSnapshot, str, str | None]] = [
    (
        SUBMITTED,
        queue_snapshot(waiting_job("11", "Priority"), waiting_job("12", "Dependency")),
        "pending",
        "waiting for job 11 (prepare) (Dependency); job 11: waiting behind jobs of higher priority "
        "(Priority)",
    ),
    (
        SUBMITTED,
        queue_snapshot(running_job("11"), waiting_job("12", "Dependency")),
        "preparing",
        "waiting for job 11 (prepare) (Dependency); job 11: running on n[1-2]",
    ),
    (
        PREPARED,
        queue_snapshot(waiting_job("12", "Resources", start="2026-11-24T01:00:00")),
        "pending",
        "waiting for free nodes (Resources), expected to start at 2026-11-24T01:00:00",
    ),
    (
        PREPARED,
        queue_snapshot(running_job("12", "CONFIGURING")),
        "running",
        "its job is configuring on n[1-2]",
    ),
    (
        (*PREPARED, attempt_started(1)),
        queue_snapshot(running_job("12", "COMPLETING")),
        "running",
        "its job is completing on n[1-2]",
    ),
    (
        (*PREPARED, attempt_started(1), cancel_requested(now=True)),
        queue_snapshot(running_job("12")),
        "running",
        "it was cancelled",
    ),
    (PREPARED, queue_snapshot(running_job("12")), "running", None),
    ((*PREPARED, attempt_started(1)), queue_snapshot(running_job("12")), "running", None),
    (
        (*PREPARED, attempt_started(1), cancel_requested()),
        queue_snapshot(running_job("12")),
        "running",
        "it was asked to save a checkpoint and stop",
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "requeue")),
        queue_snapshot(running_job("12", "COMPLETING")),
        "restarting",
        "completing on n[1-2]",
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "requeue")),
        queue_snapshot(waiting_job("12", "BeginTime")),
        "restarting",
        "restarting soon (BeginTime)",
    ),
    # SLURM took its nodes away, and no script could say so.
    (
        (*PREPARED, attempt_started(1)),
        queue_snapshot(waiting_job("12", "Resources")),
        "restarting",
        "waiting for free nodes (Resources)",
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "requeue"), attempt_started(2)),
        queue_snapshot(running_job("12")),
        "running",
        None,
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "done")),
        queue_snapshot(running_job("12", "COMPLETING")),
        "done",
        None,
    ),
    # Its export was rejected later; then a resume was.
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "done"), submit_failed("export")),
        queue_snapshot(),
        "done",
        None,
    ),
    ((*PREPARED, submit_failed("train")), queue_snapshot(), "stopped", None),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "stopped")),
        queue_snapshot(),
        "stopped",
        None,
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "failed")),
        queue_snapshot(),
        "failed",
        None,
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "crash_loop")),
        queue_snapshot(),
        "crash_loop",
        None,
    ),
    (
        (*SUBMITTED, stage_finished("prepare", "11", 78, "No rows.")),
        queue_snapshot(),
        "failed",
        None,
    ),
    (
        (*PREPARED, stage_finished("train", "12", 78, "Other code.")),
        queue_snapshot(),
        "failed",
        None,
    ),
    (
        (*PREPARED, stage_finished("train", "12", 99, "It stalled.")),
        queue_snapshot(),
        "crash_loop",
        None,
    ),
    ((*PREPARED, cancel_requested()), queue_snapshot(), "stopped", None),
    ((*PREPARED, attempt_started(1), cancel_requested()), queue_snapshot(), "stopped", None),
    ((*PREPARED, attempt_started(1)), queue_snapshot(), "lost", None),
    (
        (*PREPARED, attempt_started(1)),
        queue_snapshot(accounts={"12": ["NODE_FAIL", "TIMEOUT"]}),
        "lost",
        "job 12 (train) ended as TIMEOUT",
    ),
    (
        SUBMITTED,
        queue_snapshot(accounts={"11": ["OUT_OF_MEMORY"], "12": ["CANCELLED"]}),
        "lost",
        "job 11 (prepare) ended as OUT_OF_MEMORY; job 12 (train) ended as CANCELLED; see "
        "`ftdist logs r --stage prepare`",
    ),
    (
        (
            *(*PREPARED, attempt_started(1), attempt_finished(1, "requeue")),
            {"event": "requeue_failed", "cause": "`scontrol` gave no answer."},
        ),
        queue_snapshot(),
        "stopped",
        "SLURM did not requeue its job: `scontrol` gave no answer.",
    ),
    # Resumed: what earlier jobs did is past.
    (
        (
            *(*PREPARED, attempt_started(1), cancel_requested(), attempt_finished(1, "stopped")),
            *(run_requested("resume"), job_submitted("train", "15")),
        ),
        queue_snapshot(waiting_job("15", "QOSMaxJobsPerUserLimit")),
        "pending",
        "waiting: you run as many jobs as your QOS allows (QOSMaxJobsPerUserLimit)",
    ),
    # SLURM does not answer: the run's own records.
    (SUBMITTED, queue_snapshot(problem="No answer."), "pending", None),
    ((*PREPARED, attempt_started(1)), queue_snapshot(problem="No answer."), "running", None),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "requeue")),
        queue_snapshot(problem="-"),
        "restarting",
        None,
    ),
    (
        (*PREPARED, attempt_started(1), attempt_finished(1, "done")),
        queue_snapshot(problem="-"),
        "done",
        None,
    ),
]


@pytest.mark.parametrize(("events", "slurm", "state", "reason"), TABLE)
def test_state_of_a_run_on_a_cluster_and_what_it_waits_for(
    events: tuple[Event, ...], slurm: QueueSnapshot, state: str, reason: str | None
) -> None:
    status = status_of(records(*events), snapshot=slurm)
    assert (status.state, status.reason) == (state, reason)


def test_a_cluster_run_resumed_locally_shows_the_local_attempts() -> None:
    there = (*PREPARED, attempt_started(1), attempt_finished(1, "stopped"))
    here = (*there, run_requested("resume"), attempt_started(2, job=None))
    assert status_of(records(*here, held=True), snapshot=queue_snapshot()).state == "running"
    assert (
        status_of(records(*here, attempt_finished(2, "done")), snapshot=queue_snapshot()).state
        == "done"
    )
    back = (
        *here,
        attempt_finished(2, "stopped"),
        run_requested("resume"),
        job_submitted("train", "13"),
    )
    assert (
        status_of(records(*back), snapshot=queue_snapshot(waiting_job("13", "Resources"))).state
        == "pending"
    )


def test_a_note_says_that_slurm_is_unavailable() -> None:
    on_going, over = (
        (*PREPARED, attempt_started(1)),
        (*PREPARED, attempt_started(1), attempt_finished(1, "done")),
    )
    silent = queue_snapshot(problem="`squeue` gave no answer within 30 s.")
    assert status_of(records(*on_going), snapshot=silent).note == (
        "SLURM is unavailable: `squeue` gave no answer within 30 s. Showing the run's own records."
    )
    assert status_of(records(*over), snapshot=silent).note is None


def test_the_first_failing_rank_is_shown_with_its_remedy() -> None:
    end = attempt_finished(1, "failed", cause="The disk is full.", rank=3)
    events = (*PREPARED, attempt_started(1), end | {"remedy": "free some."})
    status = status_of(records(*events), snapshot=queue_snapshot())
    assert (status.error, status.remedy) == ("The disk is full.", "free some.")
    assert (status.attempts[0].rank, status.attempts[0].hosts) == (3, ("n1", "n2"))
    again = status_of(
        records(*events, run_requested("resume"), attempt_started(2)),
        snapshot=queue_snapshot(running_job("12")),
    )
    assert (again.error, again.remedy) == (None, None)


@pytest.mark.parametrize(
    ("events", "slurm", "expected"),
    [
        (
            (),
            queue_snapshot(waiting_job("20", "Dependency"), running_job("12")),
            (False, "waiting for job 12 (train)"),
        ),
        ((), queue_snapshot(running_job("20")), (False, "running on n[1-2]")),
        ((stage_finished("export", "20", 0),), queue_snapshot(), (True, "done")),
        (
            (stage_finished("export", "20", 74, "No room."),),
            queue_snapshot(),
            (True, "failed: No room."),
        ),
        ((), queue_snapshot(accounts={"20": ["TIMEOUT"]}), (True, "ended as TIMEOUT")),
        ((), queue_snapshot(), (True, "no longer in the queue")),
        ((), queue_snapshot(problem="-"), (False, "unknown")),
    ],
)
def test_jobs_of_other_stages_are_shown_too(
    events: tuple[Event, ...], slurm: QueueSnapshot, expected: tuple[bool, str]
) -> None:
    before = (*PREPARED, attempt_started(1), job_submitted("export", "20", "12"))
    status = status_of(records(*before, *events), snapshot=slurm)
    (job,) = [job for job in status.jobs if job.stage == "export"]
    assert (job.over, job.summary.removesuffix(" (Dependency)")) == expected
    assert [job.stage for job in status.jobs] == ["prepare", "train", "export"]


def test_only_jobs_without_a_recorded_end_are_queried() -> None:
    done = (*PREPARED, attempt_started(1), attempt_finished(1, "done"))
    assert open_jobs(records(*SUBMITTED)) == ["11", "12"]
    assert open_jobs(records(*PREPARED)) == ["12"]
    assert open_jobs(records(*done)) == []
    assert open_jobs(records(*done, job_submitted("export", "20"))) == ["20"]
    resumed = (*done, run_requested("resume"), job_submitted("train", "15"))
    assert open_jobs(records(*resumed)) == ["15"]
    assert open_jobs(records(attempt_started(1, job=None))) == []
    # Requested again before its library was prepared: nothing depends on that job any more.
    again = (
        *SUBMITTED,
        cancel_requested(),
        run_requested("resume"),
        job_submitted("train", "15", "14"),
    )
    assert open_jobs(records(*again)) == ["15"]


def test_the_newest_values_are_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r")
    assert newest_metrics(run) == ({}, {})
    steps = TAIL_BYTES // 20
    evaluated = [{"step": 1, "eval/held_out_loss": 3.0, "eval/general_nll": 4.0}]
    evaluated += [{"step": 2, "eval/held_out_loss": 1.0}]
    rows = [json.dumps(row) for row in evaluated]
    rows += [json.dumps({"step": step, "train/loss": 2.0}) for step in range(steps)]
    run.metrics.write_text("\n".join([*rows, '{"step": 12, "train/lo']))
    row, evals = newest_metrics(run)
    assert row["step"] == steps - 1
    assert evals == {"eval/held_out_loss": 1.0, "eval/general_nll": 4.0}


PLANNED: Event = {"event": "stages_planned", "stages": STAGES, "skipped": (), "reused": ()}


def test_device_hours_are_ranks_times_the_time_of_all_attempts(tmp_path: Path) -> None:
    """4 ranks for 100 s, 4 for 50 s until the next attempt began, and 2 for 75 s: 750 s in all."""
    events = (
        attempt_started(1, job=None, time=1000.0),
        attempt_finished(1, "requeue") | {"time": 1100.0},
        attempt_started(2, job=None, time=2000.0),
        attempt_started(3, job=None, time=2050.0, world_size=2),
    )
    given = records(*events, newest={"step": 9, "train/loss": 2.0, "time": 2125.0})
    status = status_of(given, snapshot=queue_snapshot())
    assert status.state == "lost"
    assert status.device_hours == pytest.approx(750 / 3600)
    assert [attempt.ended for attempt in status.attempts] == [1100.0, 2050.0, None]


def test_hours_between_the_loss_of_a_machine_and_the_next_start_are_not_counted(
    tmp_path: Path,
) -> None:
    """2 ranks measured for 30 s after the start, then a reboot: 60 s, whenever it resumes."""
    run = make_run(tmp_path / "r")
    run.append_event("attempt_started", attempt=1, world_size=2, steps=3, host="h")
    run.attempt(1).mkdir()
    (begun,) = [event["time"] for event in run.read_events()]
    append_json_line(run.attempt(1) / "system-h.jsonl", {"time": begun - 99.0})
    append_json_line(run.attempt(1) / "system-h.jsonl", {"time": begun + 30.0})
    append_json_line(run.metrics, {"step": 1, "attempt": 1, "time": begun + 20.0})
    append_json_line(run.metrics, {"step": 2, "attempt": 2, "time": begun + 40.0})
    config = slurm_config()
    start_attempt(run, config, plan_of(config, ranks=2))
    attempts = read_attempts(read_run_records(run))
    assert attempts[0].ended == begun + 30.0
    assert device_hours(attempts[:1], now=0.0) == pytest.approx(60 / 3600)
    events = list(run.read_events())
    (train,) = (
        s
        for s in stages_of([PLANNED, *events], held=True, now=events[-1]["time"])
        if s.name == "train"
    )
    assert train.seconds == pytest.approx(30.0)


class FakeQueue(Queue):
    """Answers from a table and records the queries."""

    def __init__(self, *jobs: QueuedJob, accounts: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        object.__setattr__(self, "jobs", {job.job: job for job in jobs})
        object.__setattr__(self, "accounts", accounts)
        object.__setattr__(self, "questions", [])

    def states(self, jobs: Any) -> dict[str, QueuedJob]:
        self.questions.append(sorted(jobs))  # type: ignore[attr-defined]
        known: dict[str, QueuedJob] = self.jobs  # type: ignore[attr-defined]
        return {job: known[job] for job in jobs if job in known}

    def accounting(self, jobs: Any) -> dict[str, list[str]]:
        if self.accounts is None:  # type: ignore[attr-defined]
            raise SlurmError("There are no accounts.", remedy="do without.")
        return {job: self.accounts[job] for job in jobs}  # type: ignore[attr-defined]


def test_slurm_is_queried_once_for_all_runs_and_not_for_finished_ones(tmp_path: Path) -> None:
    over = make_run(tmp_path / "a", *PREPARED, attempt_started(1), attempt_finished(1, "done"))
    queue = FakeQueue(running_job("12"))
    assert read_status(over, queue=queue).state == "done"
    assert queue.questions == []  # type: ignore[attr-defined]
    waiting = make_run(tmp_path / "b", run_requested(), job_submitted("train", "14"))
    running = make_run(tmp_path / "c", *PREPARED, attempt_started(1))
    states = [status.state for status in read_all([over, waiting, running], queue=queue)]
    assert states == ["done", "lost", "running"]
    assert queue.questions == [["12", "14"]]  # type: ignore[attr-defined]


def test_accounting_is_queried_for_lost_jobs_only_and_may_be_missing() -> None:
    lost = records(*PREPARED, attempt_started(1))
    assert query_slurm([lost], queue=FakeQueue(accounts={"12": ["TIMEOUT"]})).accounts == {
        "12": ["TIMEOUT"]
    }
    assert query_slurm([lost], queue=FakeQueue()) == QueueSnapshot()
    assert query_slurm([lost], queue=None) == QueueSnapshot(problem="SLURM was not queried.")


def test_a_run_that_ends_during_the_query_is_not_lost(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", *PREPARED, attempt_started(1))

    class Ending(FakeQueue):
        def states(self, jobs: Any) -> dict[str, QueuedJob]:
            run.append_event("attempt_finished", attempt=1, outcome="done")
            return super().states(jobs)

    assert read_status(run, queue=Ending()).state == "done"


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        ("stopped", None),
        ("superseded", None),
        ("requeue", "Rank 0 exited without an error report; it was probably killed."),
    ],
)
def test_a_rank_that_a_stop_ended_is_no_failure(outcome: Outcome, cause: str | None) -> None:
    silent = exited_silently(0, time=1.0, log=Path("rank0.log"))
    failure = own_failure(silent, outcome=outcome)
    assert (None if failure is None else failure.problem) == cause
