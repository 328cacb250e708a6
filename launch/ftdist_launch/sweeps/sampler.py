"""Which values a search tries next: Optuna's TPE sampler. The only importer of optuna."""

import itertools
import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftdist.config.search_space import Dimension, SearchSpace, format_number
from ftdist.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

RETRIES = 20
"""How often a suggestion that was tried already is replaced by another."""


@dataclass(frozen=True, kw_only=True)
class ObservedTrial:
    """A trial as the sampler sees it."""

    swept: Mapping[str, str]
    value: float | None = None
    """Of the score; not finite: it failed; None: nothing is known."""

    is_open: bool = False
    """Whether it still runs."""


def require_optuna() -> None:
    """Refuse to search without Optuna.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigError(
            "`ftdist sweep` needs Optuna, which is not installed.",
            remedy="run `pip install 'ftdist[sweep]'`, or try a grid with `ftdist train -m`.",
        ) from None


def suggest(
    space: SearchSpace,
    tried: Sequence[ObservedTrial],
    *,
    seed: int,
    lower_is_better: bool,
) -> dict[str, str] | None:
    """The values of the next trial: a function of its arguments only, so a search can continue.

    Args:
        space: to choose from.
        tried: all trials so far.
        seed: of the search.
        lower_is_better: the direction of the score.

    Returns:
        Values by key; None if every combination was tried.
    """
    known = [dict(each.swept) for each in tried]
    for retry in range(RETRIES):
        seed_now = seed + 1000 * len(tried) + retry
        values = _ask(space, tried, seed=seed_now, lower_is_better=lower_is_better)
        if values not in known:
            return values
    left = [each for each in _combinations(space) if each not in known]
    return random.Random(seed + len(tried)).choice(left) if left else None


def _ask(
    space: SearchSpace, tried: Sequence[ObservedTrial], *, seed: int, lower_is_better: bool
) -> dict[str, str]:
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {each.name: _distribution(each) for each in space.dimensions}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            direction="minimize" if lower_is_better else "maximize",
            # trials that still run count as bad, so that no two try the same
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        )
        for each, value in zip(
            tried, sampler_values(tried, lower_is_better=lower_is_better), strict=True
        ):
            state = TrialState.COMPLETE if value is not None else TrialState.FAIL
            study.add_trial(
                create_trial(
                    state=TrialState.RUNNING if each.is_open else state,
                    params={d.name: _parameter(d, each.swept[d.name]) for d in space.dimensions},
                    distributions=distributions,
                    value=value,
                )
            )
        params = study.ask(distributions).params
    return {each.name: _text(each, params[each.name]) for each in space.dimensions}


def sampler_values(tried: Sequence[ObservedTrial], *, lower_is_better: bool) -> list[float | None]:
    """The values for Optuna, which ignores failed trials: they count as the worst value so far."""
    values = [None if each.is_open else each.value for each in tried]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    worst = (max if lower_is_better else min)(finite, default=None)
    return [worst if value is not None and not math.isfinite(value) else value for value in values]


def _distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna import distributions

    interval = dimension.interval
    if interval is None:
        return distributions.CategoricalDistribution(dimension.choices)
    if interval.is_integer:
        return distributions.IntDistribution(
            int(interval.low), int(interval.high), log=interval.log
        )
    return distributions.FloatDistribution(interval.low, interval.high, log=interval.log)


def _parameter(dimension: Dimension, text: str) -> Any:
    if dimension.interval is None:
        return text
    return int(text) if dimension.interval.is_integer else float(text)


def _text(dimension: Dimension, value: Any) -> str:
    if dimension.interval is None:
        return str(value)
    return format_number(value, dimension.interval)


def _combinations(space: SearchSpace) -> list[dict[str, str]]:
    """Every combination of a finite space; none of an infinite one."""
    if any(each.interval is not None for each in space.dimensions):
        return []
    names = [each.name for each in space.dimensions]
    choices = itertools.product(*(each.choices for each in space.dimensions))
    return [dict(zip(names, values, strict=True)) for values in choices]
