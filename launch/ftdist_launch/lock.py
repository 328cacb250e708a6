"""The lock of a run directory, held by the one `ftdist` process that works on the run.

The kernel releases it when its process ends. The file names the holder: for messages, and for other
machines, to which a shared file system may not show the lock.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TextIO

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir

TRIES = 10
RETRY_S = 0.01


class _Holder(NamedTuple):
    """Who holds the lock, as its file says."""

    host: str
    pid: int


_UNNAMED = _Holder("", 0)
"""One that has not written its name yet."""


@contextmanager
def run_lock(run: RunDir) -> Iterator[None]:
    """Hold the lock of a run within a `with` block.

    Raises:
        ConfigError: another process holds it, here or on another machine.
    """
    with run.lock.open("a+", encoding="utf-8") as file:
        holder, is_locked = _look(file, how=fcntl.LOCK_EX)
        if holder is None:
            holder = _write_name(file, is_locked=is_locked)
        if holder is not None:
            raise _held_by(holder, run)
        try:
            yield
        finally:
            file.truncate(0)


def is_held(run: RunDir) -> bool:
    """Whether a process holds the lock; processes of other machines are assumed to be alive."""
    return read_holder(run) is not None


def read_holder(run: RunDir) -> tuple[str, int] | None:
    """Host and process number of the holder of the lock; None: nobody holds it.

    One that is just taking it has no name yet: ("", 0).
    """
    try:
        with run.lock.open(encoding="utf-8") as file:
            return _look(file, how=fcntl.LOCK_SH)[0]
    except FileNotFoundError:
        return None


def _look(file: TextIO, *, how: int) -> tuple[_Holder | None, bool]:
    """Who else holds the lock, and whether the kernel has now given it to this process."""
    for _ in range(TRIES):
        is_locked = is_busy = False
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            is_locked = True
        except BlockingIOError:
            is_busy = True
        except OSError:  # this file system has no locks: the content alone decides
            pass
        holder = _read(file)
        if holder is not None and not (is_locked and holder.host == socket.gethostname()):
            return holder, False
        if not is_busy:
            return None, is_locked
        time.sleep(RETRY_S)  # another process is taking it or looking at it
    return _UNNAMED, False


def _write_name(file: TextIO, *, is_locked: bool) -> _Holder | None:
    """Name this process as the holder; who else did at the same time, where nothing locks."""
    own = _Holder(socket.gethostname(), os.getpid())
    file.truncate(0)
    json.dump(own._asdict(), file)
    file.flush()
    if is_locked:
        return None
    time.sleep(TRIES * RETRY_S)
    other = _read(file)
    return None if other == own else other or _UNNAMED


def _read(file: TextIO) -> _Holder | None:
    """Who the file names; None: nobody."""
    file.seek(0)
    text = file.read()
    try:
        return _Holder(**json.loads(text)) if text else None
    except ValueError:  # half written, or two wrote at once
        return _UNNAMED


def _held_by(holder: _Holder, run: RunDir) -> ConfigError:
    if holder == _UNNAMED:
        return ConfigError(
            f"Run {run.name} is just being locked by another process.",
            remedy=f"run the command again; if this stays so, delete {run.lock}.",
        )
    return ConfigError(
        f"Run {run.name} is locked by process {holder.pid} on {holder.host}.",
        remedy=f"wait for it, or stop it there with `ftdist cancel {run.cli_name}`; if "
        f"that machine is gone, delete {run.lock}.",
    )
