"""Saves the training state to the store and restores it, on all ranks together.

The training state is the engine and one integer, the step. A save succeeds on every rank or none.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ftdist.checkpoint.manifest import FileRecord, read_manifest
from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none, broadcast_json
from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.plan.plan import Plan
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.load_state import read_shards
from ftdist.zero.save import (
    optimizer_steps,
    parameter_shapes,
    write_shards,
    write_tensors,
)

REFERENCE_LOGITS = "reference_logits.safetensors"
"""A short row and the engine's logits for it, which an export must reproduce."""

REFERENCE_POSITIONS = 4
"""The logits of this many of the row's last positions are stored."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a checkpoint must share with the run that loads it."""

    library_key: str
    """Of the packed library: the batch of each step depends on it."""

    seed: int
    """Of the order."""

    dtype: str
    """That the model is trained in."""

    @classmethod
    def from_run(cls, config: RunConfig, plan: Plan, *, dtype: str) -> Self:
        """Of a run that trains in `dtype`."""
        return cls(library_key=plan.library.key, seed=config.run.seed, dtype=dtype)


def save_state(
    engine: Zero3Engine,
    store: CheckpointStore,
    *,
    step: int,
    attempt: int,
    identity: Identity,
    reference_row: Batch,
) -> None:
    """Write and commit the state after `step` steps. Collective.

    Args:
        engine: between two steps.
        store: of the run; the same folder on every rank.
        step: optimizer steps done.
        attempt: its number.
        identity: compared when the state is loaded.
        reference_row: a short row of real tokens.

    Raises:
        StorageError: some rank could not write; on every rank. Nothing was committed, what was
            written is removed, and the training state is unchanged.
    """
    world = engine.world
    metadata = _metadata(engine, identity)
    reference = _reference_tensors(engine, reference_row)

    def write(folder: Path) -> list[dict[str, Any]]:
        files = write_shards(engine, folder, world=world)
        if world.is_rank0:
            write_tensors(reference, folder / REFERENCE_LOGITS)
            files.append(folder / REFERENCE_LOGITS)
        return [asdict(record) for record in store.describe(files)]

    def commit(described: list[list[dict[str, Any]]]) -> None:
        records = [FileRecord(**record) for of_rank in described for record in of_rank]
        store.commit(step, attempt, records, metadata)

    try:
        folder = _on_rank0(lambda: str(store.begin(step, attempt)), world=world)
        described = all_or_none(lambda: write(Path(folder)), world=world)
        _on_rank0(lambda: commit(described), world=world)
    except StorageError:
        if world.is_rank0:
            store.discard(step, attempt)
        raise


def _metadata(engine: Zero3Engine, identity: Identity) -> dict[str, Any]:
    return {
        **asdict(identity),
        "world_size": engine.world.size,
        "optimizer_steps": optimizer_steps(engine),
        "shapes": parameter_shapes(engine),
        "frozen": list(engine.frozen),
    }


def restore_state(
    engine: Zero3Engine,
    store: CheckpointStore,
    *,
    identity: Identity,
    on_damaged: Callable[[Path, str], None],
) -> int:
    """Load the newest undamaged checkpoint, written by any number of ranks. Collective.

    Rank 0 chooses it for all: on a network file system two ranks may see different folders.

    Args:
        engine: freshly built.
        store: of the run.
        identity: of this run.
        on_damaged: called on rank 0 for each damaged checkpoint that was set aside.

    Returns:
        optimizer steps done: the next step to run; 0 where nothing was ever committed.

    Raises:
        StorageError: the checkpoints are damaged, or belong to another run.
    """
    world = engine.world

    def choose() -> str | None:
        newest = store.latest_verified(on_damaged)
        return None if newest is None else str(newest.path)

    path = _on_rank0(choose, world=world)
    if path is None:
        return 0
    manifest = broadcast_json(
        asdict(read_manifest(Path(path))) if world.is_rank0 else None, world=world
    )
    metadata = manifest["metadata"]
    _refuse_other_run(Path(path), metadata, identity)
    read_shards(
        engine,
        Path(path),
        saved_world_size=metadata["world_size"],
        saved_shapes=metadata["shapes"],
        saved_frozen=metadata["frozen"],
        optimizer_steps=metadata["optimizer_steps"],
    )
    return int(manifest["step"])


def _refuse_other_run(path: Path, metadata: dict[str, Any], identity: Identity) -> None:
    differing = [
        f"{field} was {metadata[field]} and is {value}"
        for field, value in asdict(identity).items()
        if metadata[field] != value
    ]
    if differing:
        raise StorageError(
            f"Checkpoint {path} belongs to another run: {'; '.join(differing)}.",
            remedy="start a new run with `ftdist train` under another run.name.",
        )


def _on_rank0(action: Callable[[], Any], *, world: World) -> Any:
    """Call `action` on rank 0; its value, or its failure, on every rank. Collective."""
    return all_or_none(lambda: action() if world.is_rank0 else None, world=world)[0]


def _reference_tensors(engine: Zero3Engine, row: Batch) -> dict[str, Tensor]:
    tokens = row.input_ids.shape[1]
    positions = torch.arange(
        max(0, tokens - REFERENCE_POSITIONS), tokens, device=row.input_ids.device
    )
    logits = engine.logits(row, positions)
    return {
        "input_ids": row.input_ids.cpu().contiguous(),
        "positions": positions.cpu(),
        "logits": logits.cpu().contiguous(),
    }
