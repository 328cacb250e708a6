"""The newest system metrics of each node of a run's newest attempt."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ftdist.observe.metrics import CPU_PERCENT, GPU_PERCENT, TIME
from ftdist.rundir import RunDir

TAIL_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class NodeMetrics:
    """How busy a node was when its ranks last measured it."""

    host: str
    time: float
    """Seconds since the epoch."""

    values: Mapping[str, float]
    """By the names in `ftdist.observe.metrics.SYSTEM_METRICS`."""

    @property
    def busy_percent(self) -> float:
        """Utilisation of its GPUs, or of its cores where it has none."""
        return self.values.get(GPU_PERCENT.name, self.values.get(CPU_PERCENT.name, 0.0))


def read_node_metrics(run: RunDir) -> list[NodeMetrics]:
    """The newest measurement of each node, by name; empty before the first."""
    folder = run.attempt(run.newest_attempt())
    uses = []
    for path in sorted(folder.glob("system-*.jsonl")):
        with suppress(OSError, ValueError, IndexError, KeyError):
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                tail = file.read()
            row = json.loads(tail[: tail.rfind(b"\n")].splitlines()[-1])
            host = path.stem.removeprefix("system-")
            uses.append(NodeMetrics(host=host, time=row[TIME.name], values=row))
    return uses
