"""Attention kernels of ranks that share rows are called as transformers calls them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed
from transformers import AttentionInterface, LlamaConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ftdist.dist.world import World
from ftdist.zero.sequence_parallel import SequenceParallel


@pytest.fixture
def alone() -> Iterator[SequenceParallel]:
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    world = World(rank=0, size=1, local_rank=0, local_size=1)
    yield SequenceParallel(world, timeout_s=10)
    torch.distributed.destroy_process_group()


def test_a_kernel_finds_its_own_name_and_the_model_keeps_the_other(
    alone: SequenceParallel,
) -> None:
    seen: list[str] = []

    def kernel(module: Any, query: Any, *_: Any, **__: Any) -> tuple[Any, None]:
        seen.append(module.config._attn_implementation)  # as flash attention reads it
        return query, None

    AttentionInterface.register("flash_like", kernel)
    config = LlamaConfig(num_hidden_layers=1)
    config._attn_implementation = "flash_like"
    model = SimpleNamespace(config=config)
    alone.attach(model)
    registered = config._attn_implementation
    assert registered == "flash_like_sequence_parallel"
    states = torch.zeros(1, 2, 3, 4)
    with alone.whole_rows():
        ALL_ATTENTION_FUNCTIONS[registered](model, states, states, states, None)
    assert seen == ["flash_like"]
    assert config._attn_implementation == registered
