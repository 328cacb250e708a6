"""`ftdist sweep` on real runs: trials, their scores, the best, and going on later."""

import json
from pathlib import Path

from ftdist_launch.sweeps.records import trials_of

from tests.dist.test_end_to_end import ftdist


def test_a_search_trains_trials_by_their_scores_and_continues_where_it_stopped(
    tmp_path: Path,
) -> None:
    words = ("sweep", "experiment=tiny", "run.name=s", "optim.peak_lr=interval(1e-3,9e-3)")
    short = ("train.epochs=null", "train.steps=2", "cluster.tasks_per_node=1", "tracking=off")
    first = ftdist(tmp_path, *words, *short, "--trials", "1")
    assert first.returncode == 0, first.stderr
    second = ftdist(tmp_path, *words, *short, "--trials", "2")
    assert second.returncode == 0, second.stderr
    trials = trials_of("s", root=tmp_path / "runs")
    assert [trial.number for trial in trials] == [1, 2]
    losses = [trial.value for trial in trials if trial.value is not None]
    best = trials[losses.index(min(losses))]
    assert f"Best: {best.run.name}, held_out_loss {best.value:.4f}" in second.stdout
    for trial in trials:
        rate = trial.swept["optim.peak_lr"]
        assert trial.run.name == f"s-peak_lr-{rate}"
        assert f"optim.peak_lr={rate}" in trial.run.overrides.read_text().splitlines()
        attempts = [e for e in trial.run.read_events() if e["event"] == "attempt_started"]
        assert len(attempts) == 1
        row = json.loads(trial.run.metrics.read_text().splitlines()[-1])
        assert row["eval/held_out_loss"] == trial.value
