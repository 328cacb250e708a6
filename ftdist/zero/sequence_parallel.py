"""Ranks that share a row of tokens: DeepSpeed's Ulysses around our attention kernels.

Each rank has an equal part of the row's tokens. For attention, the ranks of a group exchange tokens
for heads, by all-to-all: each then has the whole row, and an equal part of the heads.

DeepSpeed's engine does not know of it: it shards parameters and sums gradients over all ranks, as
it always does. A rank's loss is of its own tokens, so that sum is the gradient of all rows. With an
`mpu`, DeepSpeed would divide gradients by the number of ranks in a reduce-scatter, by the number of
groups in an all-reduce, and ignore `engine.communication_dtype`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from torch import Tensor

from ftdist.dist.world import World
from ftdist.errors import ModelError

AttentionKernel = Callable[..., tuple[Tensor, Any]]
"""A kernel as transformers calls it: (layer, query, key, value, mask, **options)."""


class SequenceParallel:
    """Exchanges tokens for heads around the attention of models. Collective: makes groups of ranks.

    Args:
        world: this rank; `sequence_parallel_size` neighbours are a group.
        timeout_s: seconds to wait for the other ranks of the group in an exchange.
    """

    def __init__(self, world: World, *, timeout_s: float) -> None:
        self._group, _ = torch.distributed.new_subgroups(
            group_size=world.sequence_parallel_size, timeout=timedelta(seconds=timeout_s)
        )
        self._size = world.sequence_parallel_size
        self._exchanges: dict[tuple[int, ...], Any] = {}
        """DeepSpeed's modules, by heads, width, key heads and kernel."""

        self._has_whole_rows = False

    def attach(self, model: Any) -> None:
        """Exchange tokens for heads around the attention kernel of a transformers model."""
        from transformers import AttentionInterface
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        name = model.config._attn_implementation
        kernel: AttentionKernel = ALL_ATTENTION_FUNCTIONS[name]

        def own_kernel(module: Any, *args: Any, **options: Any) -> tuple[Tensor, Any]:
            with _named(module, name):
                return kernel(module, *args, **options)

        def attend(*args: Any, **options: Any) -> tuple[Tensor, Any]:
            return self._attend(own_kernel, *args, **options)

        # A name of its own: transformers makes no mask for it, and other models keep the kernel.
        AttentionInterface.register(f"{name}_sequence_parallel", attend)
        model.config._attn_implementation = f"{name}_sequence_parallel"

    @contextmanager
    def whole_rows(self) -> Iterator[None]:
        """For forward passes, without gradients, in which each rank has a whole row of its own."""
        self._has_whole_rows = True
        try:
            yield
        finally:
            self._has_whole_rows = False

    def _attend(
        self,
        kernel: AttentionKernel,
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        **options: Any,
    ) -> tuple[Tensor, Any]:
        """Attention over the whole row by `kernel`, of this rank's part of the tokens."""
        if self._has_whole_rows:
            return kernel(module, query, key, value, mask, **options)
        # DeepSpeed gathers the positions for kernels that find borders in them; ours get borders.
        options["position_ids"] = torch.zeros(1, 1, dtype=torch.long, device=query.device)
        attended: tuple[Tensor, Any] = self._exchange(kernel, query, key, value)(
            module, query, key, value, None, **options
        )
        return attended

    def _exchange(self, kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor) -> Any:
        """DeepSpeed's module for a layer with such heads.

        Raises:
            ModelError: the heads cannot be shared out.
        """
        from deepspeed.runtime.sequence_parallel.ulysses_sp import UlyssesSPAttentionHF

        sizes = (query.shape[1], query.shape[3], key.shape[1], id(kernel))
        if sizes not in self._exchanges:
            try:
                if key.shape != value.shape:
                    raise ValueError(f"keys are {key.shape[3]} wide, and values {value.shape[3]}")
                self._exchanges[sizes] = UlyssesSPAttentionHF(
                    attn=kernel,
                    batch_size=1,
                    attn_head_count=query.shape[1],
                    attn_head_size=query.shape[3],
                    kv_head_count=key.shape[1],
                    num_hidden_layers=1,
                    process_group=self._group,
                    seq_length_is_variable=True,
                )
            except ValueError as error:
                raise ModelError(
                    f"{self._size} ranks cannot share the attention of this model: {error}.",
                    remedy="set batch.sequence_parallel_size=1.",
                ) from error
        return self._exchanges[sizes]


@contextmanager
def _named(module: Any, name: str) -> Iterator[None]:
    """Call a kernel under its own name: flash attention and the Hub's load themselves by it."""
    config = module.config
    before = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = before
