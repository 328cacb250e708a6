"""Whether a stop leaves enough time to end the running step and to save."""

from collections.abc import Callable, Mapping
from typing import Any

from ftdist.config.schema import ClusterConfig
from ftdist.observe.metrics import SAVE_TOTAL_S, STEP_S

MARGIN = 2
"""A step and a save may take this many times as long when a cluster is busy."""


class StopTime:
    """Holds the first measured save against the time that SLURM gives before it ends a job.

    Args:
        cluster: says how long that is; nothing is known of other clusters.
        record_event: appends to the run's events.
        note: prints a line for people.
    """

    def __init__(
        self,
        cluster: ClusterConfig,
        *,
        record_event: Callable[..., Any],
        note: Callable[[str], None],
    ) -> None:
        self._delay_s = cluster.signal_delay_s
        self._is_checked = cluster.executor != "slurm"
        self._record_event, self._note = record_event, note

    def check(self, row: Mapping[str, float]) -> None:
        """Look at a row of metrics; the first one with a save is held against the limit."""
        if self._is_checked or SAVE_TOTAL_S.name not in row:
            return
        self._is_checked = True
        step_s, save_s = row[STEP_S.name], row[SAVE_TOTAL_S.name]
        needed_s = MARGIN * (step_s + save_s)
        if needed_s <= self._delay_s:
            return
        self._record_event(
            "signal_delay_too_short", step_s=step_s, save_s=save_s, signal_delay_s=self._delay_s
        )
        self._note(
            f"Warning: a step takes {step_s:.1f} s and a save {save_s:.1f} s, but jobs are asked "
            f"to stop cluster.signal_delay_s={self._delay_s} s before their end: a stop may not be "
            f"saved. Set cluster.signal_delay_s={needed_s:.0f}, twice the sum of both, with "
            "`ftdist resume`."
        )
