"""Whether W&B's own files can still be written: wandb loses them on a full disk without a word."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LOOK_EVERY_S = 10.0

SIZE = 64 << 10
"""Bytes that are written to find out: a quota is seen by nothing else."""


class DiskWatch:
    """Looks at the disk of W&B's files from time to time.

    Args:
        folder: of these files.
        clock: seconds from any start.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / f".room-{os.getpid()}"
        self._clock = clock
        self._next_at = clock()
        self._is_reported = False

    def problem(self) -> str | None:
        """Why the disk takes no more, the first time; None otherwise."""
        if self._is_reported or self._clock() < self._next_at:
            return None
        self._next_at = self._clock() + LOOK_EVERY_S
        try:
            self._file.write_bytes(bytes(SIZE))
        except OSError as error:
            self._is_reported = True
            return error.strerror or str(error)
        finally:
            with suppress(OSError):
                self._file.unlink()
        return None
