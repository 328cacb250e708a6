"""Which values a search tries next."""

from ftdist_launch.sweeps.sampler import Tried, suggest

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
    tried = [Tried(swept={"optim.peak_lr": "0.01"}, value=1.0)]
    first = suggest(space(RATE), tried, seed=1, lower_is_better=True)
    assert first == suggest(space(RATE), tried, seed=1, lower_is_better=True)
    assert first != suggest(space(RATE), tried, seed=2, lower_is_better=True)
    assert first != suggest(space(RATE), [*tried, *tried], seed=1, lower_is_better=True)


def test_the_search_goes_where_the_score_is_better() -> None:
    rates = [0.001 * 1.26**power for power in range(20)]
    tried = [
        Tried(swept={"optim.peak_lr": f"{rate:.3g}"}, value=abs(rate - 0.001)) for rate in rates
    ]
    picks = {}
    for lower in (True, False):
        drawn = [suggest(space(RATE), tried, seed=s, lower_is_better=lower) for s in range(15)]
        picks[lower] = sorted(float(each["optim.peak_lr"]) for each in drawn if each)[7]
    assert picks[True] < 0.004
    assert picks[False] > 0.02


def test_every_combination_is_tried_once_and_then_none_is_left() -> None:
    tried: list[Tried] = []
    while (swept := suggest(space(SEED, ENGINE), tried, seed=1, lower_is_better=True)) is not None:
        # one succeeds, one fails, one still runs
        value = 1.0 if len(tried) == 0 else None
        tried.append(Tried(swept=swept, value=value, is_open=len(tried) == 2))
    assert len(tried) == 4
    assert len({tuple(each.swept.items()) for each in tried}) == 4
