"""The newest metrics of a run, read from the end of a long file without parsing most of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch.run_records import MAX_TAIL_BYTES, newest_metrics

from ftdist.rundir import RunDir


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every text that is parsed as JSON."""
    texts: list[Any] = []
    loads = json.loads

    def record(text: Any, **more: Any) -> Any:
        texts.append(text)
        return loads(text, **more)

    monkeypatch.setattr("ftdist_launch.run_records.json.loads", record)
    return texts


def test_a_long_run_without_evaluations_is_not_parsed_at_each_refresh(
    tmp_path: Path, parsed: list[Any]
) -> None:
    run = long_run(tmp_path)
    assert run.metrics.stat().st_size > MAX_TAIL_BYTES
    row, evals = newest_metrics(run)
    assert (row["step"], evals) == (19_999, {})
    assert len(parsed) <= 2


def test_an_evaluation_far_from_the_end_is_found(tmp_path: Path, parsed: list[Any]) -> None:
    run = long_run(tmp_path, evaluated_at=15_000)
    row, evals = newest_metrics(run)
    assert (row["step"], evals) == (19_999, {"eval/general_nll": 2.5})
    assert len(parsed) <= 3


def long_run(root: Path, *, evaluated_at: int | None = None) -> RunDir:
    run = RunDir(root)
    with run.metrics.open("w") as file:
        for step in range(20_000):
            row = {"step": step, "attempt": 1, "train/loss": 2.0, "optim/learning_rate": 1e-5}
            if step == evaluated_at:
                row["eval/general_nll"] = 2.5
            file.write(json.dumps(row) + "\n")
    return run
