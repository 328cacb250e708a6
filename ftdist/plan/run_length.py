"""How long a run is: its steps, and the sequences and tokens in them."""

from typing import TypedDict

from ftdist.config.batch_split import split_batch
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.steps import count_passes, count_steps


class RunLength(TypedDict):
    """Steps of a run and their size, under the names of the fields of `Plan`."""

    world_size: int
    steps: int
    global_sequences: int
    micro_batch_size: int
    micro_steps: int
    sequence_length: int
    sequence_parallel_size: int
    epochs: float
    tokens: int


def run_length(config: RunConfig, *, library: PackedDatasetInfo) -> RunLength:
    """The length of a run on the packed sources.

    Args:
        config: the run, with numbers in place of `auto`.
        library: the packed sources.

    Raises:
        ConfigError: the batch cannot be split.
        DataError: a source is empty.
    """
    batch, world_size = config.batch, config.cluster.world_size
    sequence_length = resolved(batch.sequence_length)
    micro_batch_size = resolved(batch.micro_batch_size)
    global_sequences, micro_steps = split_batch(
        tokens=resolved(batch.tokens),
        sequence_length=sequence_length,
        micro_batch_size=micro_batch_size,
        world_size=world_size,
        sequence_parallel_size=batch.sequence_parallel_size,
        allow_uneven=batch.allow_uneven,
    )
    steps = _steps(config, library=library, global_sequences=global_sequences)
    return {
        "world_size": world_size,
        "steps": steps,
        "global_sequences": global_sequences,
        "micro_batch_size": micro_batch_size,
        "micro_steps": micro_steps,
        "sequence_length": sequence_length,
        "sequence_parallel_size": batch.sequence_parallel_size,
        "epochs": steps * global_sequences / library.rows_per_pass,
        "tokens": steps * global_sequences * sequence_length,
    }


def _steps(config: RunConfig, *, library: PackedDatasetInfo, global_sequences: int) -> int:
    if config.train.steps is not None:
        return config.train.steps
    passes = count_passes(config.train, library=library)
    return count_steps(passes, library=library, global_sequences=global_sequences)
