"""Timestamps at the start of every line that a rank prints, by which logs are merged.

    2026-11-23T21:30:01.123Z step 12/120  loss 2.3456

Lines that do not pass through Python (warnings of C++ libraries, srun's errors) have none.
"""

import atexit
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO, cast

MAX_LINE_CHARS = 1 << 16
"""A longer line without an end is split."""

TIMESTAMP_CHARS = len("2026-11-23T21:30:01.123Z")


def now() -> str:
    """The current time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def split_timestamp(line: str) -> tuple[float | None, str]:
    """A line's time in seconds since the epoch, or None, and the line without it."""
    timestamp, _, text = line.partition(" ")
    if len(timestamp) == TIMESTAMP_CHARS and timestamp.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(timestamp).timestamp(), text
    return None, line


class TimestampedStream:
    """A text stream that prefixes each line with the time.

    A line is written whole, in one write, once it is complete: lines of several threads, and of
    stdout and stderr, which share a file, do not mix. `flush` writes no partial line. Of a progress
    bar that rewrites its line, only the last state is written. A closed output or a full disk
    loses lines but raises nothing.

    There is no lock: a signal handler may write while the code that it interrupts is writing.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], str] = now) -> None:
        self._stream = stream
        self._clock = clock
        self._partial: dict[int, str] = {}
        """By thread: an incomplete line."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Buffer text and write complete lines."""
        thread = threading.get_ident()
        *lines, rest = (self._partial.pop(thread, "") + text).split("\n")
        if len(rest) > MAX_LINE_CHARS:
            lines, rest = [*lines, rest], ""
        if rest:
            self._partial[thread] = _last_state(rest)
        if lines:
            self._write_lines(lines)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush complete lines."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def finish(self) -> None:
        """Write incomplete lines too."""
        while self._partial:
            self._write_lines([self._partial.popitem()[1]])
        self.flush()

    def _write_lines(self, lines: list[str]) -> None:
        time = self._clock()
        states = (_last_state(line).rstrip("\r") for line in lines)
        text = "".join(f"{time} {state}\n" for state in states)
        with suppress(OSError, ValueError):
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def add_timestamps() -> None:
    """Timestamp what this process prints to stdout and stderr from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TimestampedStream):
            continue
        timestamped = TimestampedStream(stream)
        setattr(sys, name, timestamped)
        _redirect_loggers(stream, timestamped)
        atexit.register(timestamped.finish)


def _redirect_loggers(before: TextIO, timestamped: TimestampedStream) -> None:
    """Let loggers that are set up already, such as submitit's, write to the new stream."""
    loggers = [logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in (handler for logger in loggers for handler in logger.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(cast("TextIO", timestamped))


def _last_state(line: str) -> str:
    """What a terminal would show of a line that a progress bar rewrote."""
    body = line.rstrip("\r")
    return body.rpartition("\r")[2] + line[len(body) :]
