"""Graceful stop flag, set by signals and checked at step boundaries.

No collective runs in a signal handler: ranks would enter it at different points. The loop shares
the flag with the other ranks after each step.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
"""USR2: the launcher (NCCL may catch USR1); TERM: preemption; INT: a person."""


class StopRequest:
    """Whether this rank was asked to stop."""

    def __init__(self) -> None:
        self.signal_name: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether a stop signal came."""
        return self.signal_name is not None

    def request(self, signal_number: int, _frame: FrameType | None = None) -> None:
        """Signal handler: remember the first signal; later ones change nothing."""
        if self.signal_name is None:
            self.signal_name = signal.Signals(signal_number).name

    @classmethod
    @contextmanager
    def listening(cls) -> "Iterator[StopRequest]":
        """Handle `STOP_SIGNALS` within a `with` block, then restore the handlers."""
        stop = cls()
        before = {number: signal.signal(number, stop.request) for number in STOP_SIGNALS}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
