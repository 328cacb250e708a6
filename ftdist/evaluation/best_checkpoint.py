"""The best checkpoint of a run, and early stopping."""

from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.evaluation.selection import Scores, choose

STEP = "step"
"""Name of the step in a measurement's scores."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an evaluation means for the run.

    Attributes:
        is_best: it retains enough, and gains more than the best so far.
        ends: training should stop early.
        summary: both, for people.
    """

    is_best: bool
    ends: bool
    summary: str


class BestCheckpointTracker:
    """Tracks which evaluated step is the best, and for how long.

    Only a step whose checkpoint is on disk can be the best: `keep` records it, not `judge`.

    Args:
        max_loss_increase: acceptable increase of general loss over the base, in nats per token.
        patience: evaluations without a better one after which training stops; 0: never.
    """

    def __init__(self, *, max_loss_increase: float, patience: int) -> None:
        self._max_loss_increase = max_loss_increase
        self._patience = patience
        self._points: list[Scores] = []
        self._best: Scores | None = None

    def load_history(self, points: Sequence[Scores], *, best: int | None) -> None:
        """Start from earlier evaluations, in order, and the step of the best checkpoint."""
        self._points = list(points)
        self._best = self.evaluation_of(best)

    def evaluation_of(self, step: int | None) -> Scores | None:
        """The evaluation of a step; None if there is none."""
        return next((point for point in self._points if point[STEP] == step), None)

    def add(self, point: Scores) -> None:
        """Add the newest evaluation; earlier ones of the same or a later step are dropped."""
        self._points = [other for other in self._points if other[STEP] < point[STEP]] + [point]

    def keep(self, step: int) -> None:
        """Record that the checkpoint of `step` is the best: later evaluations compete with it."""
        self._best = self.evaluation_of(step)

    def judge(self, step: int) -> Verdict:
        """Whether a step is the best so far, and whether training should stop."""
        point = self.evaluation_of(step)
        assert point is not None, step
        candidates = [point] if self._best in (None, point) else [self._best, point]
        best = choose(candidates, max_loss_increase=self._max_loss_increase, order=STEP)
        if best is not None and candidates[best] is point:
            return Verdict(is_best=True, ends=False, summary="the best so far")
        if self._best is None:
            # Without a best checkpoint there is nothing to stop for.
            return Verdict(
                is_best=False, ends=False, summary="too little general knowledge is retained"
            )
        since = sum(self._best[STEP] < other[STEP] <= step for other in self._points)
        ends = 0 < self._patience <= since
        summary = f"step {self._best[STEP]} is the best"
        summary += f"; none of {since} since is better, so training stops" if ends else ""
        return Verdict(is_best=False, ends=ends, summary=summary)
