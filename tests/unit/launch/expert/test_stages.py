"""The stages of `ftdist expert`, from hand-written events."""

from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.expert.stages import LOST, Stage, read_stages, stage_with_log, stages_of
from ftdist_launch.slurm.job_status import JobStatus

from ftdist.rundir import RunDir
from tests.support.slurm.records import Event, cancel_requested, job_submitted, make_run

NAMES = ("curate", "prepare", "train", "export", "compare")
JOBS = tuple(
    job_submitted(name, str(10 + index), *([str(9 + index)] if index else []))
    for index, name in enumerate(NAMES)
)


def planned(*, skipped: tuple[str, ...] = (), reused: tuple[str, ...] = ()) -> Event:
    lists = {"stages": list(NAMES), "skipped": list(skipped), "reused": list(reused)}
    return {"event": "stages_planned", "time": 1.0, **lists}


def started(stage: str, time: float, **more: Any) -> Event:
    return {"event": "stage_started", "stage": stage, "time": time, **more}


def finished(stage: str, time: float, code: int = 0, **more: Any) -> Event:
    return {"event": "stage_finished", "stage": stage, "time": time, "exit_code": code, **more}


def attempt(number: int, time: float, outcome: str | None = None, **more: Any) -> Event:
    kind = "attempt_started" if outcome is None else "attempt_finished"
    output = {} if outcome is None else {"outcome": outcome}
    return {"event": kind, "attempt": number, "time": time, **output, **more}


def states(stages: tuple[Stage, ...]) -> list[str]:
    return [stage.state for stage in stages]


def test_a_plain_run_has_no_stages(tmp_path: Path) -> None:
    run = make_run(tmp_path, attempt(1, 1.0))
    assert read_stages(run) == ()
    assert read_stages(RunDir(tmp_path / "none")) == ()


def test_each_stage_waits_runs_and_ends_with_its_job_and_its_seconds() -> None:
    events = [planned(), *JOBS]
    assert states(stages_of(events, held=False, now=0.0)) == ["waiting"] * 5
    events += [started("curate", 10.0, job="10"), finished("curate", 14.5, job="10")]
    events += [started("prepare", 15.0, job="11")]
    stages = stages_of(events, held=False, now=18.0)
    assert states(stages) == ["done", "running", "waiting", "waiting", "waiting"]
    assert [stage.job for stage in stages] == ["10", "11", "12", "13", "14"]
    assert [stage.seconds for stage in stages] == [4.5, 3.0, None, None, None]


def test_a_requeued_training_adds_up_the_seconds_of_its_attempts() -> None:
    events = [planned(skipped=("curate",)), *JOBS[1:], finished("prepare", 2.0, job="11")]
    events += [attempt(1, 10.0, job="12"), attempt(1, 14.0, "requeue")]
    (curate, prepare, train, *_) = stages_of(events, held=False, now=20.0)
    assert (curate.state, prepare.state, train.state) == ("skipped", "done", "waiting")
    events += [attempt(2, 21.0, job="12")]
    train = stages_of(events, held=False, now=23.0)[2]
    assert (train.state, train.job, train.seconds) == ("running", "12", 6.0)


def test_a_training_that_resumes_adds_the_seconds_before_it_was_stopped() -> None:
    events = [planned(), attempt(1, 10.0), attempt(1, 14.0, "stopped")]
    events += [planned(reused=("curate", "prepare")), attempt(2, 20.0), attempt(2, 23.0, "done")]
    train = stages_of(events, held=True, now=30.0)[2]
    assert (train.state, train.seconds) == ("done", 7.0)


def test_logs_are_of_the_newest_stage_that_has_one() -> None:
    events = [planned()]
    assert stage_with_log(stages_of(events, held=True, now=0.0)) == "train"
    events += [started("curate", 1.0), finished("curate", 2.0), started("prepare", 2.0)]
    assert stage_with_log(stages_of(events, held=True, now=3.0)) == "curate"
    events += [finished("prepare", 4.0), attempt(1, 5.0)]
    assert stage_with_log(stages_of(events, held=True, now=6.0)) == "train"


def test_what_follows_a_failed_stage_is_not_started_and_names_it() -> None:
    end = finished("prepare", 5.0, 65, job="11", cause="No rows.", remedy="add rows.")
    events = [planned(), *JOBS, finished("curate", 4.0, job="10"), end]
    _, prepare, train, _, compare = stages_of(events, held=False, now=9.0)
    assert (prepare.state, prepare.problem, prepare.remedy) == ("failed", "No rows.", "add rows.")
    assert (train.state, train.problem) == ("not started", "Stage prepare failed.")
    assert compare.state == "not started"


def test_cancelled_runs_keep_what_is_done_and_cancel_what_waits() -> None:
    events = [planned(), *JOBS, finished("curate", 4.0, job="10"), cancel_requested()]
    assert states(stages_of(events, held=False, now=9.0)) == [
        "done",
        "cancelled",
        *["not started"] * 3,
    ]


def test_the_next_command_starts_anew_but_for_what_it_keeps() -> None:
    events = [planned(), started("curate", 1.0), finished("curate", 3.0), started("prepare", 3.0)]
    events += [finished("prepare", 4.0, 65, cause="No rows.")]
    events += [planned(reused=("curate",))]
    curate, prepare, *_ = stages_of(events, held=True, now=9.0)
    assert (curate.state, curate.seconds) == ("done", 2.0)
    assert (prepare.state, prepare.problem) == ("waiting", None)


@pytest.mark.parametrize(("held", "state"), [(True, "running"), (False, "failed")])
def test_a_local_stage_whose_command_was_killed_is_failed(held: bool, state: str) -> None:
    curate = stages_of([planned(), started("curate", 1.0)], held=held, now=3.0)[0]
    assert (curate.state, curate.problem) == (state, None if held else LOST)


def test_a_job_that_left_the_queue_without_an_end_is_not_shown_as_waiting() -> None:
    gone = [
        JobStatus(job="10", stage="curate", state=None, summary="ended as NODE_FAIL", over=True),
        JobStatus(job="11", stage="prepare", state=None, summary="ended as CANCELLED", over=True),
    ]
    events = [planned(), *JOBS, started("curate", 1.0, job="10")]
    curate, prepare, train, *_ = stages_of(events, jobs=gone, held=False, now=3.0)
    assert (curate.state, curate.problem) == ("failed", "Job 10: ended as NODE_FAIL.")
    assert (prepare.state, prepare.problem) == ("not started", "Job 11: ended as CANCELLED.")
    assert train.state == "not started"
