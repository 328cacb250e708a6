"""The files of a checkpoint: safetensors, no pickles.

A rank writes three files, one per kind of state, so that at most a third of its state is copied
in memory at a time. Names inside are the model folder's parameter names. A frozen parameter is
only in the first file, in the model's dtype: it has neither master weight nor moments.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ftdist.errors import StorageError
from ftdist.zero.resharding import pieces

Kind = Literal["master", "exp_avg", "exp_avg_sq"]

KINDS: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq")
"""float32 master weights (and frozen weights), and AdamW's first and second moments."""

REFERENCE_LOGITS = "reference_logits.safetensors"
"""A short row and the engine's logits for it, which an export must reproduce."""


def shard_name(kind: Kind, *, rank: int, world_size: int) -> str:
    """File name of one rank's shards of one kind."""
    return f"rank-{rank:05d}-of-{world_size:05d}.{kind}.safetensors"


class SavedShards:
    """The shards of one kind in a checkpoint; its files are opened when they are first needed."""

    def __init__(self, folder: Path, kind: Kind, *, world_size: int) -> None:
        def open_shard(rank: int) -> Any:
            name = shard_name(kind, rank=rank, world_size=world_size)
            return safe_open(folder / name, framework="pt")

        self._open = functools.cache(open_shard)
        self._world_size = world_size

    def read(
        self, name: str, *, start: int, stop: int, elements: int, dtype: torch.dtype
    ) -> Tensor:
        """Elements [start, stop) of a flattened parameter of `elements`, from all ranks' files."""
        values = torch.empty(stop - start, dtype=dtype)
        filled = 0
        for piece in pieces(start=start, stop=stop, elements=elements, world_size=self._world_size):
            part = self._open(piece.rank).get_slice(name)[piece.start : piece.stop]
            values[filled : filled + len(part)] = part
            filled += len(part)
        return values


def write_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    """Write a safetensors file.

    Raises:
        StorageError: it could not be written.
    """
    try:
        save_file(tensors, file, metadata={"format": "pt"})
    except (SafetensorError, OSError) as error:
        raise StorageError(
            f"{file} could not be written: {error}.",
            remedy="free space on that disk, or set run.root to another one.",
        ) from error
