"""Frozen parameters and a learning rate for each layer, over real ranks."""

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ftdist.checkpoint.export import export
from ftdist.config.saved_config import dump_config, load_config
from ftdist.data.collate import build_batch
from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.plan.plan import Plan
from ftdist.rundir import RunDir
from ftdist.train.dataloader import BatchSource
from ftdist.train.step import train_step
from tests.dist.test_gradient import (
    SEQUENCES,
    accumulate,
    build,
    plain_gradients,
    relative_error,
)
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import save_tiny_model
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

slow_case = partial(pytest.param, marks=pytest.mark.slow)
FROZEN = ("model.embed_tokens.*", "model.layers.0.*")
BOTH = (f"optim.freeze_params=[{','.join(FROZEN)}]", "optim.layerwise_lr_decay=0.5")

EMBEDDING = 503 * 32
LAYER = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 88 * 32 + 2 * 32
"""Elements of a tiny Llama's layer: attention, of which keys and values have half the heads, the
three matrices of the MLP, and two norms."""


def is_frozen(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in FROZEN)


def require_frozen_as_base(run: RunDir, base: Path, *, dtype: torch.dtype) -> None:
    """Export, and hold every tensor against the base's: bit for bit the same, or moved."""
    export(run.root)
    tuned, before = load_file(run.export / "model.safetensors"), load_file(base)
    assert tuned.keys() == before.keys()
    same = {name for name in tuned if torch.equal(tuned[name], before[name].to(dtype))}
    assert same == {name for name in tuned if is_frozen(name)}
    assert len(same) == 1 + 9


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_frozen_weights_export_bit_identical_to_the_base_and_others_change(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, dtype: str
) -> None:
    run = make_run(tmp_path / "run", ingredients, *BOTH, world_size=2, dtype=dtype)
    assert run_attempt(run_ranks, run, 1, world_size=2) == [0, 0]
    base = ingredients / "model" / "model.safetensors"
    require_frozen_as_base(run, base, dtype=getattr(torch, dtype))
    (training,) = [event for event in run.read_events() if event["event"] == "training_started"]
    assert training["trained_parameters"] == LAYER + 32
    plan = json.loads(run.plan.read_text())
    assert plan["frozen_parameters"] == EMBEDDING + LAYER
    assert plan["parameters"] == EMBEDDING + 2 * LAYER + 32
    card = (run.export / "README.md").read_text()
    assert "`model.layers.0.*` (27,680 of 39,296 parameters)" in card
    assert "0.5 times the rate of the one above" in card


def micro_steps_without_base(run: RunDir, *, from_step: int) -> int:
    """Micro-steps of KL rows in which the base need not run, in an attempt from a step on."""
    batches = BatchSource(
        Plan.from_json(run.plan.read_text()),
        seed=load_config(run.config).run.seed,
        world=World(rank=0, size=3, local_rank=0, local_size=3),
        device=torch.device("cpu"),
        max_cached_tokens=10**6,
    )
    return sum(
        batch.reference_rows is not None and batch.reference_rows.exchange is not None
        for step in batches.prefetch(range(from_step, STEPS))
        for batch in step.micro_batches
    )


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_resume_with_frozen_parameters_and_kl_is_bit_identical(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path, dtype: str
) -> None:
    follows = (
        f"library.extra_sources.replay.path={ingredients / 'library'}",
        "library.extra_sources.replay.weight=4",
        "library.kl_to_base=[replay]",
    )
    whole, parts = (
        make_run(tmp_path / name, ingredients, *BOTH, *follows, world_size=3, dtype=dtype)
        for name in ("whole", "parts")
    )
    assert run_attempt(run_ranks, whole, 1, world_size=3) == [0, 0, 0]
    halt = stop_and_resume(run_ranks, parts, world_size=3, interrupt_rank=2)
    # The undisturbed run has the base's states of more rows than one that starts at the stop.
    assert micro_steps_without_base(whole, from_step=0) > micro_steps_without_base(
        whole, from_step=halt
    )
    assert curve(parts) == curve(whole)
    assert state_hash(parts, step=STEPS) == state_hash(whole, step=STEPS)


@pytest.mark.slow
def test_frozen_weights_survive_a_resume_with_another_world_size(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    copy = shutil.copytree(ingredients, tmp_path / "ingredients")
    whole = make_run(tmp_path / "whole", ingredients, *BOTH, world_size=2)
    moved = make_run(tmp_path / "moved", copy, *BOTH, world_size=2)
    assert run_attempt(run_ranks, whole, 1, world_size=2) == [0, 0]
    run_attempt(run_ranks, moved, 1, world_size=2, interrupt_rank=0, after_row=2)
    # The base's folder is another one by now: the run has what it began with.
    base = copy / "model" / "model.safetensors"
    others = {name: 1.5 * tensor for name, tensor in load_file(base).items()}
    save_file(others, base, metadata={"format": "pt"})
    replan(moved, world_size=3)
    assert run_attempt(run_ranks, moved, 2, world_size=3) == [0, 0, 0]
    require_frozen_as_base(moved, ingredients / "model" / "model.safetensors", dtype=torch.float32)
    ours, theirs = ([row[0] for row in curve(run)] for run in (moved, whole))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_a_checkpoint_with_other_trained_parameters_is_refused(
    run_ranks: RunRanks, tmp_path: Path, ingredients: Path
) -> None:
    run = make_run(tmp_path / "run", ingredients, *BOTH, world_size=2)
    run_attempt(run_ranks, run, 1, world_size=2, interrupt_rank=0, after_row=2)
    config = load_config(run.config)
    optim = replace(config.optim, freeze_params=["model.embed_tokens.*"])
    run.config.write_text(dump_config(replace(config, optim=optim)))
    assert run_attempt(run_ranks, run, 2, world_size=2) == [StorageError.exit_code] * 2


def held(world: World, model: Path, *overrides: str) -> tuple[int, int, int, bool]:
    """Elements of masters, moments and gradients on this rank; whether a frozen one has any."""
    engine = build(world, model, "float32", *overrides)
    train_step(engine, [build_batch(sequences(2))], loss_tokens=10)
    zero = engine.zero_optimizer
    moments = [state["exp_avg"].numel() for state in engine.optimizer.state.values()]
    frozen = [p for name, p in engine.named_parameters() if name in engine.frozen]
    return (
        sum(flat.numel() for flat in zero.fp32_partitioned_groups_flat),
        sum(moments),
        zero.grad_partitions_flat_buffer.numel(),
        any(p.requires_grad or p.grad is not None for p in frozen),
    )


@pytest.mark.parametrize("more", [(), ("engine=zero3_offload",)])
def test_frozen_parameters_have_no_optimizer_state_or_gradient(
    run_ranks: RunRanks, tmp_path: Path, more: tuple[str, ...]
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama_tied")
    share = (LAYER + 32) // 2
    for rank in run_ranks(2, held, model, *BOTH, *more):
        assert rank == (share, share, share, False)


def gradients(world: World, model: Path, dtype: str, *overrides: str) -> dict[str, Any]:
    from deepspeed.utils import safe_get_full_grad

    engine = build(world, model, dtype, *overrides)
    accumulate(engine, world, micro_steps=2)
    return {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
        if name not in engine.frozen
    }


@pytest.mark.parametrize(
    ("frozen", "more"),
    [
        (["lm_head.*", "model.layers.0.*"], ("model.activation_checkpointing=true",)),
        slow_case(["lm_head.*", "model.layers.0.*"], ("model.activation_checkpointing=false",)),
        slow_case(
            ["model.layers.1.*"], ("model.activation_checkpointing=true", "engine=zero3_offload")
        ),
        slow_case(["model.*"], ("model.activation_checkpointing=true",)),
        # Nothing below layer 0, or below layer 1, has a gradient: not even its input.
        (["model.embed_tokens.*"], ("model.activation_checkpointing=true",)),
        slow_case(["model.embed_tokens.*", "model.layers.0.*", "*.k_proj.*"], ()),
    ],
)
def test_trained_parameters_have_the_same_gradient_as_without_freezing(
    run_ranks: RunRanks, tmp_path: Path, frozen: list[str], more: tuple[str, ...]
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    plain = plain_gradients(model, torch.float32)
    expected = {
        name: gradient
        for name, gradient in plain.items()
        if not any(fnmatchcase(name, pattern) for pattern in frozen)
    }
    found = run_ranks(
        3, gradients, model, "float32", f"optim.freeze_params=[{','.join(frozen)}]", *more
    )
    assert relative_error(found[1], expected) < 2e-6


def moved(world: World, model: Path, rate: float, *overrides: str) -> dict[str, tuple[float, ...]]:
    """How far one step moves each parameter's elements on this rank: the median, and the farthest.

    Of those that it moves: the embedding of a token that no row holds has no gradient.
    """
    from deepspeed.utils import safe_get_local_fp32_param

    def masters() -> dict[str, Tensor]:
        return {n: safe_get_local_fp32_param(p).clone() for n, p in engine.named_parameters()}

    engine = build(world, model, "float32", *overrides)
    before = masters()
    engine.set_learning_rate(rate)
    batch = build_batch(sequences(SEQUENCES)[world.rank :: world.size])
    train_step(engine, [batch], loss_tokens=loss_tokens(sequences(SEQUENCES)))
    after = masters()
    steps = {name: (after[name] - before[name]).abs() for name in before}
    return {n: (float(s[s > 0].median()), float(s.max())) for n, s in steps.items()}


@pytest.mark.parametrize("family", ["llama", "llama_tied"])
def test_first_step_moves_each_layer_half_as_far_as_the_one_above(
    run_ranks: RunRanks, tmp_path: Path, family: str
) -> None:
    # AdamW's first step is rate * g / (|g| + eps): the rate, whatever the gradient, without decay.
    model = save_tiny_model(tmp_path / "model", family, num_hidden_layers=3)
    overrides = ("optim.weight_decay=0", "optim.eps=1e-12", "optim.layerwise_lr_decay=0.5")
    for of_rank in run_ranks(2, moved, model, 0.008, *overrides):
        assert len(of_rank) == 3 * 9 + (3 if family == "llama" else 2)
        for name, (median, largest) in of_rank.items():
            # Top layer, final norm and a head of its own 0.008; below it 0.004, 0.002; then 0.001.
            expected = {".layers.1.": 0.004, ".layers.0.": 0.002, "embed_tokens": 0.001}
            rate = next((rate for part, rate in expected.items() if part in name), 0.008)
            assert (median, largest) == pytest.approx((rate, rate), rel=1e-3), name
