"""What `ftdist resume` does before it plans."""

from pathlib import Path

import pytest

from ftdist.api.resume import _remove_stop_file
from ftdist.rundir import RunDir


@pytest.mark.fault("L12")
def test_the_stop_file_is_removed_and_that_is_said(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.stop.touch()
    lines: list[str] = []
    for _ in range(2):
        _remove_stop_file(run, log=lines.append)
    assert lines == [f"Removed {run.stop}, which had stopped the run."]
    assert not run.was_cancelled()
