"""Keep `report/training.html` up to date while a run trains.

The page is drawn by a process of its own at the lowest priority: a thread of rank 0 would take
Python's lock from the step.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ftdist.rundir import RunDir

NICENESS = 19
"""The process runs when no other one wants the core."""

FIRST_AFTER_S = 5.0
"""When the page is drawn for the first time."""

MAX_SHARE = 0.1
"""Largest share of a core that the process takes; long runs are drawn less often."""

CLOSE_TIMEOUT_S = 5.0
"""Longest wait for the killed process."""

_POLL_S = 0.5


class LivePage:
    """Updates the page of a run until it is closed, in a child process; failures are ignored.

    Args:
        run: whose page.
        every_s: seconds between two updates.
    """

    def __init__(self, run: RunDir, *, every_s: float) -> None:
        self.path = run.report / "training.html"
        self._child: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ftdist.observe.live_page"),
                    *(str(run.root), str(every_s), str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # signals to the ranks are not for it
            )

    def close(self) -> None:
        """Stop; the launcher draws the page again when the attempt has ended."""
        if self._child is not None:
            self._child.kill()
            with suppress(subprocess.TimeoutExpired):  # it hangs in a file system
                self._child.wait(CLOSE_TIMEOUT_S)


def main(root: str, every_s: str, parent_pid: str) -> int:
    """Update the page until the parent process is gone."""
    run, interval_s, parent = RunDir(Path(root)), float(every_s), int(parent_pid)
    os.nice(NICENESS)
    drawn: tuple[int, ...] = ()
    wait_s = min(FIRST_AFTER_S, interval_s)
    while _parent_lives(parent, seconds=wait_s):
        began = time.process_time()
        drawn = update(run, drawn=drawn, refresh_s=interval_s)
        wait_s = max(interval_s, (time.process_time() - began) / MAX_SHARE)
    return 0


def update(run: RunDir, *, drawn: tuple[int, ...], refresh_s: float) -> tuple[int, ...]:
    """Draw the page if the records have grown; failures, also of the file system, are ignored.

    Args:
        run: whose page.
        drawn: sizes of the records when the page was drawn last.
        refresh_s: seconds after which a browser loads the page again.

    Returns:
        The sizes that are drawn now.
    """
    with suppress(Exception):
        sizes = _sizes(run)
        if sizes != drawn:
            from ftdist.observe.training_page import write_training_page  # pygal and jinja2

            write_training_page(run, refresh_s=refresh_s)
            return sizes
    return drawn


def _sizes(run: RunDir) -> tuple[int, ...]:
    return tuple(path.stat().st_size for path in (run.metrics, run.events) if path.exists())


def _parent_lives(parent: int, *, seconds: float) -> bool:
    """Whether the parent process lives for so long."""
    deadline = time.monotonic() + seconds
    while os.getppid() == parent:
        if time.monotonic() >= deadline:
            return True
        time.sleep(_POLL_S)
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
