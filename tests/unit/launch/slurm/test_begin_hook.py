"""The batch script's first hook, on a run directory whose files changed since the last attempt."""

from pathlib import Path

import pytest
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.slurm import batch_hooks
from ftdist_launch.status import read_status

from tests.support.runs.fake_runs import launched_run


@pytest.mark.fault("M1", "C5")
def test_vanished_checkpoints_start_no_ranks_and_are_the_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launched_run(tmp_path)
    take_snapshot(run)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(batch_hooks, "LATE_S", 0.1)
    run.append_event("checkpoint_saved", step=14, attempt=1)
    assert batch_hooks.main(["begin", "train", str(run.root)]) == 74
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "14 steps would be lost" in shown.err
    assert "resume.restart=true" in shown.err
    assert run.newest_attempt() == 0
    assert read_status(run).state == "failed"
