"""The incremental reader of metrics agrees with the whole one."""

import json
import math
from pathlib import Path

from ftdist.observe.metric_history import MetricHistory, running_mean
from ftdist.observe.metrics import read_metrics


def test_it_agrees_with_read_metrics_at_every_line(tmp_path: Path) -> None:
    """Two attempts: the second repeats steps 2 and 3, and one step has two lines."""
    rows = [
        *({"step": step, "attempt": 1, "train/loss": float(step)} for step in (1, 2, 3)),
        {"step": 3, "attempt": 1, "eval/held_out_loss": 9.0},
        *({"step": step, "attempt": 2, "train/loss": -float(step)} for step in (2, 3, 4)),
        {"step": 4, "attempt": 2, "eval/held_out_loss": 8.0},
    ]
    path = tmp_path / "metrics.jsonl"
    history = MetricHistory(path)
    assert history.update() == []
    for row in rows:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        assert history.update() == read_metrics(path)
    assert [row["train/loss"] for row in history.update()] == [1.0, -2.0, -3.0, -4.0]


def test_the_running_mean_covers_the_last_steps() -> None:
    assert running_mean([4.0, 2.0, 6.0, 0.0], steps=2) == [4.0, 3.0, 4.0, 3.0]


def test_a_loss_that_is_not_finite_leaves_the_running_mean_of_the_others() -> None:
    means = running_mean([math.nan, 4.0, math.inf, 2.0, 6.0], steps=3)
    assert math.isnan(means[0])
    assert means[1:] == [4.0, 4.0, 3.0, 4.0]
