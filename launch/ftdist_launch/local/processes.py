"""Processes of this machine, from /proc."""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

WATCH_EVERY_S = 0.5

CLEAN_UP_S = 3.0
"""How long a process has to clean up once the process that started it has ended."""


@dataclass(frozen=True, kw_only=True)
class ProcessId:
    """Identifies a process uniquely; a pid alone may be reused."""

    pid: int
    start_ticks: int
    """When it started, in clock ticks since boot."""

    @classmethod
    def from_pid(cls, pid: int) -> "ProcessId | None":
        """The process with this pid; None if it has ended, reaped or not."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid=pid, start_ticks=int(fields[19]))

    @classmethod
    def current(cls) -> "ProcessId":
        """This process."""
        process = cls.from_pid(os.getpid())
        assert process is not None
        return process

    @property
    def alive(self) -> bool:
        """Whether this process is still running."""
        return ProcessId.from_pid(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def children_of(pid: int) -> tuple[ProcessId, ...]:
    """The running children of a process, oldest first."""
    children = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        fields = _stat(int(entry.name))
        if fields is not None and int(fields[1]) == pid and fields[0] not in ("Z", "X"):
            children.append(ProcessId(pid=int(entry.name), start_ticks=int(fields[19])))
    return tuple(sorted(children, key=lambda child: (child.start_ticks, child.pid)))


def exit_with(other: ProcessId, *, exit_code: int) -> None:
    """Exit this process once another one has ended, first with SIGTERM, then by force.

    Args:
        other: the process to watch.
        exit_code: if force is needed, because native code blocks signal handlers.
    """

    def wait() -> None:
        while other.alive:
            time.sleep(WATCH_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(CLEAN_UP_S)
        os._exit(exit_code)

    threading.Thread(target=wait, daemon=True).start()


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


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the name before it may contain spaces."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.rpartition(")")[2].split()
