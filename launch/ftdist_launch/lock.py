"""The lock of a run directory, held by the one `ftdist` process that works on the run."""

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch.local.processes import ProcessId


@contextmanager
def run_lock(run: RunDir, *, log: Callable[[str], None]) -> Iterator[None]:
    """Hold `run.lock` within a `with` block.

    The lock of a dead process of this machine is taken over, and this is logged.

    Raises:
        ConfigError: another process holds it, here or on another machine.
    """
    own = ProcessId.current()
    mine = {"host": socket.gethostname(), "pid": own.pid, "start_ticks": own.start_ticks}
    while not _take(run, mine):
        holder = _read(run)
        if holder is None:
            continue
        if is_held(run):
            raise ConfigError(
                f"Run {run.name} is locked by process {holder['pid']} on {holder['host']}.",
                remedy=f"wait for it, or stop it there with `kill {holder['pid']}`; if that "
                f"machine is gone, delete {run.lock}.",
            )
        if _unlink_stale(run, holder):
            log(f"Taking over the lock of run {run.name}: process {holder['pid']} has ended.")
    try:
        yield
    finally:
        if _read(run) == mine:
            run.lock.unlink(missing_ok=True)


def is_held(run: RunDir) -> bool:
    """Whether a process holds the lock; processes of other machines are assumed to be alive."""
    holder = _read(run)
    if holder is None:
        return False
    if holder["host"] != socket.gethostname():
        return True
    return ProcessId(pid=holder["pid"], start_ticks=holder["start_ticks"]).alive


def _take(run: RunDir, mine: dict[str, Any]) -> bool:
    # Written to a temporary file and linked: a reader never sees an incomplete lock.
    tmp_path = run.lock.with_name(f".lock.{os.getpid()}.tmp")
    tmp_path.write_text(json.dumps(mine))
    try:
        os.link(tmp_path, run.lock)
    except FileExistsError:
        return False
    finally:
        tmp_path.unlink()
    return True


def _unlink_stale(run: RunDir, holder: dict[str, Any]) -> bool:
    """Remove the lock if it is still that of `holder`, which has ended.

    Two processes may find the same stale lock. The slower one must not remove the new lock of
    the faster one, so they check again and remove it in turn.
    """
    with run.lock.with_name(".lock.turn").open("w", encoding="utf-8") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if _read(run) != holder:
            return False
        run.lock.unlink(missing_ok=True)
        return True


def _read(run: RunDir) -> dict[str, Any] | None:
    try:
        holder = json.loads(run.lock.read_text())
        return {"host": holder["host"], "pid": holder["pid"], "start_ticks": holder["start_ticks"]}
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, KeyError, TypeError):
        return {"host": "?", "pid": 0, "start_ticks": 0}
