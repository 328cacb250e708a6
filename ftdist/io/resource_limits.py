"""Bounds on the memory and the processor time of a piece of work on somebody else's input."""

import re
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_STATUS = Path("/proc/self/status")
_GRACE_S = 10
"""How long native code, which no exception can interrupt, goes on before the process is ended."""


class OutOfTimeError(BaseException):
    """The processor time of a piece of work is used up.

    No `Exception`: libraries catch those in the middle of their work, and go on.
    """


@contextmanager
def limited(*, memory_gib: float, cpu_s: float) -> Iterator[None]:
    """Bound what the body may take beyond what this process has taken already.

    Python code gets an exception. Native code that goes on ends the process with SIGXCPU, so
    untrusted files are read in worker processes. Waiting for a disk is no processor time.

    Args:
        memory_gib: of data; files that are mapped into memory do not count.
        cpu_s: processor seconds of all threads of this process; outside of the main thread, only
            the process's end enforces them.

    Raises:
        MemoryError: an allocation would exceed the memory.
        OutOfTimeError: the time is over.
    """
    data, cpu = resource.getrlimit(resource.RLIMIT_DATA), resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    end_s = int(used.ru_utime + used.ru_stime + cpu_s + _GRACE_S)
    in_main_thread = threading.current_thread() is threading.main_thread()
    earlier = signal.signal(signal.SIGPROF, _out_of_time) if in_main_thread else None
    try:
        _set_soft(resource.RLIMIT_DATA, data_bytes() + int(memory_gib * 2**30), data)
        _set_soft(resource.RLIMIT_CPU, end_s, cpu)
        if in_main_thread:
            signal.setitimer(signal.ITIMER_PROF, cpu_s, 1.0)  # again, if a destructor swallows it
        yield
    finally:
        if in_main_thread:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, earlier)
        resource.setrlimit(resource.RLIMIT_DATA, data)
        resource.setrlimit(resource.RLIMIT_CPU, cpu)


def _out_of_time(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler
    raise OutOfTimeError


def _set_soft(which: int, value: int, limits: tuple[int, int]) -> None:
    """Lower a soft limit, never raise it."""
    soft, hard = limits
    known = [each for each in (value, soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(which, (min(known), hard))


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process; without /proc, so much that nothing is limited."""
    try:
        found = re.search(r"^VmData:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else sys.maxsize // 2
