"""Ranks that share their rows: the losses, gradients and runs of one rank."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ftdist.data.collate import Batch, build_batch, build_rank_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.collectives import sum_over_ranks
from ftdist.dist.world import World
from ftdist.errors import ModelError
from ftdist.train.model_checks import check_shared_rows
from ftdist.train.step import train_step
from ftdist.zero.build import build_engine
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.sequence_parallel import SequenceParallel
from ftdist.zero.shard_files import file_header, shard_name
from ftdist.zero.training_state import host_chunks, local_shards, read_shards, shard_metadata
from tests.dist import test_kl_to_base as kl
from tests.dist.test_gradient import relative_error
from tests.support.models.packed_rows import loss_tokens, sequences
from tests.support.models.tiny_models import VOCAB, save_tiny_model, tiny_config, tiny_plan
from tests.support.ranks import RunRanks

SIZES = (1, 2, 4)
PACKED = sequences(3)
"""Two samples each, of 7 to 12 tokens: they cross the borders of parts of 8."""

ALONE = [
    PackedSequence.of_sample(np.arange(1, 1 + tokens, dtype=np.uint32), loss=True)
    for tokens in (40, 3, 17)
]
KL_SOURCES = (1,)
STEPS = 4
LONG = (
    "model.mlp_tiles=3",  # of parts of 8 tokens, or of 16
    "model.activation_checkpointing=full",
    "model.activation_offload=true",
)


def build(world: World, model: Path, *overrides: str) -> Zero3Engine:
    config = tiny_config(
        model,
        f"cluster.tasks_per_node={world.size}",
        f"batch.sequence_parallel_size={world.sequence_parallel_size}",
        # Elements whose gradient is rounding alone would move by the whole learning rate.
        "optim.eps=1e-3",
        *overrides,
    )
    plan = tiny_plan(config, world_size=world.size)
    return build_engine(config, plan, world=world, device="cpu", dtype="float32")


def micro_batches(
    world: World, rows: list[PackedSequence], *, kl_sources: tuple[int, ...] = ()
) -> list[Batch]:
    """A row of each sequence, in turn to each group of ranks; some groups get an empty one."""
    groups = world.data_parallel_size
    return [
        build_rank_batch(
            rows[number : number + 1],
            world=world,
            sources=[number] if number < len(rows) else [],
            kl_sources=kl_sources,
            uses_reference=bool(kl_sources),
        )
        for number in range(world.data_parallel_rank, -(-len(rows) // groups) * groups, groups)
    ]


def measured(
    engine: Zero3Engine, rows: list[PackedSequence], *, kl_sources: tuple[int, ...] = ()
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of each sequence, summed over ranks, and the gradient of their mean."""
    from deepspeed.utils import safe_get_full_grad

    losses = torch.zeros(len(rows), dtype=torch.float64)
    for batch in micro_batches(engine.world, rows, kl_sources=kl_sources):
        loss, each = engine.forward(batch)
        losses.index_add_(0, batch.sources, each.double())
        engine.backward(loss / loss_tokens(rows))
    gradients = {
        name: safe_get_full_grad(parameter).float().clone()
        for name, parameter in engine.named_parameters()
    }
    return torch.tensor(sum_over_ranks(losses.tolist())), gradients


def all_cases(world: World, model: Path, base: Path) -> dict[str, Any]:
    """Each case on one engine: its gradients add to those of the cases before it."""
    engine = kl.build(world, model, base, "float32")
    row = build_batch(PACKED)
    logits = engine.logits(row, torch.arange(row.input_ids.shape[1]))
    check_shared_rows(engine, vocab_size=VOCAB)
    cases = {
        "packed": measured(engine, PACKED),
        "one sample a row": measured(engine, ALONE),
        "kl": measured(engine, PACKED, kl_sources=KL_SOURCES),
    }
    return {
        "logits": logits,
        "cases": cases,
        "problem": "" if world.sequence_parallel_size == 1 else problem_without_exchange(engine),
    }


def problem_without_exchange(engine: Zero3Engine) -> str:
    """What the check says if layers see this rank's part of the row alone."""

    def alone(_: SequenceParallel, kernel: Any, *args: Any, **options: Any) -> Any:
        tokens = args[1].shape[2]
        borders = torch.tensor([0, tokens], dtype=torch.int32)
        if tokens < options["cu_seq_lens_q"][-1]:
            options |= {"cu_seq_lens_q": borders, "cu_seq_lens_k": borders}
        return kernel(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SequenceParallel, "_attend", alone)
        with pytest.raises(ModelError) as caught:
            check_shared_rows(engine, vocab_size=VOCAB)
    return caught.value.problem


def cases_by_size(world: World, model: Path, base: Path) -> dict[int, dict[str, Any]]:
    return {
        size: all_cases(replace(world, sequence_parallel_size=size), model, base) for size in SIZES
    }


def test_losses_gradients_and_logits_are_those_of_one_rank(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    # 4 heads and 2 key heads: with 4 ranks, two have a copy of each key head.
    model, base = kl.two_models(tmp_path, "llama")
    wanted = run_ranks(1, all_cases, model, base)[0]
    for size, got in run_ranks(4, cases_by_size, model, base)[3].items():
        for case, (losses, gradients) in got["cases"].items():
            assert losses == pytest.approx(wanted["cases"][case][0], rel=1e-6), (size, case)
            assert relative_error(gradients, wanted["cases"][case][1]) < 1e-6, (size, case)
        error = (got["logits"] - wanted["logits"]).norm() / wanted["logits"].norm()
        assert error < 1e-6, size
        if size > 1:
            assert f"{size} ranks that share a row get other losses" in got["problem"]


def trained(engine: Zero3Engine, steps: range) -> list[float]:
    """The loss of each of `steps`, all of the same rows."""
    losses = []
    rows = sequences(4)
    tokens = loss_tokens(rows)
    for _ in steps:
        batches = [replace(b, sources=b.sources * 0) for b in micro_batches(engine.world, rows)]
        result = train_step(engine, batches, loss_tokens=tokens)
        losses.append(sum_over_ranks([float(result.loss_sums[0])])[0] / tokens)
    return losses


def resumed_by_size(world: World, model: Path, folder: Path) -> tuple[list[float], dict[int, Any]]:
    """Losses of a whole run, and of runs that continue a run of groups of 2 after 2 steps.

    Groups of 4 also save memory, in all ways there are.
    """

    def engine(size: int, *overrides: str) -> Zero3Engine:
        shared = replace(world, sequence_parallel_size=size)
        return build(shared, model, "optim.peak_lr=1e-3", *overrides)

    whole = trained(engine(1), range(STEPS))
    first = engine(2)
    began = trained(first, range(2))
    metadata = shard_metadata(first)
    shards = local_shards(first)
    file = folder / shard_name(rank=world.rank, world_size=world.size)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"".join([file_header(shards), *map(bytes, host_chunks(shards))]))
    torch.distributed.barrier()
    resumed = {}
    for size, overrides in ((1, ()), (4, LONG)):
        second = engine(size, *overrides)
        read_shards(second, folder, metadata)
        resumed[size] = began + trained(second, range(2, STEPS))
    return whole, resumed


def test_a_run_resumes_with_other_groups_of_ranks(run_ranks: RunRanks, tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model", "qwen3")
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    whole, resumed = run_ranks(4, resumed_by_size, model, folder)[0]
    assert whole[0] > whole[-1] + 0.01  # it learns
    for size, losses in resumed.items():
        assert losses == pytest.approx(whole, rel=1e-6), size
