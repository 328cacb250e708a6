"""The directory of a new run: whole, or not there."""

from pathlib import Path

import pytest
from ftdist_launch.setup.run_setup import make_run_dir

from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import some_config


def test_a_directory_that_cannot_be_completed_frees_its_name(tmp_path: Path) -> None:
    config = some_config(f"run.root={tmp_path}")
    made: list[bool] = []

    def refuse(run: RunDir) -> None:
        made.append(run.exists())
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        make_run_dir(config, overrides=["a=1"], on_made=refuse)
    assert made == [False]  # it was not a run yet
    assert list(tmp_path.iterdir()) == []
    run = make_run_dir(config, overrides=["a=1"], on_made=lambda run: made.append(run.exists()))
    assert (made, run.exists()) == ([False, False], True)
