"""Disk space, fsync, file modes, and user-readable operating system errors."""

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
    """Space available to this user on the disk of `path` or its nearest existing parent, in GiB.

    Quotas are invisible here; an exhausted quota raises a StorageError on writing.
    """
    folder = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(folder).free / GIB


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
    """Convert an OSError of the body into a StorageError with a remedy.

    Args:
        action: what the body does to `path`, as a verb: "write", "commit".
        path: named in the error unless the OSError names a file itself.

    Raises:
        StorageError: the body met an OSError.
    """
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else str(path)
        problem = f"Cannot {action} {name}: {error.strerror or error}."
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
    """Make a folder and its content readable by the user only, or by everybody."""
    folder.chmod(0o700 if private else 0o755)
    for file in folder.rglob("*"):
        file.chmod(
            (0o700 if private else 0o755) if file.is_dir() else (0o600 if private else 0o644)
        )
