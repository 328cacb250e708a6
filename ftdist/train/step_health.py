"""Whether training is sound: losses and gradients are finite, and near those of the steps before.

A pure function of the steps up to now, so that a resumed run judges as the uninterrupted one. All
ranks measure the same of a step, so each of them comes to the same judgement.
"""

import math
import statistics
from dataclasses import dataclass, field
from itertools import pairwise

WINDOW = 64
"""Sound steps that a step is compared with, at most."""

MIN_STEPS = 16
"""Sound steps before a step is compared with them."""

MIN_DEVIATION = 0.05
"""A standard deviation counts as at least this fraction of the median."""

NORMAL_CHANGE = 1.4826 / math.sqrt(2)
"""Standard deviation of independent normal values, in median absolute changes of one to the next.
"""

MAX_GRAD_GROWTH = 100.0
"""A gradient this many times the median is not sound."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One step as all ranks together measured it."""

    done: int
    """Optimizer steps done, including this one."""

    loss: float
    grad_norm: float
    skipped: bool = False
    """Whether its update was skipped."""

    @property
    def is_finite(self) -> bool:
        """Whether all of it is finite, and the update was made."""
        return not self.skipped and math.isfinite(self.loss) and math.isfinite(self.grad_norm)


@dataclass(frozen=True, kw_only=True)
class Spike:
    """The first of consecutive steps whose loss is far above those before."""

    done: int
    loss: float
    median: float
    limit: float
    """The highest loss that would have been none."""


@dataclass
class LossHistory:
    """What the steps up to now say about the next one.

    Args:
        threshold: of a spike, in standard deviations; None: there are no spikes.
    """

    threshold: float | None
    losses: list[float] = field(default_factory=list)
    """Of the newest sound steps."""

    grad_norms: list[float] = field(default_factory=list)
    num_skipped: int = 0
    """Consecutive steps up to now that were not finite."""

    num_high: int = 0
    """Consecutive steps up to now whose loss was far above those before."""

    is_sound: bool = True
    """Whether the newest step was finite and near those before."""

    def update(self, step: Measured) -> Spike | None:
        """Take in a step. Returns the spike that begins with it, if one does.

        After `WINDOW` high losses in a row they are the new normal.
        """
        if not step.is_finite:
            self.num_skipped += 1
            self.is_sound = False
            return None
        self.num_skipped = 0
        limit = self._loss_limit()
        is_high = step.loss > limit
        self.num_high = self.num_high + 1 if is_high else 0
        self.is_sound = not is_high and step.grad_norm <= self._grad_norm_limit()
        if self.num_high == 1:
            median = statistics.median(self.losses)
            return Spike(done=step.done, loss=step.loss, median=median, limit=limit)
        if self.num_high == WINDOW:
            self.losses.clear()
            self.num_high = 0
        if not is_high:
            self.losses = [*self.losses[1 - WINDOW :], step.loss]
            self.grad_norms = [*self.grad_norms[1 - WINDOW :], step.grad_norm]
        return None

    def _loss_limit(self) -> float:
        if self.threshold is None or len(self.losses) < MIN_STEPS:
            return math.inf
        median = statistics.median(self.losses)
        # Of one loss to the next, so that a loss that falls steadily does not count as deviating.
        change = statistics.median(abs(b - a) for a, b in pairwise(self.losses))
        deviation = max(NORMAL_CHANGE * change, MIN_DEVIATION * abs(median))
        return median + self.threshold * deviation

    def _grad_norm_limit(self) -> float:
        if len(self.grad_norms) < MIN_STEPS:
            return math.inf
        return MAX_GRAD_GROWTH * statistics.median(self.grad_norms)
