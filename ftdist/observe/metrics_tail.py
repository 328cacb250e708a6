"""A run's record as W&B is to show it: each step once, in order, what its nodes measured beside it.

`metrics.jsonl` and `attempts/N/system-HOST.jsonl` are only ever added to, so whoever mirrors them
needs to know no more than the last step that the mirror has. No torch, no wandb.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftdist.observe.metrics import STEP, SYSTEM_METRICS, TIME, Row, read_metrics
from ftdist.rundir import RunDir

NODES_EVERY_S = 5.0
"""Least time between two looks at the files of all nodes."""


class MetricsTail:
    """Follows the record of a run from a step on.

    Where an attempt computed steps again, a step's first row counts that was not shown yet: what
    is in W&B cannot be taken back.

    Args:
        run: whose record.
        after: the last step that is shown already; 0: none.
    """

    def __init__(self, run: RunDir, *, after: int) -> None:
        self._lines = _Lines(run.metrics)
        self._lines.skip_to_end()
        self._older: list[Row] | None = read_metrics(run.metrics)
        self._nodes = _Nodes(run.attempts)
        self._shown = after
        shown = [row for row in self._older if row[STEP.name] <= after and TIME.name in row]
        if shown:
            self._nodes.take(until=shown[-1][TIME.name])

    @property
    def last(self) -> int:
        """The last step that was shown."""
        return self._shown

    def new_rows(self) -> Iterator[Row]:
        """Rows of steps that were not shown yet, in order; call it again for later ones."""
        older, self._older = self._older or [], None
        for row in (*older, *self._lines.read()):
            if row.get(STEP.name, 0) > self._shown:
                self._shown = row[STEP.name]
                yield row | self._nodes.take(until=row.get(TIME.name, 0.0))


class _Lines:
    """The JSON objects that a file grows by; its last line counts once it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def skip_to_end(self) -> None:
        self._bytes()

    def read(self) -> Iterator[dict[str, Any]]:
        for line in self._bytes().splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a killed writer's torn line
            if isinstance(row, dict):
                yield row

    def _bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return b""
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole


class _Nodes:
    """What all nodes of all attempts measured, folded into one number each between two rows.

    Args:
        attempts: the folder of attempts.
        clock: seconds from any start.
    """

    def __init__(self, attempts: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._clock = clock
        self._files: dict[Path, _Lines] = {}
        self._waiting: deque[tuple[float, str, Row]] = deque()
        """Time, host and what it measured, oldest first."""
        self._looked_at: float | None = None

    def take(self, *, until: float) -> dict[str, float]:
        """What was measured up to a time and not taken before, as `sys/HOST/NAME`."""
        self._look()
        taken: dict[str, list[float]] = {}
        while self._waiting and self._waiting[0][0] <= until:
            _, host, row = self._waiting.popleft()
            for name in SYSTEM_METRICS.keys() & row.keys():
                taken.setdefault(f"sys/{host}/{name}", []).append(row[name])
        return {name: _folded(name, values) for name, values in sorted(taken.items())}

    def _look(self) -> None:
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < NODES_EVERY_S:
            return
        self._looked_at = now
        new = []
        for path in sorted(self._attempts.glob("*/system-*.jsonl")):
            host = path.stem.removeprefix("system-")
            lines = self._files.setdefault(path, _Lines(path))
            new += [(float(row[TIME.name]), host, row) for row in lines.read() if TIME.name in row]
        if new:
            self._waiting = deque(sorted((*self._waiting, *new), key=lambda each: each[0]))


def _folded(name: str, values: list[float]) -> float:
    """Memory: the most; shares of time: their mean."""
    metric = SYSTEM_METRICS[name.rpartition("/")[2]]
    return max(values) if metric.unit == "GiB" else sum(values) / len(values)
