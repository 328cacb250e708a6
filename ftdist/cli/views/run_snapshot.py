"""Everything that a live view of one run shows, read cheaply and again and again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist_launch.node_metrics import NodeMetrics, read_node_metrics
from ftdist_launch.status import JobQueries, RunStatus, read_status

from ftdist.observe.metric_history import MetricHistory
from ftdist.observe.metrics import Row
from ftdist.observe.training_evals import read_training_evals
from ftdist.rundir import RunDir


@dataclass(frozen=True, kw_only=True)
class RunSnapshot:
    """One run at one moment."""

    status: RunStatus
    cli_name: str
    """How commands name the run."""

    rows: Sequence[Row]
    """Its metrics, in order of steps."""

    evals: Sequence[Mapping[str, Any]]
    """Its evaluations in training, in order of steps; the first is of the base model."""

    events: Sequence[Mapping[str, Any]]
    nodes: Sequence[NodeMetrics]
    now: float
    """Seconds since the epoch."""


class RunReader:
    """Reads snapshots of one run: of growing files only what is new.

    Args:
        run: to read.
        queue: of SLURM, with a cache.
    """

    def __init__(self, run: RunDir, *, queue: JobQueries) -> None:
        self._run = run
        self._queue = queue
        self._history = MetricHistory(run.metrics)
        self._evals: Sequence[Mapping[str, Any]] = ()
        self._evals_size = 0

    def read(self) -> RunSnapshot:
        """The run at this moment."""
        return RunSnapshot(
            status=read_status(self._run, queue=self._queue),
            cli_name=self._run.cli_name,
            rows=self._history.update(),
            evals=self._read_evals(),
            events=list(self._run.read_events()),
            nodes=read_node_metrics(self._run),
            now=time.time(),
        )

    def _read_evals(self) -> Sequence[Mapping[str, Any]]:
        size = self._run.evals.stat().st_size if self._run.evals.exists() else 0
        if size != self._evals_size:
            self._evals, self._evals_size = read_training_evals(self._run.evals), size
        return self._evals
