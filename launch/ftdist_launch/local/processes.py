"""Processes of this machine, as /proc shows them."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

WATCH_EVERY_S = 0.5

CLEAN_UP_S = 3.0
"""How long a process has to tidy up once the one that it works for has ended."""


@dataclass(frozen=True, kw_only=True)
class ProcessId:
    """One process for ever: a pid alone may be given to another process later."""

    pid: int
    start_ticks: int
    """When it started, in clock ticks since the machine did."""

    @classmethod
    def from_pid(cls, pid: int) -> "ProcessId | None":
        """The process that has this pid now; none if it has ended, reaped or not."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid=pid, start_ticks=int(fields[19]))

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.from_pid(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def children_of(pid: int) -> tuple[ProcessId, ...]:
    """The running children of a process, oldest first."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        fields = _stat(int(entry.name))
        if fields is not None and int(fields[1]) == pid and fields[0] not in ("Z", "X"):
            found.append(ProcessId(pid=int(entry.name), start_ticks=int(fields[19])))
    return tuple(sorted(found, key=lambda child: (child.start_ticks, child.pid)))


def end_with(other: ProcessId, *, exit_code: int) -> None:
    """End this process once another one has ended, in whatever way: asked first, then by force.

    Args:
        other: the one that this process works for.
        exit_code: where force is needed, because native code does not let the main thread hear.
    """

    def wait() -> None:
        while other.alive:
            time.sleep(WATCH_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(CLEAN_UP_S)
        os._exit(exit_code)

    threading.Thread(target=wait, daemon=True).start()


def memory_kills() -> int:
    """How many processes were killed so far for want of memory, in our control group.

    The count of the whole machine stands in where the group's is not shown.
    """
    for path in (*_memory_counters(), PROC / "vmstat"):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _memory_counters() -> Iterator[Path]:
    """Files that count the kills of this process's control group, of either version."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers == "memory":
            yield CGROUPS / "memory" / place.lstrip("/") / "memory.oom_control"
        elif not controllers:
            yield CGROUPS / place.lstrip("/") / "memory.events"


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the name before it may hold blanks."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.rpartition(")")[2].split()
