"""Lines that show that long work is going on."""

import time
from collections.abc import Callable

from ftdist.io.progress import LogFn
from ftdist.io.units import format_duration

EVERY_S = 25.0


class ProgressLine:
    """Reports how far long work is, at most every 25 s; short work is never reported.

    Args:
        log: for the lines.
        on_report: called at every report, also at those that are not logged.
        clock: seconds since any fixed time.
    """

    def __init__(
        self,
        log: LogFn,
        *,
        on_report: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._on_report = on_report
        self._clock = clock
        self._title = ""
        self._started = self._logged = clock()

    def start(self, title: str) -> None:
        """Begin new work.

        Args:
            title: what is done, such as "Evaluating after step 50".
        """
        self._title = title
        self._started = self._logged = self._clock()

    def report(self, done: int, total: int, noun: str) -> None:
        """Report progress if the last report is old enough.

        Args:
            done: how much of the current part is done.
            total: how much it is in all.
            noun: what is counted, in the plural.
        """
        self._on_report()
        now = self._clock()
        if now - self._logged < EVERY_S:
            return
        self._logged = now
        since = format_duration(now - self._started)
        self._log(f"{self._title}: {done} of {total} {noun}, {since} so far.")
