"""An interrupted run resumes as if it had not been interrupted."""

import json
from pathlib import Path

import pytest

from ftdist.observe.metrics import Row, read_metrics
from ftdist.rundir import RunDir
from tests.support.ranks import RunRanks
from tests.support.runs.tiny_runs import (
    STEPS,
    curve,
    make_run,
    replan,
    run_attempt,
    state_hash,
    stop_and_resume,
)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_resume_is_bit_identical(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, dtype: str
) -> None:
    whole = make_run(tmp_path / "whole", ingredients, world_size=3, dtype=dtype)
    assert json.loads(whole.plan.read_text())["micro_steps"] == 2
    assert run_attempt(run_ranks, whole, 1, world_size=3) == [0, 0, 0]

    parts = make_run(tmp_path / "parts", ingredients, world_size=3, dtype=dtype)
    halt = stop_and_resume(run_ranks, parts, world_size=3, interrupt_rank=2)

    assert curve(parts) == curve(whole)
    assert [row["attempt"] for row in read_metrics(parts.metrics)] == [1] * halt + [2] * (
        STEPS - halt
    )
    assert state_hash(parts, step=STEPS) == state_hash(whole, step=STEPS)


def test_a_signal_to_one_rank_stops_all_ranks_at_the_end_of_a_step(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "r", ingredients, world_size=2, steps=200)
    # Without evaluations, the ranks only agree on a stop in the collective of each step.
    text = run.config.read_text()
    run.config.write_text(text.replace("loss_every_steps: 3", "loss_every_steps: 0"))
    assert run_attempt(run_ranks, run, 1, world_size=2, interrupt_rank=1, after_row=2) == [75, 75]
    (stop,) = [event for event in run.read_events() if event["event"] == "training_stopped"]
    (saved,) = [event for event in run.read_events() if event["event"] == "checkpoint_saved"]
    assert saved["step"] == stop["step"]
    assert 2 <= stop["step"] < 200


@pytest.mark.fault("C8")
@pytest.mark.parametrize(
    ("dtype", "before", "after", "next_loss", "twenty_steps"),
    [("float32", 3, 4, 1e-6, 1e-3), ("bfloat16", 3, 1, 1e-2, 5e-2)],
)
def test_a_run_resumes_with_another_world_size(
    run_ranks: RunRanks,
    tmp_path: Path,
    ingredients: Path,
    dtype: str,
    before: int,
    after: int,
    next_loss: float,
    twenty_steps: float,
) -> None:
    steps = 24
    whole = make_run(tmp_path / "whole", ingredients, world_size=2, steps=steps, dtype=dtype)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    moved = make_run(tmp_path / "moved", ingredients, world_size=before, steps=steps, dtype=dtype)
    stopped = run_attempt(run_ranks, moved, 1, world_size=before, interrupt_rank=0, after_row=2)
    assert stopped == [75] * before
    (halt,) = [event for event in moved.read_events() if event["event"] == "training_stopped"]
    # 6 sequences on 4 ranks: two of them get an empty micro-batch in the second micro-step.
    replan(moved, world_size=after)
    assert run_attempt(run_ranks, moved, 2, world_size=after) == [0] * after

    ours, theirs = losses(moved), losses(whole)
    assert len(ours) == len(theirs) == steps
    assert ours[halt["step"]] == pytest.approx(theirs[halt["step"]], rel=next_loss)
    assert ours[-20:] == pytest.approx(theirs[-20:], rel=twenty_steps)


def losses(run: RunDir) -> list[float]:
    def loss(row: Row) -> float:
        return float(row["train/loss"])

    return [loss(row) for row in read_metrics(run.metrics)]


@pytest.mark.fault("C3")
def test_a_damaged_checkpoint_is_set_aside_and_the_previous_one_used(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, world_size=2)
    text = run.config.read_text().replace("every_steps: 0", "every_steps: 3", 1)
    run.config.write_text(text)
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    before = curve(run)
    newest = run.checkpoints / f"step-{STEPS:08d}"
    shard = newest / "shards-000" / "rank-00001-of-00002.safetensors"
    content = bytearray(shard.read_bytes())
    content[-5] ^= 1  # one bit of one number: it would load without a word
    shard.write_bytes(content)

    assert run_attempt(run_ranks, run, 2, world_size=2) == [0, 0]
    (damaged,) = [event for event in run.read_events() if event["event"] == "checkpoint_corrupt"]
    assert shard.name in damaged["problem"]
    starts = [event["step"] for event in run.read_events() if event["event"] == "training_started"]
    assert starts == [0, 6]
    assert curve(run) == before
