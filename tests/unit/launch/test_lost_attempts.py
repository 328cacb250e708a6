"""Ends of attempts that nothing recorded."""

import shutil
from pathlib import Path

import pytest
from ftdist_launch.lost_attempts import record_lost_attempt
from ftdist_launch.slurm.client import Queue

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
