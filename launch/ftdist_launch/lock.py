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
from typing import Any, TextIO

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir

TRIES = 10
RETRY_S = 0.01


@contextmanager
def run_lock(run: RunDir) -> Iterator[None]:
    """Hold the lock of a run within a `with` block.

    Raises:
        ConfigError: another process holds it, here or on another machine.
    """
    with run.lock.open("a+", encoding="utf-8") as file:
        if holder := _holder(file, how=fcntl.LOCK_EX):
            raise ConfigError(
                f"Run {run.name} is locked by process {holder['pid']} on {holder['host']}.",
                remedy=f"wait for it, or stop it there with `kill {holder['pid']}`; if that "
                f"machine is gone, delete {run.lock}.",
            )
        file.truncate(0)
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, file)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def is_held(run: RunDir) -> bool:
    """Whether a process holds the lock; processes of other machines are assumed to be alive."""
    try:
        with run.lock.open(encoding="utf-8") as file:
            return _holder(file, how=fcntl.LOCK_SH) is not None
    except FileNotFoundError:
        return False


def _holder(file: TextIO, *, how: int) -> dict[str, Any] | None:
    """Who holds the lock; None: nobody, so that this process does until it closes the file."""
    for _ in range(TRIES):
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            is_ours = True
        except OSError:  # taken, or this file system has no locks: then the content decides
            is_ours = False
        file.seek(0)
        text = file.read()
        holder: dict[str, Any] | None = json.loads(text) if text else None
        if holder is not None and not (is_ours and holder["host"] == socket.gethostname()):
            return holder
        if is_ours:
            return None
        time.sleep(RETRY_S)  # another process is taking it or looking at it
    return None
