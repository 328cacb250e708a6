"""Progress lines of long work: how much is done, how fast, and the time left."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from ftdist.io.units import format_duration

Result = TypeVar("Result")
LogFn = Callable[[str], None]

QUIET = "FTDIST_QUIET"
"""Environment variable of `ftdist --quiet`, which child processes inherit."""

_EVERY_S = 5.0
_SILENT_S = 25.0
_TICK_S = 15.0
_MIB = 2**20


def is_quiet() -> bool:
    """Whether only results, warnings and errors are shown."""
    return bool(os.environ.get(QUIET))


def no_log(_: str) -> None:
    """Discard progress lines."""


class Heartbeat:
    """A log that does not stay silent: it repeats its last line with the time spent on it.

    Args:
        log: receives the lines.
        silent_s: seconds of silence after which the last line is repeated, and again after each.
    """

    def __init__(self, log: LogFn, *, silent_s: float = _SILENT_S) -> None:
        self._log, self._silent_s = log, silent_s
        self._line = ""
        self._since = self._spoke = time.monotonic()
        self._over = threading.Event()

    def __call__(self, line: str) -> None:
        """Log a line."""
        self._line = line
        self._since = self._spoke = time.monotonic()
        self._log(line)

    def __enter__(self) -> Self:
        """Begin to watch for silence."""
        self._over = threading.Event()
        self._since = self._spoke = time.monotonic()
        threading.Thread(target=self._watch, args=(self._over,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._over.set()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(max(0.01, self._spoke + self._silent_s - time.monotonic())):
            now = time.monotonic()
            if self._line and now - self._spoke >= self._silent_s:
                self._spoke = now
                self._log(f"{self._line} ... still at work, {now - self._since:.0f} s")


class Ticker:
    """Logs a line whenever nothing else has been logged for some seconds.

    Args:
        log: receives the lines.
        line: gives the line of that moment.
        every_s: seconds of silence after which it is logged.
    """

    def __init__(self, log: LogFn, line: Callable[[], str], *, every_s: float = _TICK_S) -> None:
        self._log, self._line, self._every_s = log, line, every_s
        self._spoke = time.monotonic()
        self._over = threading.Event()

    def __call__(self, line: str) -> None:
        """Log another line."""
        self._spoke = time.monotonic()
        self._log(line)

    def __enter__(self) -> Self:
        """Begin to watch for silence."""
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(max(0.01, self._spoke + self._every_s - time.monotonic())):
            if time.monotonic() - self._spoke >= self._every_s:
                self(self._line())


def count(number: int, noun: str) -> str:
    """A number with its noun, such as "1 shard" or "2 processes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def report_progress(
    results: Iterable[Result], *, sizes: Sequence[int], log: LogFn
) -> Iterator[Result]:
    """Pass results on, and log the progress now and then.

    Args:
        results: in order of completion; at least as many as there are sizes.
        sizes: input bytes of each result; 0 for cached results, which cost nothing.
        log: called at most once per percent and once in five seconds.
    """
    total, done, logged = sum(sizes), 0, 0
    began = last = time.monotonic()
    for number, (size, result) in enumerate(zip(sizes, results, strict=False), 1):
        done += size
        now = time.monotonic()
        if now - last >= _EVERY_S and done - logged >= total / 100 > 0:
            last, logged, rate = now, done, done / (now - began)
            amount = (
                f"{done / _MIB:,.0f} of {total / _MIB:,.0f} MiB, {rate / _MIB:.1f} MiB/s"
                if total >= _MIB
                else f"{number} of {len(sizes)} parts"
            )
            log(f"{amount}, {format_duration((total - done) / rate)} left")
        yield result
