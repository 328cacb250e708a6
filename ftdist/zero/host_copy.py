"""A copy of a rank's shards in host memory, from which a thread writes while training goes on."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ftdist.zero.shard_files import Shard

BLOCK_BYTES = 2**28
"""torch rounds pinned allocations up to a power of two: of one piece, up to half would be lost."""


class HostCopy:
    """Host memory for the data of one shard file, taken once and filled at every save.

    Args:
        size: bytes.
        pinned: whether to pin it, so that a GPU copies at full speed, without waiting for the
            processor. torch rounds the last block up to a power of two.

    Raises:
        RuntimeError, MemoryError: the memory cannot be had.
    """

    def __init__(self, size: int, *, pinned: bool) -> None:
        sizes = [min(BLOCK_BYTES, size - at) for at in range(0, size, BLOCK_BYTES)]
        self._blocks = [_pinned(length) if pinned else _touched(length) for length in sizes]

    def fill(self, shards: Sequence[Shard]) -> None:
        """Copy the shards, one after another; the device must be waited for afterwards."""
        at = 0
        for shard in shards:
            data = shard.values.view(torch.uint8)
            while len(data):
                block = self._blocks[at // BLOCK_BYTES][at % BLOCK_BYTES :]
                part = data[: len(block)]
                block[: len(part)].copy_(part, non_blocking=True)
                data = data[len(part) :]
                at += len(part)

    def chunks(self) -> Iterator[memoryview]:
        """The bytes of the file after its header."""
        for block in self._blocks:
            yield block.numpy().data


def _pinned(length: int) -> Tensor:
    return torch.empty(length, dtype=torch.uint8, pin_memory=True)


def _touched(length: int) -> Tensor:
    # numpy asks the kernel for huge pages; writing makes them real now, not at the first save.
    block = np.empty(length, dtype=np.uint8)
    block.fill(0)
    return torch.from_numpy(block)
