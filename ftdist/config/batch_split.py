"""One step's sequences, shared among ranks."""

import math
from dataclasses import dataclass

from ftdist.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BatchCut:
    """One step's sequences, cut into micro-batches."""

    global_sequences: int
    micro_batch_size: int
    world_size: int
    micro_steps: int
    uneven: bool


def cut_batch(
    *,
    global_sequences: int,
    micro_batch_size: int,
    world_size: int,
    allow_uneven: bool = False,
    sequence_length: int | None = None,
) -> BatchCut:
    """Cut one global batch into equal micro-batches.

    Args:
        global_sequences: packed sequences of one step.
        micro_batch_size: packed sequences that a rank computes at once.
        world_size: ranks.
        allow_uneven: round the micro-steps up; ranks that run short compute empty micro-batches.
        sequence_length: lets an error speak of `batch.tokens`, the key that the user sets.

    Raises:
        ConfigError: `global_sequences` is not a multiple of `micro_batch_size * world_size`.
    """
    per_micro_step = micro_batch_size * world_size
    uneven = global_sequences % per_micro_step != 0
    if uneven and not allow_uneven:
        below = global_sequences // per_micro_step * per_micro_step
        sizes = [size for size in (below, below + per_micro_step) if size]
        key, batch = "batch.global_sequences", f"batch.global_sequences={global_sequences}"
        if sequence_length is not None:
            tokens = global_sequences * sequence_length
            key = "batch.tokens"
            batch = f"batch.tokens={tokens} ({global_sequences} sequences of {sequence_length})"
            sizes = [size * sequence_length for size in sizes]
        raise ConfigError(
            f"{batch} cannot be shared equally by {world_size} ranks in micro-batches of "
            f"{micro_batch_size}.",
            remedy=f"set {key} to {' or '.join(map(str, sizes))}.",
        )
    return BatchCut(
        global_sequences=global_sequences,
        micro_batch_size=micro_batch_size,
        world_size=world_size,
        micro_steps=math.ceil(global_sequences / per_micro_step),
        uneven=uneven,
    )
