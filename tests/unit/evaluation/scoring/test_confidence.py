"""Intervals, against numbers worked by hand and printed ones."""

import math

import numpy as np
import pytest

from ftdist.evaluation.scoring.confidence import Paired, Rate, paired_losses
from ftdist.observe.score_table import MIN_PASSAGES


def test_wilson_interval_matches_the_reference() -> None:
    # By hand, z^2 = 3.8415: 0 of 48 ends at z^2 / (48 + z^2), 10 of 10 begins at 10 / (10 + z^2).
    assert Rate(0, 48).interval[0] == 0.0
    assert Rate(0, 48).interval[1] == pytest.approx(0.0741, abs=1e-4)
    assert Rate(10, 10).interval[0] == pytest.approx(0.7225, abs=1e-4)
    assert Rate(10, 10).interval[1] == 1.0
    # 45 of 50 (Newcombe's formula by hand): 0.7864 to 0.9565.
    assert Rate(45, 50).interval == pytest.approx((0.7864, 0.9565), abs=1e-4)


def test_a_rate_without_trials_is_none() -> None:
    assert Rate.from_outcomes([]) is None
    assert Rate.from_outcomes([True, False]) == Rate(1, 2)


def test_pairs_are_counted_by_which_model_is_correct() -> None:
    base = [True, True, False, False, False]
    tuned = [True, False, True, True, False]
    assert Paired.from_outcomes(base, tuned) == Paired(both=1, base_only=1, tuned_only=2, neither=1)
    assert Paired.from_outcomes(base, tuned).difference == pytest.approx(0.2)


def test_paired_interval_of_ten_against_zero_of_ten() -> None:
    # Wilson: 10 of 10 from 10 / (10 + 3.8415) = 0.72247 to 1, 0 of 10 from 0 to 0.27753. A margin
    # is empty, so phi = 0, and the lower end is 1 - sqrt(0.27753^2 + 0.27753^2) = 1 - 0.39249.
    found = Paired(both=0, tuned_only=10, base_only=0, neither=0)
    assert found.interval == pytest.approx((0.60751, 1.0), abs=1e-5)
    assert found.clear


def test_paired_interval_is_the_printed_one() -> None:
    # 36, 12, 2, 0 of Newcombe's table: 0.0569 to 0.3404 by method 10. Phi is negative here.
    found = Paired(both=36, tuned_only=12, base_only=2, neither=0)
    assert found.interval == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_positive_correlation_is_corrected_for_continuity() -> None:
    # 10, 4, 0, 6: phi = (10 * 6 - 0 - 20 / 2) / sqrt(14 * 6 * 10 * 10) = 50 / 91.652 = 0.54554.
    # Wilson: 14 of 20 from 0.48102 to 0.85452, 10 of 20 from 0.29930 to 0.70070. Below the
    # difference 0.2: sqrt(0.21898^2 - 2 * 0.54554 * 0.21898 * 0.20070 + 0.20070^2) = 0.20070.
    found = Paired(both=10, tuned_only=4, base_only=0, neither=6)
    assert found.interval[0] == pytest.approx(-0.00070, abs=2e-5)
    assert not found.clear
    # 5, 2, 2, 1: 5 * 1 - 2 * 2 = 1 is less than n / 2, so phi = 0: 7 of 10 from 0.39678 to
    # 0.89221, and sqrt(0.30322^2 + 0.19221^2) = 0.35901 on both sides of 0.
    balanced = Paired(both=5, tuned_only=2, base_only=2, neither=1)
    assert balanced.interval == pytest.approx((-0.35901, 0.35901), abs=2e-5)


def test_swapping_the_models_negates_the_interval() -> None:
    low, high = Paired(both=20, tuned_only=9, base_only=2, neither=4).interval
    turned = Paired(both=20, tuned_only=2, base_only=9, neither=4).interval
    assert turned == pytest.approx((-high, -low))


def test_paired_interval_covers_the_truth_in_95_percent() -> None:
    draw = np.random.default_rng(7)
    cells = (0.3, 0.25, 0.1, 0.35)
    held = 0
    for both, tuned_only, base_only, neither in draw.multinomial(60, cells, size=2000).tolist():
        pair = Paired(both=both, tuned_only=tuned_only, base_only=base_only, neither=neither)
        low, high = pair.interval
        held += low <= 0.15 <= high
    assert 0.935 <= held / 2000 <= 0.975


def test_mean_losses_are_ratios_of_sums() -> None:
    # 10 nats over 10 tokens and 90 over 30: 100 / 40, not the mean of 1 and 3.
    found = paired_losses([(10.0, 10), (90.0, 30)], [(20.0, 10), (100.0, 30)])
    assert found is not None
    assert (found["passages"], found["tokens"]) == (2, 40)
    assert (found["base"], found["tuned"], found["difference"]) == (2.5, 3.0, 0.5)


def test_loss_interval_is_of_the_paired_differences() -> None:
    # Passages of equal length: the difference is a mean of independent numbers, and its interval
    # is near 1.96 standard errors, however much the passages themselves differ.
    draw = np.random.default_rng(3)
    hard = draw.normal(3.0, 1.0, size=200)
    more = draw.normal(0.05, 0.1, size=200)
    base = [(float(100 * loss), 100) for loss in hard]
    tuned = [(float(100 * loss), 100) for loss in hard + more]
    found = paired_losses(base, tuned)
    assert found is not None
    half = 1.96 * more.std(ddof=1) / math.sqrt(200)
    assert found["low_95"] == pytest.approx(more.mean() - half, abs=0.0015)
    assert found["high_95"] == pytest.approx(more.mean() + half, abs=0.0015)
    assert found["clear"]
    assert found == paired_losses(base, tuned)


def test_zero_differences_and_few_passages_are_never_significant() -> None:
    same = [(2.0, 1)] * MIN_PASSAGES
    worse = [(3.0, 1)] * MIN_PASSAGES
    alike, clear, few = (
        paired_losses(*pair) for pair in ((same, same), (same, worse), (same[1:], worse[1:]))
    )
    assert alike is not None
    assert not alike["clear"]
    assert clear is not None
    assert clear["clear"]
    assert few is not None
    assert not few["clear"]


def test_empty_passages_are_skipped() -> None:
    assert paired_losses([], []) is None
    assert paired_losses([(0.0, 0)], [(0.0, 0)]) is None
