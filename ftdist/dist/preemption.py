"""A wish to stop, heard at any time, obeyed at a step's end.

A signal only sets a flag here. Nothing collective runs in a handler: ranks would run into it at
different places. The loop adds the flag to what the ranks agree on after each step.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
"""USR2: the launcher (NCCL may catch USR1); TERM: a preempting cluster; INT: a person."""


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
        """Listen for `STOP_SIGNALS` within a `with` block, then hand them back."""
        stop = cls()
        before = {number: signal.signal(number, stop.request) for number in STOP_SIGNALS}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
