"""The recipe of a run: what `auto` means for batch, sequence length, learning rate and length.

Symbols: D tokens that the whole run trains on, A distinct answers of the library, each with a
         fact of its own, N parameters.

    length          54 exposures per answer up to 1,000 answers, then 54 sqrt(1000 / A), at least 3
                    and one pass; a library of texts: 4 passes
    batch.tokens    1,024 sqrt(D / 170,000), or D / 100 if that is less
    sequence        the longest power of two of which a step has four, and one per rank and
                    micro-batch
    optim.peak_lr   2e-4 (134.5 million / N)^0.713, at most 3e-3

What was measured, what is published, and what neither: docs/decisions/0018-a-recipe-by-default.md.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from ftdist.config.schema import BatchConfig, RunConfig, TrainConfig
from ftdist.config.schema.types import AUTO, resolved
from ftdist.errors import ConfigError
from ftdist.io.units import format_count
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.steps import MIN_STEPS, count_passes, count_steps

EXPOSURES = 54.0
MIN_EXPOSURES = 3.0
MAX_EXPOSURES = 2 * EXPOSURES
"""Of a library that is so small that 54 give fewer than `MIN_STEPS`."""

FULL_EXPOSURE_ANSWERS = 1000
"""Distinct answers up to which each is shown `EXPOSURES` times."""

TEXT_PASSES = 4.0
MAX_TEXT_PASSES = 54.0

TEXT_LIBRARY = 0.1
"""Share of conversations in the samples, below which a library counts as texts."""

STEP_TOKENS = 1024
STEP_TOKENS_AT = 170_000
"""Tokens of a run whose steps have `STEP_TOKENS`."""

USUAL_STEPS = 100
"""Steps that a small run should have at least."""

PEAK_LR = 2e-4
PEAK_LR_AT = 134_515_008
"""Parameters of the model for which `PEAK_LR` was measured."""

PEAK_LR_EXPONENT = 0.713
MAX_PEAK_LR = 3e-3

MIXED_SEQUENCES = 4
"""Sequences that a step should at least have: each is of one source, and a step should mix them."""

PACKED_LENGTH = 256
"""Not shortened below this for the mixture: few short samples fill a shorter sequence well."""

MIN_LENGTH, MIN_TEXT_LENGTH, USUAL_LENGTH, MAX_LENGTH = 128, 512, 4096, 8192
"""Sequence lengths to choose from: powers of two. Beyond the usual one only for a conversation."""


def max_sequence_length(max_position: int | None) -> int:
    """The longest sequence that `auto` chooses, for a model with so many positions."""
    return min(MAX_LENGTH, max_position or MAX_LENGTH)


def sequence_lengths(library: PackedDatasetInfo, *, limit: int) -> list[int]:
    """The lengths to choose from, in which every conversation fits: powers of two, and the limit.

    Texts are cut to any length; the library's own not below `MIN_TEXT_LENGTH`.
    """
    longest = max(source.longest_conversation for source in library.sources)
    if any(source.own and source.samples > source.answered_samples for source in library.sources):
        longest = max(longest, MIN_TEXT_LENGTH)
    powers = [1 << power for power in range(MIN_LENGTH.bit_length() - 1, MAX_LENGTH.bit_length())]
    return [power for power in powers if min(longest, limit) <= power < limit] + [limit]


def choose_sequence_length(
    config: RunConfig, *, library: PackedDatasetInfo, max_position: int | None
) -> int:
    """The sequence length for a config where it is `auto`.

    Args:
        config: of the run.
        library: packed in sequences of `max_sequence_length`.
        max_position: of the model; None: unknown.
    """
    lengths = sequence_lengths(library, limit=max_sequence_length(max_position))
    rows = _rows_at_once(config)
    if config.batch.tokens != AUTO:
        return _dividing_length(config.batch.tokens, rows=rows, lengths=lengths)
    target = step_tokens(_run_tokens(config, library=library))
    most = min(USUAL_LENGTH, target / rows, max(PACKED_LENGTH, target / MIXED_SEQUENCES))
    return max((length for length in lengths if length <= most), default=lengths[0])


def resolve_recipe(config: RunConfig, *, model: ModelInfo, library: PackedDatasetInfo) -> RunConfig:
    """The config with numbers in place of every `auto`; an explicit value always wins.

    Args:
        config: of the run.
        model: the base model's sizes.
        library: packed with the sequence length of the run.
    """
    length = config.batch.sequence_length
    length = library.sequence_length if length == AUTO else length
    batch = replace(config.batch, sequence_length=length)
    if batch.tokens == AUTO:
        unit = length * _rows_at_once(config)
        target = step_tokens(_run_tokens(config, library=library))
        batch = replace(batch, tokens=max(1, round(target / unit)) * unit)
    rate = config.optim.peak_lr
    optim = replace(config.optim, peak_lr=peak_lr(model.parameters) if rate == AUTO else rate)
    train = config.train
    if not _has_length(train):
        train = _usual_length(train, library=library, batch=batch)
    return replace(config, batch=batch, optim=optim, train=train)


def step_tokens(run_tokens: float) -> float:
    """Tokens of one step, before rounding, of a run on so many tokens."""
    measured = STEP_TOKENS * math.sqrt(run_tokens / STEP_TOKENS_AT)
    return min(measured, run_tokens / USUAL_STEPS)


def peak_lr(parameters: int) -> float:
    """The peak learning rate for a model of so many parameters, to two digits."""
    rate = PEAK_LR * (PEAK_LR_AT / parameters) ** PEAK_LR_EXPONENT
    return float(f"{min(rate, MAX_PEAK_LR):.1e}")


def exposures(library: PackedDatasetInfo) -> float:
    """Exposures per answer of a library with answers."""
    usual = EXPOSURES * min(1.0, math.sqrt(FULL_EXPOSURE_ANSWERS / library.answers))
    return float(f"{max(usual, MIN_EXPOSURES, library.exposures_per_pass):.3g}")


def limit_retention(config: RunConfig, *, library: PackedDatasetInfo) -> PackedDatasetInfo:
    """The library whose replay and out-of-scope samples are seen `max_retention_epochs` at most.

    In P passes over the library of T tokens, source i with weight w_i and t_i tokens is seen
    P w_i T / t_i times. A source of the config has the weight that it is given; so have all in a
    run of `train.steps`, whose passes are not known.

    Args:
        config: of the run.
        library: packed, with weights as curated.
    """
    most = config.library.max_retention_epochs
    if most is None or config.train.steps is not None:
        return library
    passes = _passes(config, library=library)
    given = config.library.extra_sources

    def limited(source: PackedSourceInfo) -> PackedSourceInfo:
        if source.own or source.name in given:
            return source
        limit = most * source.tokens / (passes * library.sources[0].tokens)
        return replace(source, weight=min(source.weight, limit))

    return replace(library, sources=tuple(map(limited, library.sources)))


def largest_values(config: RunConfig, *, max_position: int | None) -> RunConfig:
    """The config with the largest sequences that `auto` may choose, before a library is read."""
    batch = config.batch
    if batch.sequence_length == AUTO:
        limit = min(USUAL_LENGTH, max_sequence_length(max_position))
        batch = replace(batch, sequence_length=limit)
    return replace(config, batch=batch)


def describe_choices(config: RunConfig, chosen: RunConfig) -> str:
    """What the recipe chose, as keys of a command line; empty if the config left it no choice."""
    return " ".join(f"{key}={_plain(value)}" for key, value in _choices(config, chosen))


def _plain(value: float) -> str:
    """A number as a user types it: 1024, 54, 0.0002."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def _choices(config: RunConfig, chosen: RunConfig) -> Iterator[tuple[str, float]]:
    for key, before, after in (
        ("batch.tokens", config.batch.tokens, chosen.batch.tokens),
        ("batch.sequence_length", config.batch.sequence_length, chosen.batch.sequence_length),
        ("optim.peak_lr", config.optim.peak_lr, chosen.optim.peak_lr),
    ):
        if before == AUTO:
            yield key, resolved(after)
    for key in ("exposures", "epochs"):
        value = getattr(chosen.train, key)
        if value is not None and getattr(config.train, key) is None:
            yield f"train.{key}", value


def _rows_at_once(config: RunConfig) -> int:
    """Sequences of which a step needs a multiple: one micro-batch per group of ranks."""
    if config.batch.allow_uneven:
        return 1
    rows, groups = config.batch.micro_batch_size, config.cluster.world_size
    groups //= config.batch.sequence_parallel_size
    return (1 if rows == AUTO else rows) * max(1, groups)


def _dividing_length(tokens: int, *, rows: int, lengths: list[int]) -> int:
    """The longest sequence of which `tokens` hold a multiple of `rows`; if none, their share.

    Raises:
        ConfigError: there is none.
    """
    fitting = [length for length in lengths if tokens % (length * rows) == 0]
    usual = [length for length in fitting if length <= USUAL_LENGTH]
    if fitting:
        return max(usual, default=min(fitting))
    if tokens % rows == 0 and lengths[0] <= tokens // rows <= lengths[-1]:
        return tokens // rows
    least = lengths[0] * rows
    below = max(1, tokens // least) * least
    sizes = f"{below} or {below + least}" if tokens > least else str(least)
    raise ConfigError(
        f"batch.tokens={tokens} is no whole number of tokens for each of "
        f"{format_count(rows, 'sequence')} of {lengths[0]} tokens or more, a micro-batch per rank.",
        remedy=f"set batch.tokens to {sizes}.",
    )


def _has_length(train: TrainConfig) -> bool:
    return any(value is not None for value in (train.epochs, train.exposures, train.steps))


def _is_text(library: PackedDatasetInfo) -> bool:
    """Whether a library is one of texts, with few conversations or none, or no answers in them."""
    own = [source for source in library.sources if source.own]
    answered = sum(source.answered_samples for source in own)
    samples = sum(source.samples for source in own)
    return library.answers == 0 or answered < TEXT_LIBRARY * samples


def _run_tokens(config: RunConfig, *, library: PackedDatasetInfo) -> float:
    """Tokens that the run trains on: D."""
    return _passes(config, library=library) * library.tokens_per_pass


def _passes(config: RunConfig, *, library: PackedDatasetInfo) -> float:
    """Passes over the library. Explicit steps count as the usual length."""
    train = config.train
    if train.steps is None and _has_length(train):
        return count_passes(train, library=library)
    if _is_text(library):
        return TEXT_PASSES
    return exposures(library) / library.exposures_per_pass


def _usual_length(
    train: TrainConfig, *, library: PackedDatasetInfo, batch: BatchConfig
) -> TrainConfig:
    """The length of a run that sets none, long enough for `MIN_STEPS` if that is not excessive."""
    sequences = resolved(batch.tokens) // resolved(batch.sequence_length)
    least = MIN_STEPS * sequences / library.rows_per_pass
    if _is_text(library):
        passes = TEXT_PASSES if least > MAX_TEXT_PASSES else max(TEXT_PASSES, math.ceil(least))
        return replace(train, epochs=passes)
    usual = exposures(library)
    passes = usual / library.exposures_per_pass
    if count_steps(passes, library=library, global_sequences=sequences) < MIN_STEPS:
        longer = float(math.ceil(least * library.exposures_per_pass))
        usual = longer if longer <= MAX_EXPOSURES else usual
    return replace(train, exposures=usual)
