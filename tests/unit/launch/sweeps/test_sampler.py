"""Which values a search tries next."""

import math

import pytest
from ftdist_launch.sweeps.sampler import ObservedTrial, sampler_values, suggest

from ftdist.config.search_space import Dimension, SearchSpace
from ftdist.config.sweep_overrides import Interval

RATE = Dimension(
    key="optim.peak_lr", interval=Interval(low=0.001, high=0.1, log=True, is_integer=False)
)
SEED = Dimension(key="run.seed", choices=("1", "2"))
ENGINE = Dimension(key="engine", choices=("zero3", "zero3_offload"))


def space(*dimensions: Dimension) -> SearchSpace:
    return SearchSpace(name="s", root="runs", executor="local", fixed=(), dimensions=dimensions)


def test_a_suggestion_depends_only_on_what_was_tried_and_the_seed() -> None:
    tried = [ObservedTrial(swept={"optim.peak_lr": "0.01"}, value=1.0)]
    first = suggest(space(RATE), tried, seed=1, lower_is_better=True)
    assert first == suggest(space(RATE), tried, seed=1, lower_is_better=True)
    assert first != suggest(space(RATE), tried, seed=2, lower_is_better=True)
    assert first != suggest(space(RATE), [*tried, *tried], seed=1, lower_is_better=True)


def test_the_search_goes_where_the_score_is_better() -> None:
    rates = [0.001 * 1.26**power for power in range(20)]
    tried = [
        ObservedTrial(swept={"optim.peak_lr": f"{rate:.3g}"}, value=abs(rate - 0.001))
        for rate in rates
    ]
    picks = {}
    for lower in (True, False):
        drawn = [suggest(space(RATE), tried, seed=s, lower_is_better=lower) for s in range(15)]
        picks[lower] = sorted(float(each["optim.peak_lr"]) for each in drawn if each)[7]
    assert picks[True] < 0.004
    assert picks[False] > 0.02


def test_every_combination_is_tried_once_and_then_none_is_left() -> None:
    tried: list[ObservedTrial] = []
    while (swept := suggest(space(SEED, ENGINE), tried, seed=1, lower_is_better=True)) is not None:
        # one succeeds, one fails, one still runs
        value = 1.0 if len(tried) == 0 else None
        tried.append(ObservedTrial(swept=swept, value=value, is_open=len(tried) == 2))
    assert len(tried) == 4
    assert len({tuple(each.swept.items()) for each in tried}) == 4


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_the_search_avoids_values_that_failed(value: float | None) -> None:
    """Large rates fail; a trial of which nothing is known is no hint."""
    rates = [0.001 * 1.26**power for power in range(20)]
    tried = [
        ObservedTrial(
            swept={"optim.peak_lr": f"{rate:.3g}"}, value=2.0 - rate if rate < 0.01 else value
        )
        for rate in rates
    ]
    drawn = [suggest(space(RATE), tried, seed=s, lower_is_better=True) for s in range(15)]
    above = sum(float(each["optim.peak_lr"]) > 0.012 for each in drawn if each)
    assert above > 4 if value is None else above < 4


def test_a_failed_trial_counts_as_the_worst_value_so_far() -> None:
    values = [3.0, math.nan, None, 1.0, 2.0]
    tried = [ObservedTrial(swept={}, value=each) for each in values]
    tried.append(ObservedTrial(swept={}, value=9.0, is_open=True))
    assert sampler_values(tried, lower_is_better=True) == [3.0, 3.0, None, 1.0, 2.0, None]
    assert sampler_values(tried, lower_is_better=False) == [3.0, 1.0, None, 1.0, 2.0, None]
    assert sampler_values(tried[1:3], lower_is_better=True) == [None, None]
