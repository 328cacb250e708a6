"""What a run cost, from its records."""

import dataclasses
from pathlib import Path

import pytest

from ftdist.evaluation.report.cost import cost_of
from ftdist.io.jsonl import append_json_line
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import make_plan


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of a model of 1,000 parameters without any record."""
    run = RunDir(tmp_path / "r")
    run.create(private=True)
    run.plan.write_text(dataclasses.replace(make_plan(), parameters=1000).to_json())
    return run


def test_recomputed_steps_cost_time_but_count_once(run: RunDir) -> None:
    # Attempt 1: 2 ranks from 0 s, killed after its row at 3600 s. Attempt 2: 4 ranks, 1800 s.
    for event in (
        {"time": 0.0, "event": "attempt_started", "attempt": 1, "world_size": 2},
        {"time": 7200.0, "event": "attempt_started", "attempt": 2, "world_size": 4},
        {"time": 7100.0, "event": "attempt_finished", "attempt": 1},
        {"time": 9001.0, "event": "attempt_finished", "attempt": 2},
        {"time": 9900.0, "event": "model_exported", "step": 3},
    ):
        append_json_line(run.events, event)
    run.attempt(2).mkdir(parents=True)
    append_json_line(run.attempt(2) / "system-n1.jsonl", {"time": 9000.0, "cpu_percent": 1.0})
    for attempt, step, time in ((1, 1, 900.0), (1, 2, 3600.0), (2, 2, 7900.0), (2, 3, 8000.0)):
        row = {"step": step, "attempt": attempt, "time": time}
        append_json_line(run.metrics, {**row, "train/tokens": 100, "train/loss_tokens": 40})
    cost = cost_of(run)
    assert cost is not None
    assert cost["steps"] == 3
    assert cost["tokens"] == 300
    assert cost["loss_tokens"] == 120
    assert cost["wall_hours"] == 1.5
    assert cost["rank_hours"] == 2 * 1.0 + 4 * 0.5
    assert cost["from_scratch_tokens"] == 20 * 1000
    assert cost["share_of_scratch"] == 0.015
    assert (cost["ranks"], cost["attempts"], cost["device"]) == ([2, 4], 2, "cpu")


def test_steps_after_the_exported_one_are_not_counted(run: RunDir) -> None:
    append_json_line(
        run.events, {"time": 0.0, "event": "attempt_started", "attempt": 1, "world_size": 1}
    )
    append_json_line(run.events, {"time": 3.0, "event": "model_exported", "step": 1})
    for step in (1, 2):
        row = {"step": step, "attempt": 1, "time": step * 36.0, "train/tokens": 10}
        append_json_line(run.metrics, row)
    cost = cost_of(run)
    assert cost is not None
    assert (cost["steps"], cost["tokens"]) == (1, 10)
    assert cost["rank_hours"] == 0.02
    # 0.02 rank-hours were 20 tokens, of which the model has 10; from scratch it takes 20,000.
    assert (cost["from_scratch_tokens"], cost["scratch_rank_hours"]) == (20_000, 20.0)


def test_run_without_plan_or_steps_has_no_cost(run: RunDir) -> None:
    assert cost_of(run) is None
    run.plan.unlink()
    assert cost_of(run) is None
