"""Runs of a sweep: what was swept, their scores, the best."""

import json
from pathlib import Path

import pytest
from ftdist_launch.sweeps.records import read_trials, record_trial, trials_of
from ftdist_launch.sweeps.scores import HELD_OUT, SweepScore, find_score, read_score, score_names

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir


def make_trial(
    root: Path, number: int, *values: float, sweep: str = "s", score: SweepScore = HELD_OUT
) -> RunDir:
    run = RunDir(root / f"{sweep}-{number}")
    run.create(private=True)
    run.config.write_text("")
    record_trial(
        run, sweep=sweep, number=number, swept={"optim.peak_lr": f"{number}e-5"}, score=score
    )
    metric = "eval/held_out_loss" if score == HELD_OUT else score.name
    rows = [{"step": 1}, *({"step": 2 + n, metric: value} for n, value in enumerate(values))]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_the_best_run_of_each_sweep_is_marked(tmp_path: Path) -> None:
    losses = [
        make_trial(tmp_path, number, *values)
        for number, values in ((1, (5.0, 3.0)), (2, (4.0, 2.5)), (3, ()), (4, (float("nan"),)))
    ]
    right = find_score("eval/fact_accuracy_ranked")
    shares = [make_trial(tmp_path, n, n / 4, sweep="t", score=right) for n in (1, 2, 3)]
    alone = RunDir(tmp_path / "alone")
    alone.create(private=True)
    trials = read_trials([*losses, *shares, alone])
    assert {root.name: trial.value for root, trial in trials.items() if trial.is_best} == {
        "s-2": 2.5,
        "t-3": 0.75,
    }
    assert trials[losses[0].root].value == 3.0
    assert trials[losses[2].root].value is None
    assert trials[losses[0].root].swept_text == "peak_lr=1e-5"
    assert alone.root not in trials
    assert [trial.number for trial in trials_of("t", root=tmp_path)] == [1, 2, 3]


def test_the_direction_of_a_score_comes_from_the_score_table() -> None:
    assert find_score("held_out_loss").lower_is_better
    assert find_score("leak_rate").lower_is_better
    assert not find_score("fact_accuracy").lower_is_better
    assert find_score("eval/general_nll").lower_is_better
    needs = [name for name in score_names() if find_score(name).needs_comparison]
    assert "fact_accuracy" in needs
    assert not any(name.startswith("eval/") or name == "held_out_loss" for name in needs)
    with pytest.raises(ConfigError, match="no score 'accuracy'"):
        find_score("accuracy")


def test_a_comparison_score_is_read_from_scores_json(tmp_path: Path) -> None:
    run = make_trial(tmp_path, 1)
    score = find_score("fact_accuracy")
    assert read_score(run, score) is None
    rate = {"hits": 3, "n": 4, "low_95": 0.3, "high_95": 0.95}
    scores = {
        "base": {"fact_accuracy": 0.0},
        "tuned": {"fact_accuracy": 0.75},
        "intervals": {
            "base": {"fact_accuracy": {**rate, "hits": 0}},
            "tuned": {"fact_accuracy": rate},
        },
        "paired": {},
    }
    run.report.mkdir()
    (run.report / "scores.json").write_text(json.dumps(scores))
    assert read_score(run, score) == 0.75
