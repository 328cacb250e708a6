"""Settings that the plan may choose change neither losses nor gradients: real ranks on CPUs."""

import math
from pathlib import Path
from typing import Any

import pytest

from ftdist.data.collate import build_batch
from ftdist.dist.world import World
from ftdist.train.step import train_step
from ftdist.zero.engine import Zero3Engine
from tests.dist.test_gradient import build
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import save_tiny_model
from tests.support.ranks import RunRanks

STEPS, MICRO_STEPS = 3, 2
ROWS = 7
"""Some rank gets an empty micro-batch."""

CHOICES: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "selective": ("model.activation_checkpointing=selective",),
    "resident": (
        *("engine.param_persistence_threshold=1000000", "engine.max_live_parameters=1000000"),
        "engine.sub_group_size=4000",
    ),
    "offload": ("engine=zero3_offload",),
    # The last one: DeepSpeed keeps its groups for the life of the process.
    "hpz": ("engine.hpz_partition_size=2", "cluster.tasks_per_node=4"),
}


def micro_batches(world: World) -> list[Any]:
    rows = sequences(ROWS)
    each = math.ceil(ROWS / (world.size * MICRO_STEPS))
    starts = [(micro * world.size + world.rank) * each for micro in range(MICRO_STEPS)]
    return [build_batch(rows[start : start + each]) for start in starts]


def measured(engine: Zero3Engine, world: World, *, steps: int = STEPS) -> list[float]:
    """Of each step: this rank's loss, and the norm of the whole gradient."""
    numbers = []
    for _ in range(steps):
        engine.set_learning_rate(1e-2)
        result = train_step(engine, micro_batches(world), loss_tokens=loss_tokens(sequences(ROWS)))
        numbers += [float(result.loss_sums.sum()), float(result.grad_norm)]
    return numbers


def train_with_each(world: World, model: Path) -> dict[str, list[float]]:
    numbers = {}
    for name, overrides in CHOICES.items():
        engine = build(world, model, "float32", *overrides)
        copies = count_copies(engine) if name == "offload" else []
        numbers[name] = measured(engine, world)
        assert len(copies) == (STEPS * trained_here(engine) if name == "offload" else 0)
    return numbers


def count_copies(engine: Zero3Engine) -> list[Any]:
    """A list that grows whenever gradients are copied to where the CPU's optimizer reads them."""
    optimizer, calls = engine.zero_optimizer, []
    original = optimizer._offload_grad_partition_at_boundary

    def counted(param: Any, *arguments: Any) -> None:
        calls.append(param.ds_id)
        original(param, *arguments)

    optimizer._offload_grad_partition_at_boundary = counted
    return calls


def trained_here(engine: Zero3Engine) -> int:
    """Parameters of which this rank's shard is more than padding."""
    rank = engine.world.rank
    return sum(p.partition_numel() * rank < p.ds_numel for _, p in engine.named_parameters())


@pytest.mark.slow
def test_losses_and_gradients_do_not_depend_on_the_chosen_settings(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    model = save_tiny_model(tmp_path / "model", "llama")
    for numbers in run_ranks(4, train_with_each, model):
        for name in CHOICES:
            assert numbers[name] == pytest.approx(numbers["fixed"], rel=1e-6), name
