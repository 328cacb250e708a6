"""Time stamps before every line that a rank writes, by which the logs of all ranks are merged.

    2026-11-23T21:30:01.123Z step 12/120  loss 2.3456

Lines that do not pass through Python (warnings of C++ libraries, srun's own errors) have none.
"""

import atexit
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO, cast

LONGEST = 1 << 16
"""Characters after which a line without an end is ended."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ?")


def now() -> str:
    """This moment in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def split_stamp(line: str) -> tuple[float | None, str]:
    """A line's time, in seconds since the epoch, and the line without it; None: it has no stamp."""
    found = _STAMP.match(line)
    if found is None:
        return None, line
    try:
        return datetime.fromisoformat(found[1]).timestamp(), line[found.end() :]
    except ValueError:
        return None, line


def unstamped(line: str) -> str:
    """A line of a log as it was written, without the time before it."""
    return split_stamp(line)[1]


class StampedLines:
    """A text stream that puts the time before each line, and is otherwise the stream that it wraps.

    A line goes out whole, in one write, once its end has come: lines of several threads, and of
    stdout and stderr, which share a file, do not mix. `flush` brings out whole lines alone. Of a
    line that a progress bar writes again and again, only its last state goes out. An output that
    was closed, or whose disk is full, takes no line and stops nobody.

    There is no lock: a signal handler may write while the code that it interrupts writes.

    Args:
        stream: where lines go.
        stamp: gives the time.
    """

    def __init__(self, stream: TextIO, *, stamp: Callable[[], str] = now) -> None:
        self._stream = stream
        self._stamp = stamp
        self._begun: dict[int, str] = {}
        """By thread: a line whose end has not come."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Take some text; whole lines go out.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread = threading.get_ident()
        *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
        if len(rest) > LONGEST:
            lines, rest = [*lines, rest], ""
        if rest:
            self._begun[thread] = _last_state(rest)
        if lines:
            self._put(lines)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Take several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Bring out what was written as whole lines."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def finish(self) -> None:
        """Bring out lines that were begun, as if their ends had come."""
        while self._begun:
            _, line = self._begun.popitem()
            self._put([line])
        self.flush()

    def _put(self, lines: list[str]) -> None:
        stamp = self._stamp()
        whole = (_last_state(line).rstrip("\r") for line in lines)
        text = "".join(f"{stamp} {line}\n" for line in whole)
        with suppress(OSError, ValueError):
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def stamp_lines() -> None:
    """Stamp what this process writes to stdout and stderr from now on, until it ends."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or isinstance(stream, StampedLines):
            continue
        stamped = StampedLines(stream)
        setattr(sys, name, cast("TextIO", stamped))
        _hand_over(stream, stamped)
        atexit.register(stamped.finish)


def _hand_over(before: TextIO, stamped: StampedLines) -> None:
    """Let loggers that were set up already, such as submitit's, write to the stamped stream."""
    named = (logging.getLogger(name) for name in list(logging.root.manager.loggerDict))
    for logger in (logging.root, *named):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(cast("TextIO", stamped))


def _last_state(line: str) -> str:
    """What a terminal would show of a line in which a bar went back to the beginning."""
    body = line.rstrip("\r")
    return body.rpartition("\r")[2] + line[len(body) :]
