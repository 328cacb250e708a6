"""The portions of a source that are tokenised, on disk, so that a killed run goes on after them."""

import os
import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

from ftdist.io.filesystem import fsync_paths
from ftdist.prepare.portions import Part
from ftdist.prepare.tokenize_shard import Counts, Portion

JOURNAL = "journal.pickle"
_FLUSH_EVERY_S = 5.0
_FIELDS = tuple(field.name for kind in (Part, Portion, Counts) for field in fields(kind))


class Journal:
    """One pickle after another: the names of the fields, the parts of a portion, and the portion.

    A portion is written once its tokens are on disk. The folder must be one that only this user can
    write to, since unpickling runs code.

    Args:
        path: of the file, which an earlier run may have begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def read(self, portions: Sequence[tuple[Part, ...]]) -> Iterator[Portion]:
        """The first of `portions`, as far as an earlier run came; what follows is cut off."""
        with self._path.open("a+b") as file:
            file.seek(0)
            end = 0
            for parts in portions:
                try:
                    names, written, portion = pickle.load(file)
                except Exception:  # noqa: BLE001  the end, cut by a crash, or another version's
                    break
                if names != _FIELDS or written != parts:  # another version's
                    break
                end = file.tell()
                yield portion
            file.truncate(end)

    def add(
        self, parts: tuple[Part, ...], portion: Portion, *, written: Sequence[BinaryIO]
    ) -> None:
        """Record a portion; now and then bring what was `written` to disk, then the records."""
        self._waiting.append(pickle.dumps((_FIELDS, parts, portion)))
        if time.monotonic() - self._flushed < _FLUSH_EVERY_S:
            return
        for tokens in written:
            tokens.flush()
            os.fsync(tokens.fileno())
        with self._path.open("ab") as file:
            file.writelines(self._waiting)
        fsync_paths(self._path)
        self._waiting = []
        self._flushed = time.monotonic()
