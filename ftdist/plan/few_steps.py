"""Refuse a run that has too few steps to learn anything, with the line to write instead."""

import math

from ftdist.config.schema import RunConfig, TrainConfig
from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.plan.plan import Plan
from ftdist.plan.recipe import USUAL_STEPS, sequence_lengths
from ftdist.plan.steps import MIN_STEPS, count_passes

_MAX_PASSES = 200
"""Passes beyond which a longer run is not proposed."""


def refuse_few_steps(config: RunConfig, *, plan: Plan) -> None:
    """Refuse a run whose passes or exposures give fewer than `MIN_STEPS`.

    Args:
        config: planned, with numbers in place of `auto`.
        plan: of that config.

    Raises:
        ConfigError: they do.
    """
    if config.train.steps is not None or plan.steps >= MIN_STEPS:
        return
    tokens = plan.global_sequences * plan.sequence_length
    passes = plan.global_sequences / plan.library.rows_per_pass
    share = f"{passes:.3g} passes over" if passes >= 1.05 else f"{passes:.0%} of"
    verb, each = ("comes", "It") if plan.steps == 1 else ("come", "Each")
    raise ConfigError(
        f"Only {format_count(plan.steps, 'step')} of {tokens:,} tokens {verb} out of "
        f"{_length_key(config.train)}. {each} covers {share} the library. A model learns little "
        "in so few.",
        remedy=f"{_remedy(config, plan=plan)}; or train.steps={plan.steps} to insist.",
    )


def _length_key(length: TrainConfig, *, factor: float | None = None) -> str:
    """The key that sets the length, `train.exposures=54`; with a factor, a longer one."""
    key = "exposures" if length.exposures is not None else "epochs"
    value = getattr(length, key)
    return f"train.{key}={value if factor is None else math.ceil(value * factor):g}"


def _remedy(config: RunConfig, *, plan: Plan) -> str:
    """The keys to write for a sound number of steps."""
    at_once = plan.micro_batch_size * plan.data_parallel_size
    passes = count_passes(config.train, library=plan.library)
    possible = {
        length: _smallest_steps(plan, passes=passes, length=length, at_once=at_once)
        for length in sequence_lengths(plan.library, limit=plan.sequence_length)
    }
    length = max(
        (n for n, steps in possible.items() if steps >= USUAL_STEPS), default=min(possible)
    )
    steps = possible[length]
    if steps >= MIN_STEPS:
        multiple = max(1, round(steps / USUAL_STEPS))
        keys = _batch_keys(plan, tokens=multiple * length * at_once, length=length)
        return f"write {keys}, which gives {math.floor(steps / multiple)} steps or more"
    factor = MIN_STEPS / steps
    if passes * factor <= _MAX_PASSES:
        keys = _batch_keys(plan, tokens=length * at_once, length=length)
        longer = _length_key(config.train, factor=factor)
        return f"write {' '.join(filter(None, (keys, longer)))}, which gives {MIN_STEPS} steps"
    if plan.data_parallel_size > 1:
        return f"run fewer ranks than {plan.world_size}, of which each has a part of every step"
    return "give the library more to learn"


def _smallest_steps(plan: Plan, *, passes: float, length: int, at_once: int) -> float:
    """Steps of so many passes with one micro-batch per rank, in sequences of `length`."""
    if length == plan.sequence_length:
        return passes * plan.library.rows_per_pass / at_once
    # Packed in sequences of another length, a library has at least as many as its tokens fill.
    return passes * plan.library.tokens_per_pass / (length * at_once)


def _batch_keys(plan: Plan, *, tokens: int, length: int) -> str:
    """The keys of a batch, as far as they differ from the plan's."""
    keys = []
    if tokens != plan.global_sequences * plan.sequence_length:
        keys.append(f"batch.tokens={tokens}")
    if length != plan.sequence_length:
        keys.append(f"batch.sequence_length={length}")
    return " ".join(keys)
