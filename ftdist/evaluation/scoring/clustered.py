"""Shares over the key facts of answers, where facts of one answer are right or wrong together.

The interval is Wilson's for the effective number of facts: their number divided by the design
effect, the factor by which clustering widens the variance.

Sources: E. L. Korn, B. I. Graubard, Survey Methodology 24 (1998) 193-201, for the effective sample
size in an interval of a proportion; R. G. Newcombe, Statistics in Medicine 17 (1998) 2635-2650, for
the difference of paired shares (square-and-add, as in `Paired`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.evaluation.scoring.confidence import joined_distance, wilson_interval


@dataclass(frozen=True)
class ClusteredRate:
    """A share of facts over several answers.

    Attributes:
        hits: facts found, by answer.
        sizes: facts asked for, by answer; at least 1 each, in the order of `hits`.
    """

    hits: Sequence[int]
    sizes: Sequence[int]

    @property
    def value(self) -> float:
        """Share of all facts, 0 to 1."""
        return sum(self.hits) / sum(self.sizes)

    @property
    def effective_n(self) -> float:
        """Number of independent facts with the same variance; the number of answers at 0 and 1.

        With one fact per answer it is their number, and the interval is that of a `Rate`.
        """
        total, clusters, share = sum(self.sizes), len(self.sizes), self.value
        if clusters < 2 or share in (0, 1):
            return float(clusters)
        variance = float(np.sum(self.residuals**2)) / total**2
        return min(float(total), share * (1 - share) / variance) if variance else float(total)

    @property
    def residuals(self) -> NDArray[np.float64]:
        """Facts found beyond the expected ones, by answer."""
        return np.subtract(self.hits, np.multiply(self.sizes, self.value), dtype=np.float64)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share."""
        return wilson_interval(self.value, self.effective_n)

    def fields(self) -> dict[str, float | int]:
        """Counts, value and interval, for a report; `n` counts facts, `clusters` answers."""
        low, high = self.interval
        return {
            "hits": sum(self.hits),
            "n": sum(self.sizes),
            "clusters": len(self.sizes),
            "value": self.value,
            "low_95": low,
            "high_95": high,
        }


def paired_clustered(base: ClusteredRate, tuned: ClusteredRate) -> dict[str, Any]:
    """Tuned minus base on the same facts with its 95 % interval, for a report."""
    difference = tuned.value - base.value
    (low_b, high_b), (low_t, high_t) = base.interval, tuned.interval
    phi = _correlation(base.residuals, tuned.residuals)
    low = difference - joined_distance(tuned.value - low_t, high_b - base.value, phi)
    high = difference + joined_distance(high_t - tuned.value, base.value - low_b, phi)
    return {
        "n": sum(tuned.sizes),
        "difference": difference,
        "low_95": low,
        "high_95": high,
        "clear": low > 0 or high < 0,
    }


def _correlation(base: NDArray[np.float64], tuned: NDArray[np.float64]) -> float:
    scale = math.sqrt(float(np.sum(base**2)) * float(np.sum(tuned**2)))
    return float(np.sum(base * tuned)) / scale if scale else 0.0
