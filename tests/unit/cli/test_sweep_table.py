"""The table of a sweep: what it counts as failed, and its best run."""

from pathlib import Path

import pytest
from ftdist_launch.sweeps.records import Trial, mark_best
from ftdist_launch.sweeps.scores import HELD_OUT

from ftdist.cli.sweep_table import print_sweep
from ftdist.rundir import RunDir


def test_only_failed_and_lost_runs_count_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("pending", "running", "stopped", "failed", "crash_loop", "lost", "done")
    states = {name: name for name in names}
    trials = [
        Trial(
            run=RunDir(Path(f"runs/{name}")),
            sweep="s",
            number=number,
            swept={"run.seed": str(number)},
            score=HELD_OUT,
            value=float(number),
        )
        for number, name in enumerate(names, 1)
    ]
    print_sweep("s", mark_best(trials, states=states), states=states)
    printed = capsys.readouterr().out
    assert "3 runs of 7 failed." in printed
    assert "Best: done, held_out_loss 7.0000 (lower is better)." in printed
    print_sweep("s", mark_best(trials, states={}), states={})
    assert "No finished run has a held_out_loss." in capsys.readouterr().out
