"""Files that are hashed while they are written, so that nothing is read again for a checksum."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ftdist.errors import StorageError
from ftdist.io.filesystem import fsync_paths, storage_errors

PIECE_BYTES = 2**23
"""Bytes between two looks at whether to stop."""

Chunk = bytes | memoryview


class WriteCancelledError(Exception):
    """The writer was asked to stop; the file is gone."""


def write_hashed(
    path: Path, chunks: Iterable[Chunk], *, is_cancelled: Callable[[], bool] = lambda: False
) -> tuple[int, str]:
    """Write a new file, and flush it and its name to disk.

    Args:
        path: the file; its folder exists.
        chunks: its content; each chunk is used up before the next one is asked for.
        is_cancelled: whether to stop; looked at every `PIECE_BYTES`.

    Returns:
        Size in bytes, and SHA-256 in hexadecimal.

    Raises:
        StorageError: the disk refused it; what was written is removed, which makes room.
        WriteCancelledError: `is_cancelled` said so.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with storage_errors("write", path), path.open("wb", buffering=0) as file:
            for piece in _pieces(chunks):
                if is_cancelled():
                    raise WriteCancelledError
                digest.update(piece)
                _write_all(file.fileno(), piece)
                size += len(piece)
            os.fsync(file.fileno())
            on_disk = os.fstat(file.fileno()).st_size
        if on_disk != size:
            raise StorageError(
                f"{path} has {on_disk} bytes after {size} were written.",
                remedy="check that no other process writes there, and the network file system.",
            )
        with storage_errors("flush to disk", path.parent):
            fsync_paths(path.parent)
    except (StorageError, WriteCancelledError):
        with suppress(OSError):
            path.unlink()
        raise
    return size, digest.hexdigest()


def _pieces(chunks: Iterable[Chunk]) -> Iterator[memoryview]:
    for chunk in chunks:
        view = memoryview(chunk)
        if not view.nbytes:
            continue  # has no bytes to cast to
        view = view.cast("B")
        for at in range(0, len(view), PIECE_BYTES):
            yield view[at : at + PIECE_BYTES]


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
