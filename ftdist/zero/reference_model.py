"""A frozen model in shards: the reference of sources that are trained by KL."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ftdist.data.collate import Batch
from ftdist.nn.loss import ReferenceStates
from ftdist.nn.model import PackedReference
from ftdist.zero.reference_cache import ReferenceCache

_MIN_ROW_TOKENS = 8
"""Length of the row of a rank that needs no reference while others do."""


class ReferenceModel:
    """ZeRO-3 shards of a model, without optimizer; every attempt loads them again. Collective.

    Args:
        model: sharded and loaded.
        settings: DeepSpeed's.
        kl_weight: factor on the loss of each token that has only the reference as its target.
    """

    def __init__(
        self, model: nn.Module, *, settings: dict[str, Any], kl_weight: float = 1.0
    ) -> None:
        import deepspeed

        self._model = PackedReference(model).requires_grad_(False).eval()
        self._engine, *_ = deepspeed.initialize(
            model=self._model, config=settings, dist_init_required=False
        )
        self._engine.eval()
        weight = self._model.embedding.weight
        self._width = int(weight.ds_shape[-1])
        self._dtype: torch.dtype = weight.dtype
        self._cache = ReferenceCache()
        self._kl_weight = kl_weight

    @property
    def state_bytes(self) -> int:
        """Bytes of one hidden state."""
        return self._width * self._dtype.itemsize

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self._model.lm.model

    def states(self, batch: Batch) -> AbstractContextManager[ReferenceStates] | None:
        """The model at `batch.kl_positions`; entering it gathers the output embedding.

        Entering is collective too. None where no rank needs the reference. Collective where
        `batch.uses_reference` is set, which it is on all ranks or on none.
        """
        return self._gathered(self._hidden(batch)) if batch.uses_reference else None

    def _hidden(self, batch: Batch) -> Tensor:
        """Hidden states at `batch.kl_positions`, computed or from the ranks that hold them."""
        rows = batch.reference_rows
        if rows is not None and rows.exchange is not None:
            return self._cache.collect(
                rows,
                rows.exchange,
                width=self._width,
                dtype=self._dtype,
                device=batch.input_ids.device,
            )
        # Of a row that ranks share, every part is needed if any is.
        is_cut = not len(batch.kl_positions) and batch.parts == 1
        tokens = _MIN_ROW_TOKENS if is_cut else batch.input_ids.shape[1]
        with torch.no_grad():
            hidden: Tensor = self._engine(
                input_ids=batch.input_ids[:, :tokens],
                position_ids=batch.position_ids[:, :tokens],
                positions=batch.kl_positions,
                cu_seqlens=batch.cu_seqlens.clamp(max=tokens) if is_cut else batch.cu_seqlens,
                max_seqlen=min(batch.max_seqlen, tokens) if is_cut else batch.max_seqlen,
            )
        if rows is not None:
            self._cache.keep(rows, hidden)
        return hidden

    @contextmanager
    def _gathered(self, hidden: Tensor) -> Iterator[ReferenceStates]:
        import deepspeed

        embedding = self._model.embedding
        with deepspeed.zero.GatheredParameters(
            [p for p in (embedding.weight, embedding.bias) if p is not None]
        ):
            yield ReferenceStates(
                hidden=hidden,
                head=embedding.weight,
                bias=embedding.bias,
                weight=self._kl_weight,
            )
