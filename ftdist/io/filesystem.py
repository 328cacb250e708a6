"""Disk space, fsync, file modes, and user-readable operating system errors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftdist.errors import StorageError, TransientStorageError
from ftdist.io.retry import is_passing
from ftdist.io.room import free_room

_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


def free_gib(path: Path) -> float:
    """Space available to this user on the disk of `path` or its nearest existing parent, in GiB.

    Quotas are invisible here; an exhausted quota raises a StorageError on writing.
    """
    return free_room(path).gib


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
        TransientStorageError: the body met an error that may pass.
        StorageError: the body met another OSError.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, action=action, path=path) from error


def storage_error(error: OSError, *, action: str, path: Path) -> StorageError:
    """An OSError as problem and remedy; the arguments are those of `storage_errors`."""
    name = error.filename if isinstance(error.filename, str) else str(path)
    kind = TransientStorageError if is_passing(error) else StorageError
    cause = error.strerror or str(error)
    if error.errno == errno.ENOSPC and _has_no_inodes(path):
        cause += " (it has no free inodes: too many files)"
    return kind(f"Cannot {action} {name}: {cause}.", remedy=_remedy(error, path))


def _remedy(error: OSError, path: Path) -> str:
    if error.errno == errno.EDQUOT:
        return (
            "delete files, or ask for a larger quota of space or files (`quota -s`, on Lustre "
            f"`lfs quota -h`); the disk itself has {_free_text(path)} free."
        )
    if error.errno == errno.ENOSPC:
        return f"delete files: the disk has {_free_text(path)} free."
    if error.errno == errno.EFBIG:
        return "raise the limit on file sizes (`ulimit -f`)."
    if error.errno in _NOT_ALLOWED:
        return "choose a folder that you may write to, or ask for the right to write here."
    if error.errno == errno.ENOENT:
        return "check that no other attempt or person removed it, then resume the run."
    return "check the disk or the network file system, then resume the run."


def _has_no_inodes(path: Path) -> bool:
    try:
        return free_room(path).files == 0
    except OSError:
        return False


def _free_text(path: Path) -> str:
    try:
        return str(free_room(path))
    except OSError:
        return "an unknown number of GiB"


def set_modes(folder: Path, *, private: bool) -> None:
    """Make a folder and its content readable by the user only, or by everybody."""
    folder.chmod(0o700 if private else 0o755)
    for file in folder.rglob("*"):
        file.chmod(
            (0o700 if private else 0o755) if file.is_dir() else (0o600 if private else 0o644)
        )
