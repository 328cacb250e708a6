"""What building a step's batches costs one rank: the same at 8 ranks and at 4,096 nodes x 8."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ftdist.data.packed_dataset import CARD, IDS, LOSS, OFFSETS, PARTS, source_folder
from ftdist.dist.world import World
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.plan import Plan
from ftdist.train.dataloader import BatchSource
from tests.support.counting import count
from tests.support.runs.fake_runs import plan_of, some_config

FEW, MANY = 8, 4096 * 8
ROWS_PER_RANK = 2
TOKENS = 8
"""Of each sequence, one sample; all but the first are learned in the library, half of the rest."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> PackedDatasetInfo:
    """Two thirds of the rows are the library's, one third follows the base."""
    folder = tmp_path_factory.mktemp("packed")
    sources = (
        _packed(folder, 0, sequences=100_000, learned=7),
        _packed(folder, 1, sequences=50_000, learned=4),
    )
    info = PackedDatasetInfo(path=str(folder), key="k", sources=sources)
    (folder / CARD).write_text(json.dumps({"facts": dataclasses.asdict(info)}))
    return info


def _packed(folder: Path, number: int, *, sequences: int, learned: int) -> PackedSourceInfo:
    source = folder / source_folder(number)
    source.mkdir()
    np.arange(sequences * TOKENS, dtype=np.uint32).tofile(source / IDS)
    loss = np.arange(TOKENS) >= TOKENS - learned
    np.tile(loss.astype(np.uint8), sequences).tofile(source / LOSS)
    np.save(source / OFFSETS, np.arange(sequences + 1) * TOKENS)
    for part, rows in zip(PARTS, (sequences, 0), strict=True):
        np.save(source / f"{part}-samples.npy", np.arange(rows))
        np.save(source / f"{part}-offsets.npy", np.arange(rows + 1))
        np.save(source / f"{part}-loss_tokens.npy", np.full(rows, learned))
        np.save(source / f"{part}-tokens.npy", np.full(rows, TOKENS))
    return PackedSourceInfo(
        name=f"source {number}",
        weight=1.0 if number == 0 else 0.5,
        samples=sequences,
        sequences=sequences,
        tokens=sequences * TOKENS,
        loss_tokens=sequences * learned,
        held_out_samples=0,
        held_out_sequences=0,
        kl_to_base=number == 1,
    )


def _plan(library: PackedDatasetInfo, *, ranks: int) -> Plan:
    return dataclasses.replace(
        plan_of(some_config(), ranks=1),
        library=library,
        world_size=ranks,
        micro_steps=ROWS_PER_RANK,
        global_sequences=ROWS_PER_RANK * ranks,
    )


def _source(plan: Plan, *, rank: int) -> BatchSource:
    world = World(rank=rank, size=plan.world_size, local_rank=rank % 8, local_size=8)
    return BatchSource(plan, seed=1, world=world, device=torch.device("cpu"))


def test_a_rank_loops_over_its_own_rows_only(library: PackedDatasetInfo) -> None:
    lines = []
    for ranks in (FEW, MANY):
        source = _source(_plan(library, ranks=ranks), rank=ranks - 3)
        source._build_step(0)  # draws the sources of rows, once for a whole run
        lines.append(count(partial(source._build_step, 0)).lines)
    assert lines[0] == lines[1]


def test_opening_the_library_opens_its_files_alone(library: PackedDatasetInfo) -> None:
    plan = _plan(library, ranks=MANY)
    opened = count(lambda: _source(plan, rank=3)).opened
    assert len(set(opened)) == 1 + 2 * (3 + 2 * 4)  # card; 2 sources: 3 files, 4 for each part
    assert len(opened) <= 3 * 23  # numpy opens what it maps more than once


def test_every_rank_counts_the_tokens_of_all(library: PackedDatasetInfo) -> None:
    # 65,536 rows of 8 tokens; 43,690 or 43,691 of them with 7 learned tokens, the others with 4.
    batches = _source(_plan(library, ranks=MANY), rank=5)._build_step(0)
    assert len(batches.micro_batches) == ROWS_PER_RANK
    assert batches.tokens == 524_288
    assert batches.loss_tokens == (43_691 * 7, 21_845 * 4)


def test_a_library_without_held_out_rows_has_no_held_out_batches(
    library: PackedDatasetInfo,
) -> None:
    assert _source(_plan(library, ranks=FEW), rank=0).held_out() == []
