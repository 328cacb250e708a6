"""What `ftdist resume` does before it plans."""

from pathlib import Path

import pytest
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.lock import RunLockedError, run_lock

from ftdist.api.resume import _moved, _remove_stop_file, resume_run
from ftdist.config.saved_config import save_config
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import slurm_config


@pytest.mark.fault("L12")
def test_the_stop_file_is_removed_and_that_is_said(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.stop.touch()
    lines: list[str] = []
    for _ in range(2):
        _remove_stop_file(run, log=lines.append)
    assert lines == [f"Removed {run.stop}, which had stopped the run."]
    assert not run.was_cancelled()


@pytest.mark.fault("L12", "L13")
def test_a_resume_that_is_refused_leaves_the_stop_file_where_it_is(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    save_config(slurm_config(), run.config)
    run.stop.touch()
    with run_lock(run), pytest.raises(RunLockedError):
        resume_run(run, [], supervise=Supervisor, log=print)
    assert run.stop.exists()


def test_a_model_that_moved_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    assert _moved("m", "/scratch/m") == str(tmp_path / "m")
    assert _moved("m", "m") == "m"  # not overridden: it may be a name on the Hub
    assert _moved("owner/name", "/scratch/m") == "owner/name"
