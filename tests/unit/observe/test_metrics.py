"""Contract 8: a step that was computed twice is seen once."""

import json
from pathlib import Path
from typing import Any

import pytest

from ftdist.observe.metrics import METRICS, last_recorded_step, read_metrics


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def row(step: int, attempt: int, loss: float, **more: float) -> dict[str, Any]:
    return {"step": step, "attempt": attempt, "train/loss": loss, **more}


def seen(path: Path) -> list[tuple[int, int, float]]:
    return [(row["step"], row["attempt"], row["train/loss"]) for row in read_metrics(path)]


def test_a_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    assert last_recorded_step(tmp_path / "metrics.jsonl") is None


def test_recomputed_steps_come_from_the_last_attempt(
    tmp_path: Path,
) -> None:
    """Attempt 1 reached step 4; the checkpoint was of step 2."""
    path = tmp_path / "metrics.jsonl"
    first = [row(step, 1, 5.0 - step) for step in (1, 2, 3, 4)]
    write(path, *first, row(3, 2, 2.5), row(4, 2, 1.5), row(5, 2, 0.5))
    assert seen(path) == [(1, 1, 4.0), (2, 1, 3.0), (3, 2, 2.5), (4, 2, 1.5), (5, 2, 0.5)]
    assert last_recorded_step(path) == 5


def test_steps_beyond_the_last_attempt_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, row(1, 1, 4.0), row(2, 1, 3.0), row(3, 1, 2.0), row(2, 2, 3.5))
    assert seen(path) == [(1, 1, 4.0), (2, 2, 3.5)]
    assert last_recorded_step(path) == 3


def test_late_rows_of_an_earlier_attempt_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, row(1, 2, 4.0), row(2, 2, 3.0), row(2, 1, 9.0))
    assert seen(path) == [(1, 2, 4.0), (2, 2, 3.0)]


def test_lines_of_one_step_are_one_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    held_out = {"step": 2, "attempt": 1, "eval/held_out_loss": 7.0}
    again = {"step": 2, "attempt": 2, "eval/held_out_loss": 8.0}
    write(path, row(1, 1, 4.0), row(2, 1, 3.0), held_out, again)
    assert read_metrics(path)[1] == {
        "step": 2,
        "attempt": 2,
        "train/loss": 3.0,
        "eval/held_out_loss": 8.0,
    }


def test_torn_and_foreign_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "attempt": 1, "train/loss": 4.0}\n[1]\n{}\n{"step": 2, "att')
    assert seen(path) == [(1, 1, 4.0)]


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_description_and_unit(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert len(metric.meaning) > 10
    assert metric.unit
    if name.startswith("time/"):
        assert name.endswith("_s")
        assert metric.unit == "s"
