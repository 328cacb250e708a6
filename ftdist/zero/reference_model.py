"""A frozen model in shards: the reference of sources that are trained by KL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ftdist.data.collate import Batch
from ftdist.nn.loss import ReferenceStates
from ftdist.nn.model import PackedReference

_MIN_ROW_TOKENS = 8
"""Length of the row of a rank that needs no reference while others do."""


class ReferenceModel:
    """ZeRO-3 shards of a model, without optimizer; every attempt loads them again. Collective.

    Args:
        model: sharded and loaded.
        settings: DeepSpeed's.
    """

    def __init__(self, model: nn.Module, *, settings: dict[str, Any]) -> None:
        import deepspeed

        self._model = PackedReference(model).requires_grad_(False).eval()
        self._engine, *_ = deepspeed.initialize(
            model=self._model, config=settings, dist_init_required=False
        )
        self._engine.eval()

    @contextmanager
    def states(self, batch: Batch) -> Iterator[ReferenceStates | None]:
        """The model at `batch.kl_positions`, its output embedding gathered meanwhile.

        Collective where `batch.uses_reference` is set, which it is on all ranks or on none.
        """
        import deepspeed

        if not batch.uses_reference:
            yield None
            return
        tokens = batch.input_ids.shape[1] if len(batch.kl_positions) else _MIN_ROW_TOKENS
        with torch.no_grad():
            hidden = self._engine(
                input_ids=batch.input_ids[:, :tokens],
                position_ids=batch.position_ids[:, :tokens],
                positions=batch.kl_positions,
                cu_seqlens=batch.cu_seqlens.clamp(max=tokens),
                max_seqlen=min(batch.max_seqlen, tokens),
            )
        embedding = self._model.embedding
        with deepspeed.zero.GatheredParameters(
            [p for p in (embedding.weight, embedding.bias) if p is not None]
        ):
            yield ReferenceStates(hidden=hidden, head=embedding.weight, bias=embedding.bias)
