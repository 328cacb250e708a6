"""Errors of shared file systems that pass, and files that show late: waited for up to a deadline.

A server that restarts answers ESTALE, EIO or ETIMEDOUT for seconds, and the cache of another node
shows a new file some seconds after it was renamed. What lasts longer is reported, and the run is
started again: see `ftdist.errors.TransientStorageError`.
"""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ftdist.errors import TransientStorageError
from ftdist.io.host import node_name

T = TypeVar("T")

DEADLINE_S = 60.0
"""How long a passing error is tried again, and a file that shows late is waited for."""

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0

PASSING = frozenset(
    (errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EREMOTEIO, errno.EHOSTDOWN, errno.ENOTCONN)
)
"""What file systems answer while their server is away. A broken disk answers EIO without limit."""


def is_passing(error: OSError) -> bool:
    """Whether an error may be gone in a moment."""
    return error.errno in PASSING


def retry_passing(action: Callable[[], T], *, deadline_s: float | None = None) -> T:
    """Call `action`, again and again while it meets a passing error.

    Args:
        action: opens its files at every call, and may be repeated.
        deadline_s: seconds after which its error is raised; None: `DEADLINE_S`.

    Raises:
        OSError: the last error of `action`, or the first that does not pass.
    """
    return _retry(action, again=is_passing, deadline_s=deadline_s)


def wait_for(path: Path, *, deadline_s: float | None = None) -> Path:
    """Wait until a file or folder that another node has made shows here too, and return it.

    Args:
        path: what was made before this process was asked to read it.
        deadline_s: seconds to wait; None: `DEADLINE_S`.

    Raises:
        TransientStorageError: it did not show in time.
    """
    wait_s = DEADLINE_S if deadline_s is None else deadline_s
    try:
        _retry(lambda: _look_anew(path), again=_may_show, deadline_s=wait_s)
    except (FileNotFoundError, NotADirectoryError):
        raise TransientStorageError(
            f"{path} did not show on {node_name()} within {wait_s:.0f} s.",
            remedy="check that this node mounts the shared file system of the run, and that nobody "
            "removed it; then resume the run.",
        ) from None
    except OSError as error:
        if not is_passing(error):
            return path  # it is there: whoever opens it says what is wrong
        raise TransientStorageError(
            f"{path} could not be looked at on {node_name()} for {wait_s:.0f} s: {error.strerror}.",
            remedy="check the shared file system, then resume the run.",
        ) from error
    return path


def _may_show(error: OSError) -> bool:
    return is_passing(error) or isinstance(error, (FileNotFoundError, NotADirectoryError))


def _look_anew(path: Path) -> None:
    """Look a path up so that a network file system asks its server."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError:
        with suppress(OSError):  # a listing of the parent drops the cached answer
            list(path.parent.iterdir())
        raise


def _retry(
    action: Callable[[], T], *, again: Callable[[OSError], bool], deadline_s: float | None
) -> T:
    wait_s = DEADLINE_S if deadline_s is None else deadline_s
    deadline, pause = time.monotonic() + wait_s, FIRST_PAUSE_S
    while True:
        try:
            return action()
        except OSError as error:
            left = deadline - time.monotonic()
            if left <= 0 or not again(error):
                raise
            time.sleep(min(pause, left))
            pause = min(2 * pause, MAX_PAUSE_S)
