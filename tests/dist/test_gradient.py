"""Every loss token weighs the same, however a batch is cut; a rank holds its shard and no more."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ftdist.data.collate import build_batch
from ftdist.dist.world import World
from ftdist.train.step import train_step
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import save_tiny_model, tiny_config, tiny_plan
from tests.support.ranks import RunRanks

SEQUENCES = 7
"""Not a multiple of any cut below: some rank always gets an empty micro-batch."""


def build(world: World, model: Path, dtype: str, *overrides: str) -> Zero3Engine:
    config = tiny_config(model, *overrides)
    plan = tiny_plan(config, world_size=world.size)
    return build_engine(config, plan, world=world, device="cpu", dtype=dtype)  # type: ignore[arg-type]


def accumulate(engine: Zero3Engine, world: World, *, micro_steps: int) -> None:
    """Forward and backward of `SEQUENCES` sequences, cut into `micro_steps` for each rank."""
    rows = sequences(SEQUENCES)
    per_micro_step = math.ceil(SEQUENCES / (world.size * micro_steps))
    for micro_step in range(micro_steps):
        first = (micro_step * world.size + world.rank) * per_micro_step
        batch = build_batch(rows[first : first + per_micro_step])
        loss, _ = engine.forward(batch)
        engine.backward(loss / loss_tokens(rows))


def gradients_by_cut(
    world: World, model: Path, dtype: str, micro_steps: int, *overrides: str
) -> Any:
    from deepspeed.utils import safe_get_full_grad

    engine = build(world, model, dtype, *overrides)
    accumulate(engine, world, micro_steps=micro_steps)
    return {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
    }


def plain_gradients(model: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """The same gradient by transformers and torch alone: no packing, no chunks, no ZeRO."""
    from transformers import AutoModelForCausalLM

    reference = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    rows = sequences(SEQUENCES)
    for row in rows:
        start = 0
        for length in row.lengths.tolist():
            ids = torch.tensor(row.input_ids[start : start + length].astype("int64"))[None]
            learned = torch.tensor(row.loss[start : start + length])[1:]
            logits = reference(input_ids=ids).logits[0, :-1][learned].float()
            loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:][learned], reduction="sum")
            (loss / loss_tokens(rows)).backward()
            start += length
    return {name: p.grad.float() for name, p in reference.named_parameters()}


def relative_error(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    difference = sum(float((one[name] - other[name]).pow(2).sum()) for name in other)
    return math.sqrt(difference / sum(float(value.pow(2).sum()) for value in other.values()))


@pytest.mark.fault("D5")
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("bfloat16", 2e-2)])
def test_the_gradient_is_independent_of_the_batch_split(
    run_ranks: RunRanks, tmp_path: Path, dtype: str, tolerance: float
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama_tied")
    plain = plain_gradients(model, getattr(torch, dtype))
    whole = run_ranks(1, gradients_by_cut, model, dtype, 1)[0]
    cut = run_ranks(3, gradients_by_cut, model, dtype, 2)[2]
    assert relative_error(whole, plain) < tolerance
    assert relative_error(cut, plain) < tolerance


def test_gradient_is_the_same_with_activation_checkpointing_and_offload(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(tmp_path / "model", "qwen3")
    overrides = ("model.activation_checkpointing=true", "engine=zero3_offload")
    cut = run_ranks(2, gradients_by_cut, model, "float32", 2, *overrides)[0]
    assert relative_error(cut, plain_gradients(model, torch.float32)) < 2e-6


def updated_by_one_step(world: World, model: Path, max_grad_norm: float) -> tuple[float, float]:
    """Gradient norm as reported, and the length of the update that plain SGD-like AdamW made."""
    engine = build(world, model, "float32", f"optim.max_grad_norm={max_grad_norm}")
    batch = build_batch(sequences(SEQUENCES)[world.rank :: world.size])
    result = train_step(engine, [batch], loss_tokens=loss_tokens(sequences(SEQUENCES)))
    moments = [state["exp_avg"] for state in engine.optimizer.state.values()]
    return float(result.grad_norm), float(sum(moment.pow(2).sum() for moment in moments))


def test_clipping_scales_the_whole_gradient_to_its_norm(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    plain = plain_gradients(model, torch.float32)
    norm = math.sqrt(sum(float(value.pow(2).sum()) for value in plain.values()))
    assert norm > 0.1
    ranks = run_ranks(2, updated_by_one_step, model, 0.1)
    assert ranks[0][0] == pytest.approx(norm, rel=1e-5)
    # AdamW's first moment after one step is (1 - beta1) times the clipped gradient: 0.1 * 0.1.
    assert math.sqrt(sum(squares for _, squares in ranks)) == pytest.approx(0.01, rel=1e-4)


def held_between_steps(world: World, model: Path) -> tuple[int, int, int]:
    engine = build(world, model, "float32")
    batch = build_batch(sequences(2))
    train_step(engine, [batch], loss_tokens=10)
    named = list(engine.named_parameters())
    whole = sum(parameter.data.numel() for _, parameter in named)
    shards = sum(parameter.ds_tensor.numel() for _, parameter in named)
    masters = sum(flat.numel() for flat in engine.zero_optimizer.fp32_partitioned_groups_flat)
    return whole, shards, masters


def test_between_steps_a_rank_holds_its_shard_and_persistent_parameters(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    # Matrices: 2 embeddings of 503 x 32; a layer has 32x32 + 2 * 16x32 + 32x32 + 3 * 88x32.
    matrices = 2 * 503 * 32 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 88 * 32)
    norms = 5 * 32  # two a layer and the last one, each below 100 elements: they stay whole
    for whole, shards, masters in run_ranks(2, held_between_steps, model):
        assert whole == norms
        assert shards == (matrices + norms) // 2
        assert masters == (matrices + norms) // 2


def step_with_infinite_loss_on_one_rank(world: World, model: Path) -> tuple[bool, bool, float]:
    engine = build(world, model, "float32")
    batch = build_batch(sequences(2))

    def state() -> list[Tensor]:
        return [flat.clone() for flat in engine.zero_optimizer.fp32_partitioned_groups_flat]

    before = state()
    loss, _ = engine.forward(batch)
    engine.backward(loss * (float("inf") if world.rank == 1 else 1.0))
    _, skipped = engine.step()
    unchanged = all(torch.equal(a, b) for a, b in zip(before, state(), strict=True))
    after = train_step(engine, [batch], loss_tokens=10)
    return skipped, unchanged, float(after.grad_norm)


@pytest.mark.fault("N1")
def test_infinite_gradient_of_one_rank_skips_the_step_on_all(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    for skipped, unchanged, norm_after in run_ranks(2, step_with_infinite_loss_on_one_rank, model):
        assert skipped
        assert unchanged
        assert math.isfinite(norm_after)
