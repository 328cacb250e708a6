"""The rows of a run's `metrics.jsonl` as they are appended, for live views. No torch."""

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.observe.metrics import ATTEMPT, STEP, Row


class MetricHistory:
    """The run's rows, each step once: the last attempt wins, as in `read_metrics`.

    Only what was appended since the last update is read.

    Args:
        path: of `metrics.jsonl`; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._attempt = 0
        self._rows: dict[int, Row] = {}

    def update(self) -> list[Row]:
        """Read what is new; return all rows in order of steps."""
        for row in self._new_rows():
            attempt, step = row.get(ATTEMPT.name, 0), row[STEP.name]
            if attempt < self._attempt:
                continue  # of a process that was replaced
            if attempt > self._attempt:
                self._attempt = attempt
                self._rows = {s: known for s, known in self._rows.items() if s <= step}
            self._rows[step] = self._rows.get(step, {}) | row
        return [self._rows[step] for step in sorted(self._rows)]

    def _new_rows(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            with suppress(ValueError):  # torn by a killed writer
                row = json.loads(line)
                if isinstance(row, dict) and STEP.name in row:
                    yield row


def running_mean(values: list[float], *, steps: int) -> list[float]:
    """For each value the mean of it and of those before it, at most `steps` of them.

    Only finite values count; the mean of none is nan.
    """
    means = []
    for end in range(1, len(values) + 1):
        finite = [value for value in values[max(0, end - steps) : end] if math.isfinite(value)]
        means.append(math.fsum(finite) / len(finite) if finite else math.nan)
    return means
