"""Room for the last words of a node's ranks on a full disk: one file, with a slot for each rank.

It is written while there is room. What a full disk refuses is then written into it in place, which
allocates nothing. Rows are lines of JSON between random bytes, and `read_json_lines` finds them.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.io.host import node_name
from ftdist.io.jsonl import read_json_lines

SLOT = 8 << 10
"""Bytes for each rank: an error with the end of its traceback."""


def node_file(folder: Path, name: str, suffix: str) -> Path:
    """A file of this node in the folder of an attempt, such as `ranks-node3.jsonl`."""
    return folder / f"{name}-{re.sub(r'[^A-Za-z0-9_.-]', '-', node_name())}.{suffix}"


def make_reserve(folder: Path, ranks: int) -> None:
    """Take the room for the ranks of this node; without effect on a disk that has none left.

    Random bytes, so that a file system that compresses stores as many.
    """
    with suppress(OSError):
        descriptor = os.open(_reserve(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, os.urandom(SLOT * ranks))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_last_words(folder: Path, rank: int, row: dict[str, Any]) -> bool:
    """Write a row into the slot of a rank of this node, unless it holds one.

    Args:
        folder: of the attempt.
        rank: which one. SLURM and submitit number the ranks of a node one after the other.
        row: without effect if it is longer than `SLOT`.

    Returns:
        Whether it was written.
    """
    line = f"\n{json.dumps(row)}\n".encode()
    if len(line) > SLOT or any(each.get("rank") == rank for each in read_last_words(folder)):
        return False
    try:
        descriptor = os.open(_reserve(folder), os.O_WRONLY)
    except OSError:
        return False
    try:
        slots = os.fstat(descriptor).st_size // SLOT
        is_whole = slots > 0 and os.pwrite(descriptor, line, rank % slots * SLOT) == len(line)
        os.fsync(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return is_whole


def read_last_words(folder: Path) -> list[dict[str, Any]]:
    """The rows of all ranks of an attempt that a full disk refused."""
    return [row for path in folder.glob("ranks-*.reserve") for row in read_json_lines(path)]


def release_reserves(folder: Path) -> None:
    """Give the room of an attempt back; a file with last words stays."""
    for path in folder.glob("ranks-*.reserve"):
        with suppress(OSError):
            if not any("rank" in row for row in read_json_lines(path)):
                path.unlink()
    for path in folder.glob("end.reserve"):
        with suppress(OSError):
            path.unlink()


def _reserve(folder: Path) -> Path:
    return node_file(folder, "ranks", "reserve")
