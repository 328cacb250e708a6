"""Writes a rank's files of a checkpoint: directly, or from a copy in host memory."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from ftdist.checkpoint.manifest import FileRecord
from ftdist.data.collate import Batch
from ftdist.dist.collectives import max_over_ranks
from ftdist.dist.device import wait_for_device
from ftdist.io.hashed_writer import Chunk, write_hashed
from ftdist.io.host_memory import available_memory
from ftdist.io.retry import wait_for
from ftdist.io.units import GIB
from ftdist.train.background import BackgroundWork, IsCancelled
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.host_copy import HostCopy
from ftdist.zero.shard_files import REFERENCE_LOGITS, file_header, shard_name
from ftdist.zero.training_state import host_chunks, local_shards

REFERENCE_POSITIONS = 4
"""The logits of this many of the reference row's last positions are stored."""

FREE_MEMORY_RATIO = 1.25
"""A copy is made where a node's free memory is this many times what its ranks need for it."""

Records = list[dict[str, Any]]
"""Of the files that a rank has written: `FileRecord` as JSON."""

Write = Callable[[IsCancelled], Records]
"""Writes a rank's files; raises StorageError."""


@dataclass(frozen=True, kw_only=True)
class PendingSave:
    """A checkpoint that is being written."""

    step: int
    metadata: dict[str, Any]
    began: float
    write: Write
    work: BackgroundWork[Records] | None
    """`write` at work beside training; None: it is called by `finish`."""

    def records(self, on_progress: Callable[[], None]) -> Records:
        """Wait until this rank's files are written.

        Args:
            on_progress: called at every piece that is written now, not beside training.
        """

        def go_on() -> bool:
            on_progress()
            return False

        return self.write(go_on) if self.work is None else self.work.result()


class ShardWriter:
    """Prepares the writing of this rank's files. Every rank has one.

    Args:
        engine: holds the state.
        reference_row: a short row of real tokens; an export must reproduce its logits.
    """

    def __init__(self, engine: Zero3Engine, *, reference_row: Batch) -> None:
        self._engine = engine
        self._reference_row = reference_row
        self._memory: BackgroundWork[HostCopy] | None = None

    def reserve_memory(self) -> str | None:
        """Take host memory for copies of the state, as large as a rank's shards. Collective.

        The memory is taken in a thread, and held until the attempt ends.

        Returns:
            Why copies cannot be made; None where they can.
        """
        size = sum(shard.values.nbytes for shard in local_shards(self._engine))
        pinned = self._engine.device.type == "cuda"
        needed = FREE_MEMORY_RATIO * size * self._engine.world.local_size
        missing = max_over_ranks(needed - available_memory())
        if missing > 0:
            return (
                "Training waits for its checkpoints to be written: a copy of the state needs "
                f"{needed / GIB:.2f} GiB of free memory per node, and a node lacks "
                f"{missing / GIB:.2f} GiB."
            )
        self._memory = BackgroundWork(
            lambda _: HostCopy(size, pinned=pinned), name="memory for checkpoints"
        )
        return None

    def has_memory(self) -> bool:
        """Whether this rank has memory for a copy; waits until that is known."""
        return self._host_copy() is not None

    def prepare(self, folder: Path, *, from_copy: bool) -> Write:
        """What writes this rank's files of the present state. Collective.

        The logits of the reference row are stored too, but not from a copy: they take a forward
        pass, for which training would wait.

        Args:
            folder: of the checkpoint.
            from_copy: whether to copy the state; otherwise it must not change until all is written.
        """
        world, shards = self._engine.world, local_shards(self._engine)
        copy = self._host_copy() if from_copy else None
        if copy is not None:
            copy.fill(shards)
        data = host_chunks(shards) if copy is None else copy.chunks()
        name = shard_name(rank=world.rank, world_size=world.size)
        files: dict[str, Iterable[Chunk]] = {name: chain([file_header(shards)], data)}
        if not from_copy:
            reference = self._reference_logits()
            if world.is_rank0:
                files[REFERENCE_LOGITS] = [to_bytes(reference, metadata={"format": "pt"})]
        wait_for_device(self._engine.device)

        def write(is_cancelled: IsCancelled) -> Records:
            records = []
            for shard_folder in {(folder / name).parent for name in files}:
                wait_for(shard_folder)  # rank 0 has just made it, maybe on another node
            for name, chunks in files.items():
                size, digest = write_hashed(folder / name, chunks, is_cancelled=is_cancelled)
                records.append(asdict(FileRecord(name=name, size=size, sha256=digest)))
            return records

        return write

    def close(self, *, patience_s: float) -> None:
        """Wait for the thread that takes the memory, but not longer than `patience_s`."""
        if self._memory is not None:
            self._memory.cancel(patience_s=patience_s)

    def _host_copy(self) -> HostCopy | None:
        try:
            return None if self._memory is None else self._memory.result()
        except (RuntimeError, MemoryError):
            return None

    def _reference_logits(self) -> dict[str, Tensor]:
        row = self._reference_row
        tokens = row.input_ids.shape[1]
        positions = torch.arange(
            max(0, tokens - REFERENCE_POSITIONS), tokens, device=row.input_ids.device
        )
        logits = self._engine.logits(row, positions)
        return {
            "input_ids": row.input_ids.cpu().contiguous(),
            "positions": positions.cpu(),
            "logits": logits.cpu().contiguous(),
        }
