"""The logs of many ranks as one, by the time of each line; they may still grow.

A log is read a piece at a time and is open only meanwhile, so that neither its length nor the
number of ranks is bounded by memory or by open files.
"""

import heapq
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftdist_launch.logs.timestamps import LONGEST, split_stamp

PIECE_BYTES = 1 << 15
LATE_S = 1.0
"""How long a line of a log that still grows is held back: another rank's may be older."""


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """A part of a rank's log."""

    path: Path
    rank: int
    start: int = 0
    """First byte."""

    end: int | None = None
    """The byte after the last one; None: all that there is, and will be."""

    since: float = 0.0
    """Lines before this time are left out; those without a time are as old as the one before."""

    before: float = float("inf")
    """Lines from this time on are left out."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a log."""

    rank: int
    time: float
    """Seconds since the epoch; of a line without a stamp that of the line before, or 0."""

    text: str


@dataclass
class Merge:
    """Reads logs side by side and gives their lines in order of time.

    Lines of one log stay in their order, even where its clock was set back. Of lines of the same
    time those of the lower rank come first.
    """

    _logs: dict[Path, "_Log"] = field(default_factory=dict)

    def add(self, files: Iterable[LogFile]) -> None:
        """Take more logs; those that are known already go on where they were."""
        for file in files:
            if file.path not in self._logs:
                self._logs[file.path] = _Log(file)

    def __len__(self) -> int:
        return len(self._logs)

    def rest(self) -> Iterator[Line]:
        """Everything up to the end of each log, last lines without an end included."""
        yield from self._lines(whole_s=None)

    def so_far(self, *, late_s: float = LATE_S) -> Iterator[Line]:
        """What is there, but for lines so new that another log's older ones may be missing.

        Args:
            late_s: seconds within which every log shows what its rank wrote.
        """
        yield from self._lines(whole_s=late_s)

    def _lines(self, *, whole_s: float | None) -> Iterator[Line]:
        heads = [head for log in self._logs.values() if (head := log.head(rest=whole_s is None))]
        heapq.heapify(heads)
        while heads:
            log = heads[0].log
            if whole_s is not None and not log.is_ripe(whole_s):
                return
            yield log.take()
            head = log.head(rest=whole_s is None)
            if head is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, head)


@dataclass(order=True)
class _Head:
    """The next line's place among those of other logs."""

    time: float
    rank: int
    name: str
    log: "_Log" = field(compare=False)


class _Log:
    """One log, read a piece at a time.

    Args:
        file: which part of which file.
    """

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._place = file.start
        self._time = 0.0
        self._lines: deque[Line] = deque()
        self._begun = b""
        self._read_at = 0.0

    def head(self, *, rest: bool) -> _Head | None:
        """The place of the next line; none where none is there.

        Args:
            rest: whether a last line without an end is one.
        """
        while not self._lines and self._read():
            pass
        if rest and not self._lines and self._begun:
            line, self._begun = self._begun, b""
            self._note(line)
        if not self._lines:
            return None
        return _Head(self._lines[0].time, self._file.rank, self._file.path.name, self)

    def take(self) -> Line:
        """The next line; there is one."""
        return self._lines.popleft()

    def is_ripe(self, late_s: float) -> bool:
        """Whether the next line is old, by its own clock or by ours."""
        own = time.time() - self._lines[0].time
        return own >= late_s or time.monotonic() - self._read_at >= late_s

    def _read(self) -> bool:
        """Take in one more piece; whether there was one."""
        most = PIECE_BYTES
        if self._file.end is not None:
            most = min(most, self._file.end - self._place)
        try:
            with self._file.path.open("rb") as file:
                file.seek(self._place)
                piece = file.read(most) if most > 0 else b""
        except FileNotFoundError:
            return False
        if not piece:
            return False
        self._place += len(piece)
        self._read_at = time.monotonic()
        *lines, self._begun = (self._begun + piece).split(b"\n")
        if len(self._begun) > LONGEST:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            self._note(line)
        return True

    def _note(self, line: bytes) -> None:
        stamp, text = split_stamp(line.decode("utf-8", errors="replace").rstrip("\r"))
        if stamp is not None:
            self._time = stamp
        if self._file.since <= self._time < self._file.before:
            self._lines.append(Line(rank=self._file.rank, time=self._time, text=text))
