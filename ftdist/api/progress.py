"""What a job shows while it runs: rank 0's log, or nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path

from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.logs.merge import LogLine, follow_file
from ftdist_launch.rank_failures import FAILED

from ftdist.config.schema import RunConfig
from ftdist.io.progress import LogFn
from ftdist.rundir import RunDir
from ftdist.text.terminal import plain

HIDDEN = ("submitit ", FAILED)
"""Prefixes of log lines from submitit, and of errors that are reported at the end."""


class Copy:
    """Copies rank 0's log to stdout.

    Args:
        log: of rank 0.
    """

    def __init__(self, log: Path) -> None:
        self._log = follow_file(log)
        self._is_closed = False

    def update(self) -> None:
        """Copy new lines."""
        self._print(self._log.available(hold_back_s=0))

    def close(self) -> None:
        """Copy the rest."""
        self._print(self._log.remaining())

    def _print(self, lines: Iterator[LogLine]) -> None:
        text = "".join(
            f"{plain(line.text)}\n" for line in lines if not line.text.startswith(HIDDEN)
        )
        if not text or self._is_closed:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            # The reader (such as `| head`) or the terminal has gone; training continues.
            self._is_closed = True


class Nothing:
    """Shows nothing."""

    def update(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class Output:
    """Where functions of a notebook or a script show messages and progress: stdout, or nowhere.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    @property
    def log(self) -> LogFn:
        """Shows a message."""
        return self._log

    def supervise(self, run: RunDir, config: RunConfig, *, steps: int | None = None) -> Supervisor:  # noqa: ARG002 - as Supervise
        """A supervisor that shows rank 0's log."""
        return Supervisor(run=run, config=config, make_view=self._view, log=self._log)

    def _log(self, message: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"{plain(message)}\n")
            sys.stdout.flush()

    def _view(self, log: Path) -> Nothing | Copy:
        return Nothing() if self._quiet else Copy(log)
