"""Runs of a sweep: what was swept, their scores, the best."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ftdist_launch.sweeps.records import mark_best, record_trial, trials_of
from ftdist_launch.sweeps.scores import HELD_OUT, SweepScore, find_score, read_score, score_names

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.compose import compose
from ftdist.config.saved_config import save_config
from ftdist.errors import ConfigError
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.models.fake_checkpoints import save


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


def test_the_best_finished_run_of_a_sweep_is_marked(tmp_path: Path) -> None:
    for number, values in enumerate(
        ((5.0, 3.0), (4.0, 2.5), (), (float("nan"),), (4.0, 2.0)), start=1
    ):
        make_trial(tmp_path, number, *values)
    right = find_score("eval/fact_accuracy_ranked")
    for number in (1, 2, 3):
        make_trial(tmp_path, number, number / 4, sweep="t", score=right)
    alone = RunDir(tmp_path / "alone")
    alone.create(private=True)
    alone.config.write_text("")

    states = {f"s-{number}": "done" for number in (1, 2, 3, 4)} | {"s-5": "failed"}
    losses = mark_best(trials_of("s", root=tmp_path), states=states)
    assert [trial.run.name for trial in losses if trial.is_best] == ["s-2"]  # s-5 did not finish
    assert [losses[0].value, losses[1].value, losses[2].value] == [3.0, 2.5, None]
    assert losses[0].swept_text == "peak_lr=1e-5"

    shares = trials_of("t", root=tmp_path)
    assert [trial.number for trial in shares] == [1, 2, 3]
    done = dict.fromkeys((trial.run.name for trial in shares), "done")
    assert [trial.is_best for trial in mark_best(shares, states=done)] == [False, False, True]
    assert not any(trial.is_best for trial in mark_best(shares, states={}))


def test_a_run_is_scored_at_its_best_checkpoint_if_that_is_exported(tmp_path: Path) -> None:
    run = make_trial(tmp_path, 1, 5.0, 2.0, 3.0, 4.0)  # at steps 2, 3, 4 and 5
    assert read_score(run, HELD_OUT) == 4.0
    store = CheckpointStore(run.checkpoints, keep=2)
    for step in (3, 5):
        save(store, step)
    store.keep_best(3)
    config = compose(["run.name=r", "model.path=/m", "library.path=/l"])
    save_config(config, run.config)
    assert read_score(run, HELD_OUT) == 2.0
    newest = replace(config, export=replace(config.export, checkpoint="newest"))
    save_config(newest, run.config)
    assert read_score(run, HELD_OUT) == 4.0


def test_metrics_that_have_not_changed_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, reads = make_trial(tmp_path, 1, 5.0), list[Path]()
    make_trial(tmp_path, 1, 5.0, sweep="other")

    def counted(path: Path) -> list[dict[str, float]]:
        reads.append(path)
        return read_metrics(path)

    monkeypatch.setattr("ftdist_launch.sweeps.scores.read_metrics", counted)
    for _ in range(3):
        assert [trial.value for trial in trials_of("s", root=tmp_path)] == [5.0]
    assert reads == [run.metrics]
    with run.metrics.open("a") as file:
        file.write('{"step": 9, "eval/held_out_loss": 1.0}\n')
    assert [trial.value for trial in trials_of("s", root=tmp_path)] == [1.0]


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
