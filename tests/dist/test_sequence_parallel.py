"""Ranks that share their rows: the losses and gradients of one rank."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ftdist.data.collate import Batch, build_rank_batch
from ftdist.dist.world import World
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine
from tests.dist.test_gradient import relative_error
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import save_tiny_model, tiny_config, tiny_plan
from tests.support.ranks import RunRanks

SEQUENCES = 3


def build(world: World, model: Path, *overrides: str) -> Zero3Engine:
    config = tiny_config(
        model,
        f"cluster.tasks_per_node={world.size}",
        f"batch.sequence_parallel_size={world.sequence_parallel_size}",
        *overrides,
    )
    return build_engine(
        config,
        tiny_plan(config, world_size=world.size),
        world=world,
        device="cpu",
        dtype="float32",
    )


def micro_batches(world: World) -> list[Batch]:
    """Rows of one sequence, in turn to each group of ranks; the last micro-step has empty rows."""
    rows = sequences(SEQUENCES)
    groups = world.data_parallel_size
    return [
        build_rank_batch(rows[n : n + 1], sources=[n] if n < SEQUENCES else [], world=world)
        for n in range(world.data_parallel_rank, -(-SEQUENCES // groups) * groups, groups)
    ]


def losses_and_gradients(world: World, model: Path, *overrides: str) -> Any:
    from deepspeed.utils import safe_get_full_grad

    from ftdist.dist.collectives import sum_over_ranks

    engine = build(world, model, *overrides)
    losses = torch.zeros(SEQUENCES, dtype=torch.float64)
    for batch in micro_batches(world):
        loss, each = engine.forward(batch)
        losses.index_add_(0, batch.sources, each.double())
        engine.backward(loss / loss_tokens(sequences(SEQUENCES)))
    gradients = {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
    }
    return torch.tensor(sum_over_ranks(losses.tolist())), gradients


def by_size(world: World, model: Path, *overrides: str) -> Any:
    return {
        size: losses_and_gradients(replace(world, sequence_parallel_size=size), model, *overrides)
        for size in (1, 2, 4)
    }


def test_losses_and_gradients_are_those_of_one_rank(run_ranks: RunRanks, tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    alone = run_ranks(1, losses_and_gradients, model)[0]
    for size, (losses, gradients) in run_ranks(4, by_size, model)[3].items():
        assert torch.allclose(losses, alone[0], rtol=1e-6), size
        assert relative_error(gradients, alone[1]) < 1e-6, size
