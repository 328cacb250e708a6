"""A first rendering of a stranger's chat template, in a process of its own.

Jinja's sandbox keeps a template from running code; it does not keep it from looping without
end or from asking for all memory. The trial shows that before the template is used where it
matters.
"""

import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ftdist.io.child_process import end_with_parent
from ftdist.io.resource_limits import data_bytes

TRIAL_S, TRIAL_GIB = 10, 1
"""What the template may take for a few short messages: processor seconds, and memory."""

RENDER_S = 60
"""Processor seconds of one rendering later, however long the conversation."""

_DEADLINE_S = 120.0
"""Time by the clock after which a trial ends without a verdict."""

_REASONS = {3: f"more than {TRIAL_GIB} GiB of memory", 4: "endless recursion"}
"""What a template takes, by the exit code of its trial."""

_OUT_OF_MEMORY, _TOO_DEEP = _REASONS


class EndlessTemplateError(Exception):
    """A template takes more time, memory or depth than rendering can need."""


def try_in_child(render: Callable[[], object]) -> None:
    """Render in a forked process, whose limits the template cannot lift; it dies with this one.

    A process that has begun to use a GPU is not forked: the template was tried before it started.
    A trial that stands still is no verdict on the template: a lock that another thread held at the
    fork is never released in the child.

    Args:
        render: an exception that it raises is left to the caller's own rendering.

    Raises:
        EndlessTemplateError: it took too much.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, of which it uses none
        child = os.fork()
    if child == 0:
        _render_and_exit(render, parent=parent)
    code, processor_s = _wait(child)
    if code == -signal.SIGVTALRM or processor_s > TRIAL_S:
        reason = f"more than {TRIAL_S} s of processor time"
    elif code in _REASONS:
        reason = _REASONS[code]
    else:
        return
    raise EndlessTemplateError(f"takes {reason} for a few short messages")


def _render_and_exit(render: Callable[[], object], *, parent: int) -> None:
    """What the child does; it never returns."""
    code = 0
    try:
        end_with_parent(parent, number=signal.SIGKILL)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = data_bytes() + TRIAL_GIB * 2**30
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_VIRTUAL, TRIAL_S)
        render()
    except MemoryError:
        code = _OUT_OF_MEMORY
    except RecursionError:
        code = _TOO_DEEP
    except BaseException:  # noqa: BLE001 - the rendering in the parent reports it
        code = 0
    finally:
        os._exit(code)


def _wait(child: int) -> tuple[int, float]:
    """Exit code and processor seconds of a child that ended, or was killed after a deadline."""
    end = time.monotonic() + _DEADLINE_S
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


@contextmanager
def render_limit() -> Iterator[None]:
    """Bound the time of one rendering in the main thread.

    Raises:
        EndlessTemplateError: it is over.
    """
    try:
        earlier = signal.signal(signal.SIGVTALRM, _end)
    except ValueError:  # another thread
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, RENDER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, earlier)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler
    raise EndlessTemplateError(f"takes more than {RENDER_S} s of processor time")
