"""A process group of any size in one process: torch's fake backend, which moves nothing.

What a rank receives is what it sent, as if all ranks had sent the same. It shows how often and how
much a rank communicates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch.distributed
from torch.testing._internal.distributed.fake_pg import FakeStore

from ftdist.dist.world import World

COLLECTIVES = (
    *("all_reduce", "broadcast", "all_gather", "all_gather_single", "all_gather_into_tensor"),
    *("gather", "barrier", "reduce_scatter_single", "reduce_scatter_tensor", "send", "recv"),
    *("all_to_all_single", "scatter", "reduce"),
    *("broadcast_object_list", "all_gather_object", "gather_object"),
)


@contextmanager
def fake_group(size: int, *, rank: int = 0) -> Iterator[tuple[World, list[str]]]:
    """This process as one of `size` ranks; and the collectives it called, in order."""
    called: list[str] = []
    world = World(rank=rank, size=size, local_rank=rank % 8, local_size=8)
    torch.distributed.init_process_group(
        backend="fake", store=FakeStore(), rank=rank, world_size=size
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in COLLECTIVES if hasattr(torch.distributed, name)]:
            patch.setattr(torch.distributed, name, _counting(name, called))
        try:
            yield world, called
        finally:
            torch.distributed.destroy_process_group()


def _counting(name: str, called: list[str]) -> Any:
    collective = getattr(torch.distributed, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        called.append(name)
        if name in ("all_gather_single", "all_gather_into_tensor"):
            gathered, own = arguments
            gathered.view(-1, own.numel()).copy_(own.flatten())
        return collective(*arguments, **options)

    return counted
