"""Tail of a run's `metrics.jsonl` for W&B: each step once, in order, with its system metrics.

`metrics.jsonl` and `attempts/N/system-HOST.jsonl` are append-only, so a reader only needs to know
the last step that W&B has. No torch, no wandb.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ftdist.observe.metrics import (
    STEP,
    SYSTEM_METRICS,
    TIME,
    TOKENS,
    TOTAL_TOKENS,
    Row,
    read_metrics,
)
from ftdist.rundir import RunDir

SYSTEM_POLL_S = 5.0
"""Least time between two reads of the nodes' files."""

MAX_NODES = 64
"""Of an attempt. Each has several curves of its own; those of thousands could not be read."""


class MetricsTail:
    """Yields a run's rows after a given step as they are written.

    If a later attempt computes steps again, their rows are skipped: W&B history cannot be changed.

    Args:
        run: whose metrics.
        after: the last step that W&B has; 0: none.
    """

    def __init__(self, run: RunDir, *, after: int) -> None:
        self._lines = JsonlTail(run.metrics)
        self._lines.skip_to_end()
        self._backlog: list[Row] = read_metrics(run.metrics)
        self._system = _SystemMetrics(run)
        self.last = after
        """The last step that was yielded."""
        sent = [row for row in self._backlog if row[STEP.name] <= after and TIME.name in row]
        if sent:
            self._system.pop_until(sent[-1][TIME.name])
        self._tokens = sum(row.get(TOKENS.name, 0) for row in sent)

    def new_rows(self) -> Iterator[Row]:
        """Rows of steps that were not yielded yet, in order; call again for later ones."""
        backlog, self._backlog = self._backlog, []
        for row in (*backlog, *self._lines.read()):
            if row.get(STEP.name, 0) > self.last:
                self.last = row[STEP.name]
                self._tokens += row.get(TOKENS.name, 0)
                total = {TOTAL_TOKENS.name: self._tokens} if self._tokens else {}
                yield row | total | self._system.pop_until(row.get(TIME.name, 0.0))


class JsonlTail:
    """Objects appended to a JSON Lines file; the last line is read once it is complete.

    Args:
        path: of the file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def skip_to_end(self) -> None:
        """Leave out what the file holds now."""
        self._new_bytes()

    def read(self) -> Iterator[dict[str, Any]]:
        """What was appended since the last call; torn lines are skipped."""
        for line in self._new_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # torn by a killed writer

    def _new_bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return b""
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return complete


class _SystemMetrics:
    """System metrics of up to `MAX_NODES` nodes of each attempt, aggregated between training rows.

    Args:
        run: whose attempts.
        clock: seconds since any fixed time.
    """

    def __init__(self, run: RunDir, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._clock = clock
        self._tails: dict[str, JsonlTail] = {}
        """Of the attempt that is followed, by host."""
        self._attempt = 0
        self._samples: deque[tuple[float, str, Row]] = deque()
        """Time, host and row, oldest first."""
        self._polled_at: float | None = None

    def pop_until(self, end: float) -> dict[str, float]:
        """Aggregate and remove the samples up to a time, as `sys/HOST/NAME`."""
        self._poll()
        values: dict[str, list[float]] = {}
        while self._samples and self._samples[0][0] <= end:
            _, host, row = self._samples.popleft()
            for name in SYSTEM_METRICS.keys() & row.keys():
                values.setdefault(f"sys/{host}/{name}", []).append(row[name])
        return {name: _aggregate(name, values[name]) for name in sorted(values)}

    def _poll(self) -> None:
        now = self._clock()
        if self._polled_at is not None and now - self._polled_at < SYSTEM_POLL_S:
            return
        self._polled_at = now
        samples = list(self._samples)
        newest = self._run.newest_attempt()
        for attempt in range(self._attempt, newest):
            samples += self._read(attempt)  # its last rows
        samples += self._read(newest)
        self._samples = deque(sorted(samples, key=lambda sample: sample[0]))

    def _read(self, attempt: int) -> Iterator[tuple[float, str, Row]]:
        """Rows of an attempt's nodes that were not read yet."""
        if attempt != self._attempt:
            self._attempt, self._tails = attempt, {}
        if len(self._tails) < MAX_NODES:
            for path in sorted(self._run.attempt(attempt).glob("system-*.jsonl"))[:MAX_NODES]:
                host = path.stem.removeprefix("system-")
                if len(self._tails) < MAX_NODES:
                    self._tails.setdefault(host, JsonlTail(path))
        for host, tail in self._tails.items():
            for row in tail.read():
                yield row[TIME.name], host, row


def _aggregate(name: str, values: list[float]) -> float:
    """The maximum of memory, the mean of utilisation."""
    metric = SYSTEM_METRICS[name.rpartition("/")[2]]
    return max(values) if metric.unit == "GiB" else sum(values) / len(values)
