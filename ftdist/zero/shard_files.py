"""The files of a checkpoint: safetensors, no pickles.

A rank writes one file. Names inside are `KIND.NAME`, with the model folder's parameter names. A
frozen parameter is only there once, as `master`, in the model's dtype: it has neither master weight
nor moments.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
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
"""A short row and the engine's logits for it, which an export must reproduce.

A checkpoint that was written beside training has none.
"""

FILES_PER_FOLDER = 256
"""So 32,768 ranks make 128 folders: long folders are slow on network file systems."""

_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16"}


def shard_folder(rank: int) -> str:
    """Name of the folder of a rank's file, in the checkpoint's folder."""
    return f"shards-{rank // FILES_PER_FOLDER:03d}"


def shard_folders(world_size: int) -> list[str]:
    """Names of all folders with shards of `world_size` ranks."""
    return [shard_folder(rank) for rank in range(0, world_size, FILES_PER_FOLDER)]


def shard_name(*, rank: int, world_size: int) -> str:
    """Path of one rank's file in the checkpoint's folder."""
    return f"{shard_folder(rank)}/rank-{rank:05d}-of-{world_size:05d}.safetensors"


def shard_key(kind: Kind, parameter: str) -> str:
    """Name of a parameter's shard inside a file."""
    return f"{kind}.{parameter}"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One flat tensor of a file."""

    key: str
    values: Tensor
    """One-dimensional and contiguous, on any device; not a copy."""


def file_header(shards: Sequence[Shard]) -> bytes:
    """What a safetensors file begins with, whose data are those of `shards`, in their order.

    The format: the length of the rest of the header as 64 bits, little-endian; JSON, padded with
    spaces so that the data begin at a multiple of 8. Shards of wider elements must come first.
    """
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for shard in shards:
        size = shard.values.nbytes
        entries[shard.key] = {
            "dtype": _DTYPES[shard.values.dtype],
            "shape": [len(shard.values)],
            "data_offsets": [at, at + size],
        }
        at += size
    body = json.dumps(entries, separators=(",", ":")).encode()
    body += b" " * (-len(body) % 8)
    return len(body).to_bytes(8, "little") + body


class SavedShards:
    """The shards of one kind in a checkpoint; its files are opened when they are first needed."""

    def __init__(self, folder: Path, kind: Kind, *, world_size: int) -> None:
        def open_shard(rank: int) -> Any:
            name = shard_name(rank=rank, world_size=world_size)
            return safe_open(folder / name, framework="pt")

        self._open = functools.cache(open_shard)
        self._kind = kind
        self._world_size = world_size

    def read(
        self, name: str, *, start: int, stop: int, elements: int, dtype: torch.dtype
    ) -> Tensor:
        """Elements [start, stop) of a flattened parameter of `elements`, from all ranks' files."""
        values = torch.empty(stop - start, dtype=dtype)
        filled = 0
        for piece in pieces(start=start, stop=stop, elements=elements, world_size=self._world_size):
            shard = self._open(piece.rank).get_slice(shard_key(self._kind, name))
            part = shard[piece.start : piece.stop]
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
