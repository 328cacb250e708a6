"""Lines of progress of questions that a model answers."""

import time
from collections.abc import Callable

from ftdist.io.progress import LogFn
from ftdist.io.units import format_duration

_SILENT_S = 20.0
"""Within a batch, between two lines of progress."""


class AnswerProgress:
    """Prints the number of finished questions and the estimated time left.

    Args:
        what: is asked.
        total: number of questions.
        log: for the lines.
        clock: seconds since any fixed time.
    """

    def __init__(
        self,
        what: str,
        *,
        total: int,
        log: LogFn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._what, self._total, self._done, self._clock = what, total, 0, clock
        self._started = self._spoke = clock()

    def __call__(self, count: int) -> None:
        """Print that `count` further questions are done."""
        self._done += count
        self._log_line(self._done)

    def within(self, part: float) -> None:
        """Print the same within a long batch, now and then.

        Args:
            part: questions of the batch that are done, as far as its tokens are.
        """
        if part > 0 and self._clock() - self._spoke >= _SILENT_S:
            self._log_line(self._done + part, doubt="about ")

    def _log_line(self, done: float, *, doubt: str = "") -> None:
        self._spoke = self._clock()
        left = format_duration((self._spoke - self._started) / done * (self._total - done))
        self._log(f"compare: {self._what} {self._done}/{self._total}, {doubt}{left} left")
