"""Checkpoints vanish between two attempts of real ranks: no run starts over by itself."""

import json
import shutil
from pathlib import Path

import pytest

from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import curve, make_run, run_attempt


@pytest.mark.fault("M1", "C5")
@pytest.mark.slow  # four attempts
@pytest.mark.timeout(900)
def test_ranks_refuse_to_start_over_until_the_user_says_so(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "r", ingredients, "checkpoint.every_steps=2", world_size=2, steps=4)
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    first = curve(run)
    rows = run.metrics.read_text()

    newest = run.checkpoints / "step-00000004"
    newest.rename(tmp_path / "kept")
    assert run_attempt(run_ranks, run, 2, world_size=2) == [74, 74]  # step 2 is there
    shutil.rmtree(run.checkpoints)
    assert run_attempt(run_ranks, run, 3, world_size=2) == [74, 74]
    assert run.metrics.read_text() == rows  # no step was computed

    run.append_event("restart_accepted", recorded=4, checkpoint=None, steps_lost=4)
    assert run_attempt(run_ranks, run, 4, world_size=2) == [0, 0]
    assert curve(run) == first  # from the beginning, bit for bit
    assert run.metrics.read_text().startswith(rows)
    assert [row["attempt"] for row in read_metrics(run.metrics)] == [4] * 4
    assert [e["step"] for e in events(run, "training_started")] == [0, 0]


def events(run: RunDir, kind: str) -> list[dict[str, object]]:
    return [e for e in map(json.loads, run.events.read_text().splitlines()) if e["event"] == kind]
