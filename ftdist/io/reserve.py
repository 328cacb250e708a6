"""A small file with room for the last words of a process on a full disk.

It is written while there is room. On a full disk its blocks and its name are used again for what
has to be recorded: nothing new is allocated, whoever else fills the disk. (File systems that never
overwrite in place, such as ZFS, may refuse that too; then the room is freed instead.)
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftdist.io.jsonl import write_whole

SIZE = 32 << 10
"""Bytes: an error with its traceback fits in."""

LAST_WORDS_S = 5.0
"""How long errors that may pass are tried again by a process that is about to end."""


@dataclass(frozen=True)
class Reserve:
    """The reserve of one process."""

    path: Path

    def make(self) -> None:
        """Take the room; without effect on a disk that has none left.

        Random bytes, so that a file system that compresses stores as many.
        """
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, os.urandom(SIZE))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def keep(self, path: Path, text: str) -> bool:
        """Write a small file atomically, on a full disk in place of the reserve.

        Args:
            path: in the folder of the reserve.
            text: cut to `SIZE` on a full disk.

        Returns:
            Whether it was written.
        """
        with suppress(OSError):
            write_whole(path, text, deadline_s=LAST_WORDS_S)
            return True
        if self._become(path, text.encode()[:SIZE]):
            return True
        self.release()
        with suppress(OSError):
            write_whole(path, text, deadline_s=0.0)
            return True
        return False

    def _become(self, path: Path, data: bytes) -> bool:
        """Write the data in place and rename the reserve to `path`."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY)
        except OSError:
            return False
        try:
            is_whole = os.pwrite(descriptor, data, 0) == len(data)
            os.ftruncate(descriptor, len(data))
            os.fsync(descriptor)
            if is_whole:
                self.path.rename(path)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return is_whole

    def release(self) -> None:
        """Give the room back, for whatever is written next."""
        with suppress(OSError):
            self.path.unlink()
