"""Merge the logs of all ranks by timestamp, also while they grow.

Logs are read in chunks and are open only while a chunk is read: neither their length nor the
number of ranks is limited by memory or by open files.
"""

import heapq
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ftdist_launch.logs.timestamps import MAX_LINE_CHARS, split_timestamp

CHUNK_BYTES = 1 << 15
HOLD_BACK_S = 1.0
"""How long a new line of a growing log is held back: an older line of another rank may follow."""


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """A part of a rank's log."""

    path: Path
    rank: int
    job: str = ""
    since: float = 0.0
    """Earlier lines are left out."""

    before: float = math.inf
    """Lines from this time on are left out."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line of a log."""

    rank: int
    time: float
    """Seconds since the epoch; without a timestamp that of the line before, or 0. At most the time
    when it was read: the clock of a host may be ahead of ours."""

    text: str


class LogMerger:
    """Yields the lines of several logs in order of time; on a tie the lower rank comes first.

    Lines of one log keep their order, even where its clock was set back. Exhaust each iterator: a
    line is consumed when the next one is requested.
    """

    def __init__(self) -> None:
        self._logs: dict[Path, _LogReader] = {}

    def add(self, files: Iterable[LogFile]) -> None:
        """Add logs; those that were added before continue where they are."""
        for file in files:
            self._logs.setdefault(file.path, _LogReader(file))

    def remaining(self) -> Iterator[LogLine]:
        """All lines up to the end of each log, unterminated last lines included."""
        yield from self._merged(final=True)

    def available(self, *, hold_back_s: float = HOLD_BACK_S) -> Iterator[LogLine]:
        """Lines so far, except for those so new that older ones of another log may be missing."""
        for line in self._merged(final=False):
            if time.time() - line.time < hold_back_s:
                return
            yield line

    def _merged(self, *, final: bool) -> Iterator[LogLine]:
        streams = (log.lines(final=final) for log in self._logs.values())
        return heapq.merge(*streams, key=lambda line: (line.time, line.rank))


def follow_file(path: Path) -> LogMerger:
    """The lines of one file, which may not exist yet."""
    merger = LogMerger()
    merger.add([LogFile(path=path, rank=0)])
    return merger


class _LogReader:
    """Reads one log, a chunk at a time."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._offset = 0
        self._time = 0.0
        self._lines: deque[LogLine] = deque()
        self._partial = b""

    def lines(self, *, final: bool) -> Iterator[LogLine]:
        """Yield complete lines; each is removed only when the next one is requested.

        Args:
            final: whether an unterminated last line counts as one.
        """
        while True:
            while not self._lines and self._read_chunk():
                pass
            if final and not self._lines and self._partial:
                line, self._partial = self._partial, b""
                self._append(line)
            if not self._lines:
                return
            yield self._lines[0]
            self._lines.popleft()

    def _read_chunk(self) -> bool:
        """Whether there was another chunk."""
        try:
            with self._file.path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(CHUNK_BYTES)
        except FileNotFoundError:
            return False
        self._offset += len(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > MAX_LINE_CHARS:
            lines, self._partial = [*lines, self._partial], b""
        for line in lines:
            self._append(line)
        return bool(chunk)

    def _append(self, line: bytes) -> None:
        timestamp, text = split_timestamp(line.decode("utf-8", errors="replace").rstrip("\r"))
        if timestamp is not None:
            self._time = min(timestamp, time.time())
        if self._file.since <= self._time < self._file.before:
            self._lines.append(LogLine(rank=self._file.rank, time=self._time, text=text))
