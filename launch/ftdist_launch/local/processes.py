"""Processes of this machine, and the signals that this one handles."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

WATCH_EVERY_S = 0.5

CLEAN_UP_S = 3.0
"""How long a process has to clean up once the process that started it has ended."""

SAME_START_S = 2.0
"""Maximum difference between two readings of when one process started."""


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is still running, rather than ended and not reaped."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def started_s(process: psutil.Process) -> float:
    """When a process started, in seconds since boot: a pid alone may be used again."""
    return float(process.create_time() - psutil.boot_time())


def find_process(pid: int, *, started: float) -> psutil.Process | None:
    """The process with this pid, if it is running and started at this time."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if is_alive(process) and abs(started_s(process) - started) < SAME_START_S:
            return process
    return None


def children_of(pid: int) -> list[psutil.Process]:
    """The running children of a process."""
    with suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(pid).children() if is_alive(child)]
    return []


def send(number: signal.Signals, *processes: psutil.Process) -> None:
    """Send a signal to those that have not ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def exit_with(pid: int, *, exit_code: int) -> None:
    """Exit this process once another one has ended, first with SIGTERM, then by force.

    Args:
        pid: of the process to watch.
        exit_code: if force is needed, because native code blocks signal handlers.
    """

    def wait() -> None:
        with suppress(psutil.NoSuchProcess):
            other = psutil.Process(pid)
            while is_alive(other):
                time.sleep(WATCH_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(CLEAN_UP_S)
        os._exit(exit_code)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals with this handler within a `with` block."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def memory_kills() -> int:
    """How many processes the kernel has killed so far for lack of memory.

    Counted for our control group (version 2), or else for the whole machine.
    """
    group = (PROC / "self" / "cgroup").read_text().rpartition("0::/")[2].strip()
    for path in (CGROUPS / group / "memory.events", PROC / "vmstat"):
        with suppress(OSError):
            counters = dict(line.split() for line in path.read_text().splitlines())
            return int(counters["oom_kill"])
    return 0
