"""The last lines of a run: the cause and the next command."""

from pathlib import Path

import pytest
from ftdist_launch.attempts import Finished
from ftdist_launch.rank_failures import RankFailure

from ftdist.cli.exit_messages import report_stage, report_training
from ftdist.rundir import RunDir

Captured = pytest.CaptureFixture[str]


def test_the_final_message_names_the_cause_and_the_next_command(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunDir(tmp_path / "runs" / "r")
    failure = RankFailure(
        rank=1,
        time=0.0,
        problem="The disk is full.",
        remedy="free some.",
        exit_code=74,
        traceback="",
        expected=True,
    )
    finished = Finished(outcome="failed", exit_code=74, failure=failure, step=5)
    assert report_training(finished, run=run) == 74
    assert capsys.readouterr().err.splitlines() == [
        "The disk is full.",
        "To fix: free some.",
        "Run r is resumable, last checkpoint: step 5. Fix this, then run `ftdist resume r`.",
    ]


def test_the_next_command_uses_a_path_for_runs_stored_elsewhere(
    tmp_path: Path, capsys: Captured
) -> None:
    finished = Finished(outcome="stopped", exit_code=130, failure=None, step=5)
    assert report_training(finished, run=RunDir(tmp_path / "r")) == 130
    assert f"`ftdist resume {tmp_path}/r`" in capsys.readouterr().err


def test_a_stopped_stage_lists_what_was_saved(tmp_path: Path, capsys: Captured) -> None:
    finished = Finished(outcome="stopped", exit_code=130, failure=None, step=5)
    assert report_stage(finished, run=RunDir(tmp_path / "r"), verb="export") == 130
    output = capsys.readouterr().err
    assert output == "`ftdist export` of run r was stopped; run it again: it starts over.\n"
    report_stage(finished, run=RunDir(tmp_path / "r"), verb="merge")
    assert "run it again: it reuses finished evaluations" in capsys.readouterr().err
    report_stage(finished, run=RunDir(tmp_path / "r"), verb="compare")
    assert "reuses the base's answers if they were complete" in capsys.readouterr().err
