"""The batch arithmetic: tokens per step to sequences, ranks and micro-steps."""

import math

from ftdist.errors import ConfigError


def split_batch(
    *,
    tokens: int,
    sequence_length: int,
    micro_batch_size: int,
    world_size: int,
    sequence_parallel_size: int = 1,
    allow_uneven: bool = False,
) -> tuple[int, int]:
    """Split one step's tokens into equal micro-batches.

    Args:
        tokens: per step, over all ranks.
        sequence_length: tokens per packed sequence.
        micro_batch_size: packed sequences per rank (or group of ranks) and micro-step.
        world_size: number of ranks.
        sequence_parallel_size: ranks of a group, which share their sequences.
        allow_uneven: round the micro-steps up; ranks with fewer sequences compute empty
            micro-batches.

    Returns:
        sequences per step over all ranks, and micro-steps.

    Raises:
        ConfigError: `tokens` is not a multiple of `sequence_length`, or the sequences are not a
            multiple of the micro-batches of all ranks; or the ranks are no whole groups.
    """
    groups = count_groups(world_size, sequence_parallel_size=sequence_parallel_size)
    global_sequences, rest = divmod(tokens, sequence_length)
    if rest:
        raise ConfigError(
            f"batch.tokens={tokens} is not a multiple of batch.sequence_length={sequence_length}.",
            remedy=f"set batch.tokens to {_nearest_multiples(tokens, of=sequence_length)}.",
        )
    per_micro_step = micro_batch_size * groups
    if global_sequences % per_micro_step and not allow_uneven:
        sizes = _nearest_multiples(tokens, of=per_micro_step * sequence_length)
        raise ConfigError(
            f"batch.tokens={tokens} ({global_sequences} sequences of {sequence_length}) cannot be "
            f"shared equally by {_sharers(groups, sequence_parallel_size)} in micro-batches of "
            f"{micro_batch_size}.",
            remedy=f"set batch.tokens to {sizes}.",
        )
    return global_sequences, math.ceil(global_sequences / per_micro_step)


def count_groups(world_size: int, *, sequence_parallel_size: int) -> int:
    """Groups of ranks that share their sequences.

    Raises:
        ConfigError: some ranks would be left over.
    """
    groups, rest = divmod(world_size, sequence_parallel_size)
    if rest:
        sizes = [size for size in range(1, world_size + 1) if world_size % size == 0]
        raise ConfigError(
            f"batch.sequence_parallel_size={sequence_parallel_size} does not divide the "
            f"{world_size} ranks into equal groups.",
            remedy=f"set batch.sequence_parallel_size to {one_of(sizes)}, or start another number "
            "of ranks.",
        )
    return groups


def _sharers(groups: int, sequence_parallel_size: int) -> str:
    if sequence_parallel_size == 1:
        return f"{groups} ranks"
    return f"{groups} groups of {sequence_parallel_size} ranks"


def one_of(numbers: list[int]) -> str:
    """Numbers to choose from, in words: 1, 2 or 4."""
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


def _nearest_multiples(number: int, *, of: int) -> str:
    below = number // of * of
    return f"{below} or {below + of}" if below else str(of)
