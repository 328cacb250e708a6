"""Ends of attempts that nothing recorded."""

import shutil
from pathlib import Path

import pytest
from ftdist_launch.attempts import JobExit, finish_attempt
from ftdist_launch.lost_attempts import record_lost_attempt
from ftdist_launch.slurm.client import Queue

from ftdist.errors import StorageError
from tests.support.runs.fake_runs import launched_run


@pytest.mark.fault("L12")
@pytest.mark.parametrize(("state", "outcome"), [("CANCELLED", "stopped"), ("NODE_FAIL", "requeue")])
def test_a_job_that_scancel_killed_with_its_batch_script_was_stopped_by_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, outcome: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/squeue")
    monkeypatch.setattr(Queue, "accounting", lambda _, jobs: {job: [state] for job in jobs})
    run = launched_run(tmp_path)
    run.attempt(1).mkdir(parents=True)
    run.append_event("attempt_started", attempt=1, world_size=2, job="7", checkpoint=None)
    record_lost_attempt(run)
    (end,) = [event for event in run.read_events() if event["event"] == "attempt_finished"]
    assert end["outcome"] == outcome
    if state == "CANCELLED":
        assert end["cause"] == "Its job was cancelled with `scancel`."


def test_a_run_folder_that_was_replaced_during_an_attempt_is_named(tmp_path: Path) -> None:
    run = launched_run(tmp_path)
    run.attempt(1).mkdir(parents=True)
    job_exit = JobExit(exit_codes=(0,), failure=None, out_of_memory=False)
    with pytest.raises(StorageError, match="no start of attempt 1"):
        finish_attempt(run, 1, job_exit, stop_signal=None, limit=3)
