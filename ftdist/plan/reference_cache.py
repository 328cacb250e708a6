"""Whether the base model's hidden states are kept for later passes, and how large they are."""

from typing import Literal

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.io.units import GIB
from ftdist.plan.dataset_info import PackedDatasetInfo, row_shares


def reference_cache_gib(
    config: RunConfig,
    library: PackedDatasetInfo,
    *,
    rows: int,
    state_bytes: int,
    device: Literal["cpu", "cuda"],
) -> float:
    """Host memory per rank for the base's hidden states of tokens that are trained by KL, GiB.

    0 where no row comes twice. On CPUs also where a row of several sequences is computed at once:
    there a resumed run equals an undisturbed one bit for bit, and a sequence's states could depend
    on its neighbours.

    Args:
        config: of the run.
        library: its sources.
        rows: of all steps.
        state_bytes: of the hidden state of one loss token.
        device: that the run trains on.
    """
    if config.batch.sequence_parallel_size > 1:
        return 0.0  # a rank has a part of each row
    if device == "cpu" and resolved(config.batch.micro_batch_size) > 1:
        return 0.0
    tokens = sum(
        source.loss_tokens if source.kl_to_base else source.distilled_tokens
        for source, share in zip(library.sources, row_shares(library.sources), strict=True)
        if rows * share > source.sequences
    )
    needed = tokens * state_bytes / config.cluster.world_size / GIB
    return min(config.engine.reference_cache_gib, needed)
