"""Training state in and out of the store, together on all ranks.

Training state is the engine and one integer, the step. A save succeeds on every rank or on none.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ftdist.checkpoint.manifest import read_manifest
from ftdist.checkpoint.store import CheckpointStore, FileRecord
from ftdist.data.collate import Batch
from ftdist.dist.collectives import all_or_none, from_lead
from ftdist.dist.world import World
from ftdist.errors import StorageError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.load_state import read_shards
from ftdist.zero.save import (
    optimizer_steps,
    parameter_shapes,
    write_shards,
    write_tensors,
)

WITNESS = "witness.safetensors"
"""One short row and the logits the engine gave for it: what an export is compared with."""

WITNESS_POSITIONS = 4
"""Logits are kept for this many of the row's last positions."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a checkpoint must share with the run that loads it."""

    library_key: str
    """Of the packed library: which sequences make step s depends on it."""

    seed: int
    """Of the order."""

    dtype: str
    """Dtype trained in."""


def save_state(
    engine: Zero3Engine,
    store: CheckpointStore,
    *,
    step: int,
    attempt: int,
    identity: Identity,
    witness: Batch,
    world: World,
) -> Path:
    """Write and commit the state after `step` steps. Collective.

    Args:
        engine: between two steps.
        store: of the run; the same folder on every rank.
        step: optimizer steps done.
        attempt: number of this start of the run.
        identity: kept with the state, compared on loading.
        witness: a short row of real tokens.
        world: this rank.

    Returns:
        the committed folder.

    Raises:
        StorageError: on every rank, where some rank could not write; nothing has been committed,
            what was written is removed, and training state is as before.
    """
    steps = optimizer_steps(engine)
    row = _witness_tensors(engine, witness)
    metadata = {
        **asdict(identity),
        "world_size": world.size,
        "optimizer_steps": steps,
        "shapes": parameter_shapes(engine),
    }
    if engine.frozen:
        metadata["frozen"] = list(engine.frozen)

    def write(folder: Path) -> list[dict[str, Any]]:
        files = write_shards(engine, folder, world=world)
        if world.is_rank0:
            write_tensors(row, folder / WITNESS)
            files.append(folder / WITNESS)
        return [asdict(record) for record in store.describe(files)]

    def commit(described: list[list[dict[str, Any]]]) -> str:
        records = [FileRecord(**record) for part in described for record in part]
        return str(store.commit(step, attempt, records, metadata))

    try:
        folder = _on_lead(lambda: str(store.begin(step, attempt)), world=world)
        described = all_or_none(lambda: write(Path(folder)), world=world)
        return Path(_on_lead(lambda: commit(described), world=world))
    except StorageError:
        if world.is_rank0:
            store.discard(step, attempt)
        raise


def restore_state(
    engine: Zero3Engine,
    store: CheckpointStore,
    *,
    identity: Identity,
    world: World,
    on_damaged: Callable[[Path, str], None],
) -> int:
    """Load the newest undamaged checkpoint, written by any number of ranks. Collective.

    The lead looks and tells the others: on a network file system two ranks that look for
    themselves can see two different answers, and would resume from two steps.

    Args:
        engine: freshly built.
        store: of the run.
        identity: of this run.
        world: this rank.
        on_damaged: told on the lead of each damaged checkpoint that was set aside.

    Returns:
        optimizer steps done: the next step to run; 0 where nothing was ever committed.

    Raises:
        StorageError: the checkpoints are damaged, or belong to another run.
    """

    def look() -> str | None:
        found = store.latest_verified(on_damaged)
        return None if found is None else str(found.path)

    found = _on_lead(look, world=world)
    if found is None:
        return 0
    manifest = from_lead(_as_json(Path(found)) if world.is_rank0 else None, world=world)
    metadata = manifest["metadata"]
    differing = [
        f"{field} was {metadata[field]} and is {value}"
        for field, value in asdict(identity).items()
        if metadata[field] != value
    ]
    if differing:
        raise StorageError(
            f"Checkpoint {found} belongs to another run: {'; '.join(differing)}.",
            remedy="start a new run with `ftdist train` under another run.name.",
        )
    read_shards(
        engine,
        Path(found),
        world=world,
        saved_world_size=metadata["world_size"],
        saved_shapes=metadata["shapes"],
        saved_frozen=metadata.get("frozen", []),
        optimizer_steps=metadata["optimizer_steps"],
    )
    return int(manifest["step"])


def _as_json(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    return {"step": manifest.step, "metadata": manifest.metadata}


def _on_lead(action: Callable[[], Any], *, world: World) -> Any:
    """The lead does it; all learn what came out, or fail as it failed. Collective."""
    return all_or_none(lambda: action() if world.is_rank0 else None, world=world)[0]


def _witness_tensors(engine: Zero3Engine, witness: Batch) -> dict[str, torch.Tensor]:
    tokens = witness.input_ids.shape[1]
    positions = torch.arange(
        max(0, tokens - WITNESS_POSITIONS), tokens, device=witness.input_ids.device
    )
    logits = engine.logits(witness, positions)
    return {
        "input_ids": witness.input_ids.cpu().contiguous(),
        "positions": positions.cpu(),
        "logits": logits.cpu().contiguous(),
    }
