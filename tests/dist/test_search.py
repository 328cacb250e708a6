"""`ftdist sweep` on real runs: it goes on after an earlier search, and names the best."""

import json
from pathlib import Path

import pytest
from ftdist_launch.sweeps.records import record_trial, trials_of
from ftdist_launch.sweeps.scores import HELD_OUT
from ftdist_launch.sweeps.search_records import SearchRecords

from ftdist.config.search_space import read_search_space
from ftdist.rundir import RunDir
from tests.dist.test_end_to_end import ftdist

KEYS = (
    *("experiment=tiny", "run.name=s", "optim.peak_lr=interval(1e-3,9e-3)", "tracking=off"),
    *("train.epochs=null", "train.steps=2", "cluster.tasks_per_node=1"),
)


def test_a_search_continues_after_its_first_trial_with_a_real_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with SearchRecords(space=read_search_space(KEYS), score=HELD_OUT, seed=1).exclusive():
        first = RunDir(tmp_path / "runs" / "s-peak_lr-0.002")
        first.create(private=True)
    first.config.write_text("")
    record_trial(first, sweep="s", number=1, swept={"optim.peak_lr": "0.002"})
    first.append_event("attempt_started", attempt=1, world_size=1, steps=2, host="h")
    first.append_event("attempt_finished", attempt=1, outcome="done", checkpoint=2)
    first.metrics.write_text('{"step": 2, "eval/held_out_loss": 9.0}\n')

    done = ftdist(tmp_path, "sweep", *KEYS, "--trials", "2")
    assert done.returncode == 0, done.stderr
    old, new = trials_of("s", root=tmp_path / "runs")
    assert (old.value, new.number) == (9.0, 2)
    rate = new.swept["optim.peak_lr"]
    assert 1e-3 <= float(rate) <= 9e-3
    assert new.run.name == f"s-peak_lr-{rate}"
    assert f"optim.peak_lr={rate}" in new.run.overrides.read_text().splitlines()
    assert (
        json.loads(new.run.metrics.read_text().splitlines()[-1])["eval/held_out_loss"] == new.value
    )
    assert f"Best: {new.run.name}, held_out_loss {new.value:.4f} (lower is better)" in done.stdout
