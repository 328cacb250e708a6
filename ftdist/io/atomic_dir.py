"""Folders written beside their place, then given their name: they appear whole or not at all.

    .NAME.HEX.making   being written; its writer holds a lock on it
    .NAME.HEX.old      what stood in the place before

A writer that is killed leaves its folder behind, and its lock goes with it: `sweep` tells by that.
Locks are looked at on the host that took them only, told by the first digits of HEX: shared file
systems may show them to no other. What another host left goes when it is a week old.
"""

import errno
import fcntl
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

_LEFT = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})[0-9a-f]{24}\.(?P<what>making|old)")
_STALE_S = 7 * 24 * 3600
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def made_aside(folder: Path, *, private: bool = False) -> Iterator[Path]:
    """A new folder beside `folder`, gone at the end unless it was given that name.

    Args:
        folder: the place that it is to have.
        private: whether only the user may look into it.
    """
    aside, lock = _locked(folder, mode=0o700 if private else 0o777)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(lock)


def keep_first(aside: Path, folder: Path) -> None:
    """Give a folder its name, unless another writer of the same was quicker.

    All of it is on the disk before the name is.
    """
    on_disk(aside, *aside.rglob("*"))
    _name(aside, folder)


def _name(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise


def keep_last(aside: Path, folder: Path) -> None:
    """Give a folder its name; what stands there until then goes. Of several writers one wins.

    All of it is on the disk before the name is.
    """
    keep_first(aside, folder)
    while aside.exists():
        old = _beside(folder, "old")
        try:
            with suppress(FileNotFoundError):  # another writer has taken it out of the way
                folder.rename(old)
            _name(aside, folder)
        finally:
            _put_back(old, folder)
    on_disk(folder.parent)


def on_disk(*paths: Path) -> None:
    """Have files and folders on disk before the name that vouches for them is."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(parent: Path, *, name: str | None = None) -> None:
    """Remove what writers that were killed left behind.

    Args:
        parent: of the folders.
        name: of the only folder whose remains are looked for; None: all.
    """
    with suppress(OSError):
        left = [(each, _LEFT.fullmatch(each.name)) for each in sorted(parent.iterdir())]
        for each, match in left:
            if match is None or name not in (None, match["name"]):
                continue
            if match["what"] == "old":
                _put_back(each, parent / match["name"])
            elif match["host"] == _host() or _is_stale(each):
                _remove_if_left(each)


def _locked(folder: Path, *, mode: int) -> tuple[Path, int]:
    """A new folder, and a descriptor that holds the lock on it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        aside = _beside(folder, "making")
        aside.mkdir(mode=mode)
        with suppress(FileNotFoundError):  # swept before it was locked
            lock = os.open(aside, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: nothing is swept there
                fcntl.flock(lock, fcntl.LOCK_EX)
            if aside.exists():
                return aside, lock
            os.close(lock)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{_host()}{uuid4().hex[:24]}.{what}")


def _host() -> str:
    """This host, in eight digits."""
    return blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _put_back(old: Path, folder: Path) -> None:
    """What stood in a place stands there again if nothing else does; else it goes."""
    try:
        old.rename(folder)
    except OSError as error:
        if error.errno in _TAKEN:
            shutil.rmtree(old, ignore_errors=True)


def _remove_if_left(aside: Path) -> None:
    with suppress(FileNotFoundError):
        lock = os.open(aside, os.O_RDONLY)
        try:
            if _has_no_writer(aside, lock):
                shutil.rmtree(aside, ignore_errors=True)
        finally:
            os.close(lock)


def _has_no_writer(aside: Path, lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return _is_stale(aside)  # a file system on which folders have no locks
    return True


def _is_stale(aside: Path) -> bool:
    return time.time() - aside.stat().st_mtime > _STALE_S
