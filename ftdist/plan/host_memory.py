"""Host memory of a rank that offloads, in bytes."""

import math
from typing import Literal

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved

FLOAT32 = 4
UNPINNED_BYTES = 12
"""Per parameter: float32 master weight and AdamW's two moments, in ordinary memory."""

GRADIENT_BYTES = 4
"""Per parameter, twice: all accumulated gradients, and those of each sub-group; both pinned."""


def host_offload_bytes(
    config: RunConfig,
    *,
    parameters: int,
    trained: int,
    size: int,
    device: Literal["cpu", "cuda"],
) -> float:
    """What offloading takes of host memory on one rank: 20 bytes per trained parameter, and more.

    torch rounds each pinned block up to a power of two, so the pinned 8 of the 20 can take 16.
    DeepSpeed 0.19.8: runtime/zero/stage3.py, `grad_partitions_flat_buffer` and
    `subgroup_gradient_buffer`. torch: ATen/core/CachingHostAllocator.h, `roundSize`.

    Args:
        config: of the run, with numbers in place of `auto`.
        parameters: of the whole model.
        trained: of these, trained.
        size: bytes of the model's dtype.
        device: of the ranks; on CPUs nothing is pinned.
    """
    engine, ranks = config.engine, config.cluster.world_size
    own, taken = trained / ranks, 0.0
    if resolved(engine.offload_optimizer):
        group = min(own, resolved(engine.sub_group_size))
        whole_groups = int(own // group) if group else 0
        rest = own - whole_groups * group
        taken += own * UNPINNED_BYTES + pinned_block(own * GRADIENT_BYTES, device=device)
        taken += whole_groups * pinned_block(group * GRADIENT_BYTES, device=device)
        taken += pinned_block(rest * GRADIENT_BYTES, device=device)
    if resolved(engine.offload_parameters):
        taken += pinned_block(parameters / ranks * size, device=device)
    return taken


def pinned_block(wanted: float, *, device: Literal["cpu", "cuda"]) -> float:
    """Bytes of a pinned block for `wanted` bytes: on GPUs the next power of two."""
    if device == "cpu" or wanted < 1:
        return wanted
    return float(2 ** math.ceil(math.log2(wanted)))
