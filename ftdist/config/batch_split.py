"""The batch arithmetic: tokens per step to sequences, ranks and micro-steps."""

import math

from ftdist.errors import ConfigError


def split_batch(
    *,
    tokens: int,
    sequence_length: int,
    micro_batch_size: int,
    world_size: int,
    allow_uneven: bool = False,
) -> tuple[int, int]:
    """Split one step's tokens into equal micro-batches.

    Args:
        tokens: per step, over all ranks.
        sequence_length: tokens per packed sequence.
        micro_batch_size: packed sequences per rank and micro-step.
        world_size: number of ranks.
        allow_uneven: round the micro-steps up; ranks with fewer sequences compute empty
            micro-batches.

    Returns:
        sequences per step over all ranks, and micro-steps.

    Raises:
        ConfigError: `tokens` is not a multiple of `sequence_length`, or the sequences are not a
            multiple of `micro_batch_size * world_size`.
    """
    global_sequences, rest = divmod(tokens, sequence_length)
    if rest:
        raise ConfigError(
            f"batch.tokens={tokens} is not a multiple of batch.sequence_length={sequence_length}.",
            remedy=f"set batch.tokens to {_nearest_multiples(tokens, of=sequence_length)}.",
        )
    per_micro_step = micro_batch_size * world_size
    if global_sequences % per_micro_step and not allow_uneven:
        sizes = _nearest_multiples(tokens, of=per_micro_step * sequence_length)
        raise ConfigError(
            f"batch.tokens={tokens} ({global_sequences} sequences of {sequence_length}) cannot be "
            f"shared equally by {world_size} ranks in micro-batches of {micro_batch_size}.",
            remedy=f"set batch.tokens to {sizes}.",
        )
    return global_sequences, math.ceil(global_sequences / per_micro_step)


def _nearest_multiples(number: int, *, of: int) -> str:
    below = number // of * of
    return f"{below} or {below + of}" if below else str(of)
