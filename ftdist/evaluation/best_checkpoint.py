"""Measurements of one run in their order, set against the one whose checkpoint is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.evaluation.selection import Scores, choose

STEP = "step"
"""Name of the step in a measurement's scores."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a measurement means for the run.

    Attributes:
        is_best: it keeps enough, and gains more than the one that is kept.
        ends: training has gone on for long enough without a better one.
        told: both, for people.
    """

    is_best: bool
    ends: bool
    told: str


class Standing:
    """Which step is the best, and for how long it has been.

    Only a step whose checkpoint is on disk is one to go back to: `keep` says so, not `judge`.

    Args:
        max_loss_increase: general loss above the base's, in nats a token, up to which a step keeps.
        patience: measurements in a row without a better one after which training ends; 0: never.
    """

    def __init__(self, *, max_loss_increase: float, patience: int) -> None:
        self._max_loss_increase = max_loss_increase
        self._patience = patience
        self._points: list[Scores] = []
        self._kept: Scores | None = None

    def take_up(self, points: Sequence[Scores], *, best: int | None) -> None:
        """Begin with what was measured before, in order, and the step that is kept as the best."""
        self._points = list(points)
        self._kept = self.at(best)

    def at(self, step: int | None) -> Scores | None:
        """The measurement of a step; None: there is none."""
        return next((point for point in self._points if point[STEP] == step), None)

    def add(self, point: Scores) -> None:
        """Take a measurement in, the newest of all; what was measured at or after its step goes."""
        self._points = [other for other in self._points if other[STEP] < point[STEP]] + [point]

    def keep(self, step: int) -> None:
        """Set later measurements against `step`: its checkpoint is kept as the best."""
        self._kept = self.at(step)

    def judge(self, step: int) -> Judgement:
        """What the measurement of a step means."""
        point = self.at(step)
        assert point is not None, step
        rivals = [point] if self._kept in (None, point) else [self._kept, point]
        best = choose(rivals, max_loss_increase=self._max_loss_increase, order=STEP)
        if best is not None and rivals[best] is point:
            return Judgement(is_best=True, ends=False, told="the best so far")
        if self._kept is None:
            # There is none to go back to, and nothing to wait for.
            return Judgement(is_best=False, ends=False, told="too little is kept")
        since = sum(self._kept[STEP] < other[STEP] <= step for other in self._points)
        ends = 0 < self._patience <= since
        told = f"step {self._kept[STEP]} is the best"
        told += f"; none of {since} since is better, so training ends" if ends else ""
        return Judgement(is_best=False, ends=ends, told=told)
