"""Checksums of a packed library, by block, so that ranks can share the work of verifying it.

    CACHE/KEY/checksums.json   {"source-000/ids.bin": {"size": 12, "blocks": ["sha256", ...]}, ...}

Written when the library is packed. As an attempt starts, each rank hashes an equal share of the
blocks: the time is that of reading the library once, divided by the ranks. No rank waits while one
hashes all of it. A bit that changes on disk later is found when the next attempt starts.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ftdist.data.packed_dataset import CARD
from ftdist.errors import DataError
from ftdist.io.filesystem import storage_errors

CHECKSUMS = "checksums.json"

BLOCK_BYTES = 1 << 23

_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class _Block:
    """A part of a file."""

    name: str
    number: int
    sha256: str


def library_checksum(folder: Path) -> str:
    """One checksum of all arrays of a packed library, from its list; empty without a list."""
    try:
        return hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def write_checksums(folder: Path) -> str:
    """Hash the arrays that were written to `folder`, and list them. Returns the checksum of all."""
    files = sorted(path for path in folder.glob("source-*/*") if path.suffix in (".bin", ".npy"))
    listed = {}
    for path in files:
        size = path.stat().st_size
        numbers = range(-(-size // BLOCK_BYTES))
        with ThreadPoolExecutor(_THREADS) as pool:
            blocks = list(pool.map(lambda number, path=path: _sha256(path, number), numbers))
        listed[str(path.relative_to(folder))] = {"size": size, "blocks": blocks}
    (folder / CHECKSUMS).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return library_checksum(folder)


def cache_damage(folder: Path) -> list[str]:
    """What is wrong with a packed library in the cache; nothing where there is none.

    Raises:
        StorageError: it cannot be read just now.
    """
    try:
        checksum = json.loads((folder / CARD).read_bytes())["facts"]["checksum"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError):
        return [f"{CARD} cannot be read"]
    return find_damage(folder, checksum=checksum)


def find_damage(folder: Path, *, checksum: str, rank: int = 0, size: int = 1) -> list[str]:
    """What is wrong with a packed library; one clause for each file.

    Args:
        folder: of the library.
        checksum: of the whole, as it was when the library was packed; empty: not known.
        rank: of the reader, which hashes its share of the blocks; file sizes are checked by all.
        size: number of readers, which together hash everything.

    Raises:
        StorageError: a file cannot be read just now.
    """
    with storage_errors("read", folder):
        if not (folder / CHECKSUMS).is_file():
            return [f"{CHECKSUMS} is missing"] if checksum else []
        if checksum not in ("", library_checksum(folder)):
            return [f"{CHECKSUMS} was changed"]
        listed: dict[str, dict[str, Any]] = json.loads((folder / CHECKSUMS).read_bytes())
        wrong = list(_wrong_sizes(folder, listed))
        if wrong:
            return wrong
        blocks = [
            _Block(name, number, digest)
            for name, entry in listed.items()
            for number, digest in enumerate(entry["blocks"])
        ][rank::size]
        with ThreadPoolExecutor(_THREADS) as pool:
            digests = pool.map(lambda block: _sha256(folder / block.name, block.number), blocks)
            changed = [
                b.name for b, found in zip(blocks, digests, strict=True) if found != b.sha256
            ]
    return [f"the content of {name} has changed" for name in dict.fromkeys(changed)]


def refuse_unknown_ids(folder: Path, *, rows: int, rank: int = 0, size: int = 1) -> None:
    """Refuse token ids that the model's embedding does not have.

    Args:
        folder: of the packed library.
        rows: of the embedding.
        rank: of the reader, which looks at its share of the ids.
        size: number of readers.

    Raises:
        DataError: there is such an id.
        StorageError: a file cannot be read just now.
    """
    with storage_errors("read", folder):
        for path in sorted(folder.glob("source-*/*ids.bin")):
            if not path.stat().st_size:
                continue
            ids = np.memmap(path, dtype=np.uint32, mode="r")
            step = BLOCK_BYTES // ids.itemsize
            for start in range(rank * step, len(ids), size * step):
                largest = int(ids[start : start + step].max())
                if largest >= rows:
                    raise DataError(
                        f"{path} holds the token id {largest:,}, but the model's embedding has "
                        f"{rows:,} rows.",
                        remedy="train with the tokenizer of this model; if it is that one, delete "
                        f"{folder}: the next `ftdist resume` or `ftdist train` packs it again.",
                    )


def _wrong_sizes(folder: Path, listed: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in listed.items():
        try:
            size = (folder / name).stat().st_size
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        if size != entry["size"]:
            yield f"{name} has {size} bytes instead of {entry['size']}"


def _sha256(path: Path, number: int) -> str:
    """Of one block of a file."""
    with path.open("rb") as file:
        file.seek(number * BLOCK_BYTES)
        return hashlib.sha256(file.read(BLOCK_BYTES)).hexdigest()
