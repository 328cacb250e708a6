"""Atomic publication of folders: written under a temporary name, then renamed.

    .NAME.HEX.tmp   being written; its writer holds a lock on it
    .NAME.HEX.old   being replaced

A killed writer leaves its folder behind, without a lock: `remove_stale_dirs` deletes it. Locks are
only tested on the host that took them, which is known by the first digits of HEX, since shared file
systems may not show them to other hosts. Folders of other hosts are deleted after a week.

A folder that a killed writer may resume is readable by its user alone until it is renamed, and only
such a folder is resumed: nobody else can have put a file there.
"""

import errno
import fcntl
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

from ftdist.io.filesystem import fsync_paths

_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})[0-9a-f]{24}\.(?P<kind>tmp|old)")
_STALE_S = 7 * 24 * 3600
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def atomic_dir(
    folder: Path, *, private: bool = False, replace: bool = False, resume: bool = False
) -> Iterator[Path]:
    """A new folder that is renamed to `folder` when the body ends without an error.

    Everything in it is on disk before the rename.

    Args:
        folder: the final name.
        private: whether only the user may read it.
        replace: whether it replaces an existing folder; otherwise the first writer wins.
        resume: whether a writer that is killed or fails leaves the folder behind, and this may be
            such a folder of the same user on this host, with what is in it.
    """
    with temporary_dir(folder, private=private or resume, resume=resume) as tmp:
        yield tmp
        if resume and not private:
            tmp.chmod(_usual_mode(tmp))
        fsync_paths(tmp, *tmp.rglob("*"))
        _rename(tmp, folder)
        while replace and tmp.exists():
            _replace(tmp, folder)
        fsync_paths(folder.parent)


@contextmanager
def temporary_dir(folder: Path, *, private: bool = False, resume: bool = False) -> Iterator[Path]:
    """A folder in the parent of `folder`, deleted at the end unless it was renamed.

    The arguments are those of `atomic_dir`; a folder to resume should be private.
    """
    left = _lock_leftover(folder) if resume else None
    tmp, lock = left or _create_locked(folder, mode=0o700 if private else 0o777)
    failed = True
    try:
        yield tmp
        failed = False
    finally:
        if not (resume and failed):
            shutil.rmtree(tmp, ignore_errors=True)
        os.close(lock)


def remove_stale_dirs(parent: Path, *, name: str | None = None, resumable: bool = False) -> None:
    """Delete the folders that killed writers left behind.

    Args:
        parent: the folder to look in.
        name: only folders that were to get this name; None: all.
        resumable: whether they may yet be resumed: only those older than a week are deleted.
    """
    paths: list[Path] = []
    with suppress(OSError):
        paths = sorted(parent.iterdir())
    for path in paths:
        match = _LEFTOVER.fullmatch(path.name)
        if match is None or name not in (None, match["name"]):
            continue
        with suppress(OSError):  # another user's, or just deleted
            if match["kind"] == "old":
                _restore(path, parent / match["name"])
            elif _is_stale(path) or (match["host"] == _host() and not resumable):
                _delete_unless_locked(path)


def _rename(tmp: Path, folder: Path) -> None:
    try:
        tmp.rename(folder)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise


def _replace(tmp: Path, folder: Path) -> None:
    old = _sibling(folder, "old")
    try:
        with suppress(FileNotFoundError):  # another writer has just moved it away
            folder.rename(old)
        _rename(tmp, folder)
    finally:
        _restore(old, folder)


def _restore(old: Path, folder: Path) -> None:
    """Give a replaced folder its name back if nothing else has taken it; delete it otherwise."""
    try:
        old.rename(folder)
    except OSError as error:
        if error.errno in _TAKEN:
            shutil.rmtree(old, ignore_errors=True)


def _create_locked(folder: Path, *, mode: int) -> tuple[Path, int]:
    """A new folder, and a descriptor that holds its lock."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        tmp = _sibling(folder, "tmp")
        tmp.mkdir(mode=mode)
        with suppress(FileNotFoundError):  # deleted as stale before it was locked
            lock = os.open(tmp, os.O_RDONLY)
            with suppress(OSError):  # without locks on this file system, only age is looked at
                fcntl.flock(lock, fcntl.LOCK_EX)
            if tmp.exists():
                return tmp, lock
            os.close(lock)


def _lock_leftover(folder: Path) -> tuple[Path, int] | None:
    """A folder that a writer of this user left behind on this host, and a descriptor that locks it.

    Not one that others may enter: they may have changed it.
    """
    for tmp in sorted(folder.parent.glob(f".{folder.name}.{_host()}*.tmp")):
        with suppress(OSError):  # another user's, or just deleted
            lock = os.open(tmp, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            with suppress(OSError):  # it has a writer, or this file system has no locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_own(os.fstat(lock)) and tmp.exists():
                    return tmp, lock
            os.close(lock)
    return None


def _is_own(status: os.stat_result) -> bool:
    others = stat.S_IRWXG | stat.S_IRWXO
    return status.st_uid == os.geteuid() and not status.st_mode & others


def _usual_mode(parent: Path) -> int:
    """The mode that new folders get there, found by making one."""
    new = parent / uuid4().hex
    new.mkdir()
    mode = stat.S_IMODE(new.stat().st_mode)
    new.rmdir()
    return mode


def _sibling(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{_host()}{uuid4().hex[:24]}.{kind}")


def _host() -> str:
    """This host, as eight hex digits."""
    return blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _delete_unless_locked(tmp: Path) -> None:
    with suppress(FileNotFoundError):
        lock = os.open(tmp, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(tmp, ignore_errors=True)
        except BlockingIOError:
            pass
        except OSError:  # no locks on this file system
            if _is_stale(tmp):
                shutil.rmtree(tmp, ignore_errors=True)
        finally:
            os.close(lock)


def _is_stale(tmp: Path) -> bool:
    return time.time() - tmp.stat().st_mtime > _STALE_S
