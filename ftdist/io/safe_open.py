"""Open files of folders that somebody else may write to: only regular ones, and none outside.

A path can change between a look at it and its use. A reader that takes a path gets one to the very
file that was checked: a link to this process's open file, which nobody can exchange.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

NOT_REGULAR = "is not a file but a folder, pipe, socket or device"
OUTSIDE = "it is a link that points outside its folder"


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe without a writer does not block.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    return os.fdopen(_open(path), "rb")


@contextmanager
def pinned(path: Path, *, home: Path | None = None) -> Iterator[Path]:
    """A path of the same name to the file that is at `path` now, whatever takes its place.

    Args:
        path: of a regular file.
        home: real folder that it must be in; None: anywhere.

    Raises:
        OSError: it cannot be opened, is no regular file, or a link leads out (`errno.EXDEV`).
    """
    number = _open(path)
    try:
        if home is not None and not _is_below(path, number, home):
            raise OSError(errno.EXDEV, OUTSIDE, str(path))
        with tempfile.TemporaryDirectory(prefix="ftdist-") as folder:
            link = Path(folder) / path.name
            link.symlink_to(f"/proc/{os.getpid()}/fd/{number}")
            yield link
    finally:
        os.close(number)


def _open(path: Path) -> int:
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, f"it {NOT_REGULAR}", str(path))
    return number


def _is_below(path: Path, number: int, home: Path) -> bool:
    """Whether the open file is one below a real folder."""
    real = os.path.realpath(path)
    with suppress(OSError):
        now, opened = os.lstat(real), os.fstat(number)
        same = (now.st_dev, now.st_ino) == (opened.st_dev, opened.st_ino)
        return same and Path(real).is_relative_to(home)
    return False
