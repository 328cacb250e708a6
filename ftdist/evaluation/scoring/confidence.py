"""Rates, differences and mean losses with their 95 % intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftdist.observe.score_table import MIN_PASSAGES

Z_95 = 1.959963984540054
"""Standard normal quantile of 0.975."""

RESAMPLES = 10_000
SEED = 20_221_129
"""Seed of the resampling: the same answers give the same interval."""

RESAMPLE_BATCH = 500
"""Resamples per draw; bounds the memory for many passages."""


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share that was measured on `n` independent questions."""
    z2 = Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At 0 and 1 the formula's ends are 0 and 1; rounding would miss them by 1e-17.
    return 0.0 if share == 0 else middle - half, 1.0 if share == 1 else middle + half


@dataclass(frozen=True)
class Rate:
    """A proportion of questions with its confidence interval.

    Attributes:
        hits: questions with the outcome.
        num_questions: all questions, at least 1.
    """

    hits: int
    num_questions: int

    @classmethod
    def from_outcomes(cls, outcomes: Sequence[bool]) -> "Rate | None":
        """The rate of a list of outcomes; None for an empty one."""
        return cls(sum(outcomes), len(outcomes)) if outcomes else None

    @property
    def value(self) -> float:
        """Proportion, 0 to 1."""
        return self.hits / self.num_questions

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval, accurate for few questions and near 0 and 1.

        Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209-212.
        """
        return wilson_interval(self.value, self.num_questions)

    def fields(self) -> dict[str, float | int]:
        """Counts, value and interval, for a report."""
        low, high = self.interval
        return {
            "hits": self.hits,
            "n": self.num_questions,
            "value": self.value,
            "low_95": low,
            "high_95": high,
        }


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Outcomes of two models on the same questions.

    Attributes:
        both: questions with the outcome for both models.
        tuned_only: for the tuned model alone.
        base_only: for the base alone.
        neither: for neither model.
    """

    both: int
    tuned_only: int
    base_only: int
    neither: int

    @classmethod
    def from_outcomes(cls, base: Sequence[bool], tuned: Sequence[bool]) -> "Paired":
        """Counts of pairs of outcomes, question by question."""
        pairs = [(bool(t), bool(b)) for b, t in zip(base, tuned, strict=True)]
        return cls(
            both=pairs.count((True, True)),
            tuned_only=pairs.count((True, False)),
            base_only=pairs.count((False, True)),
            neither=pairs.count((False, False)),
        )

    @property
    def num_questions(self) -> int:
        """The number of questions."""
        return self.both + self.tuned_only + self.base_only + self.neither

    @property
    def difference(self) -> float:
        """Tuned minus base, -1 to 1."""
        return (self.tuned_only - self.base_only) / self.num_questions

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference: square-and-add of Wilson's intervals, paired.

        Source: R. G. Newcombe, "Improved confidence intervals for the difference between binomial
        proportions based on paired data", Statistics in Medicine 17 (1998) 2635-2650, method 10.
        """
        tuned = Rate(self.both + self.tuned_only, self.num_questions)
        base = Rate(self.both + self.base_only, self.num_questions)
        below = tuned.value - tuned.interval[0], base.interval[1] - base.value
        above = tuned.interval[1] - tuned.value, base.value - base.interval[0]
        phi = self._correlation()
        down, up = joined_distance(*below, phi), joined_distance(*above, phi)
        return self.difference - down, self.difference + up

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.interval
        return low > 0 or high < 0

    def _correlation(self) -> float:
        """Phi coefficient of the four cells, with a continuity correction where positive."""
        right, wrong = self.both + self.tuned_only, self.base_only + self.neither
        base_right, base_wrong = self.both + self.base_only, self.tuned_only + self.neither
        margins = right * wrong * base_right * base_wrong
        if margins == 0:
            return 0.0
        product: float = self.both * self.neither - self.tuned_only * self.base_only
        if product > 0:
            product = max(product - self.num_questions / 2, 0.0)
        return product / math.sqrt(margins)

    def fields(self) -> dict[str, Any]:
        """Count, difference and interval, for a report."""
        low, high = self.interval
        return {
            "n": self.num_questions,
            "difference": self.difference,
            "low_95": low,
            "high_95": high,
            "clear": self.clear,
        }


def joined_distance(first: float, second: float, phi: float) -> float:
    """Distance of a difference's limit from it, of two correlated shares' distances."""
    # Rounding may turn a sum of 0 negative.
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


Losses = Sequence[tuple[float, int]]
"""For each passage, the summed loss in nats and the number of tokens."""


def paired_losses(base: Losses, tuned: Losses) -> dict[str, Any] | None:
    """Mean loss of two models on the same passages, and the difference with its interval.

    The mean is the ratio of two sums, so that every token has the same weight. The bootstrap
    resamples passages, not tokens, because tokens of one passage are correlated, and the same
    passages for both models, so that a passage's difficulty cancels out.

    Source: percentile bootstrap, B. Efron, R. Tibshirani, "An Introduction to the Bootstrap",
    Chapman & Hall (1993), chapter 13.

    Returns:
        None if no passage has a token.
    """
    columns = np.array(
        [(b[0], b[1], t[0], t[1]) for b, t in zip(base, tuned, strict=True) if b[1] and t[1]],
        dtype=np.float64,
    )
    if not len(columns):
        return None
    generator = np.random.default_rng(SEED)
    evenly = np.full(len(columns), 1 / len(columns))
    drawn = np.concatenate(
        [
            generator.multinomial(len(columns), evenly, size=RESAMPLE_BATCH) @ columns
            for _ in range(RESAMPLES // RESAMPLE_BATCH)
        ]
    )
    sums = columns.sum(axis=0)
    means = {"base": sums[0] / sums[1], "tuned": sums[2] / sums[3]}
    drawn_means = {"base": drawn[:, 0] / drawn[:, 1], "tuned": drawn[:, 2] / drawn[:, 3]}
    low, high = _middle_95(drawn_means["tuned"] - drawn_means["base"])
    return {
        "passages": len(columns),
        "tokens": int(sums[1]),
        **{name: float(mean) for name, mean in means.items()},
        "difference": float(means["tuned"] - means["base"]),
        "low_95": low,
        "high_95": high,
        "clear": len(columns) >= MIN_PASSAGES and (low > 0 or high < 0),
        "intervals": {name: list(_middle_95(values)) for name, values in drawn_means.items()},
    }


def _middle_95(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
