"""Disks as a user sees them: room in GiB, and what an operating system error means."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftdist.errors import StorageError
from ftdist.io.units import GIB

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


def free_gib(path: Path) -> float:
    """Room that this user may still fill on the disk of `path` (or of its nearest parent), GiB.

    Quotas are invisible here: one that is used up shows as a StorageError when writing.
    """
    place = path
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / GIB


def fsync_paths(*paths: Path) -> None:
    """Flush files and folders to disk: a rename is durable once its folder is flushed."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the body into a StorageError that a user can act on.

    Args:
        action: what the body does to `path`, as a verb: "write", "commit".
        path: where; a file name in the error itself is preferred to it.

    Raises:
        StorageError: the body met an OSError.
    """
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else str(path)
        problem = f"Cannot {action} {place}: {error.strerror or error}."
        raise StorageError(problem, remedy=_remedy(error, path)) from error


def _remedy(error: OSError, path: Path) -> str:
    if error.errno in _NO_ROOM:
        return f"make room, or raise the quota: the disk has {_free_text(path)} GiB free."
    if error.errno == errno.EFBIG:
        return "raise the limit on file sizes (`ulimit -f`)."
    if error.errno in _NOT_ALLOWED:
        return "choose a folder that you may write to, or ask for the right to write here."
    if error.errno == errno.ENOENT:
        return "check that no other attempt or person removed it, then resume the run."
    return "check the disk or the network file system, then resume the run."


def _free_text(path: Path) -> str:
    try:
        return f"{free_gib(path):.2f}"
    except OSError:
        return "an unknown number of"


def set_modes(folder: Path, *, private: bool) -> None:
    """Let only the user read a folder and what is in it, or everybody."""
    folder.chmod(0o700 if private else 0o755)
    for file in folder.rglob("*"):
        file.chmod(
            (0o700 if private else 0o755) if file.is_dir() else (0o600 if private else 0o644)
        )
