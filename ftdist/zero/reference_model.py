"""A frozen model in shards: reference of sources trained by KL, teacher of distilled samples."""

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
        distillation: weight of the divergence from it where it is the teacher.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        settings: dict[str, Any],
        kl_weight: float = 1.0,
        distillation: float = 0.0,
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
        self._kl_weight, self._distillation = kl_weight, distillation

    @property
    def state_bytes(self) -> int:
        """Bytes of one hidden state."""
        return self._width * self._dtype.itemsize

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self._model.lm.model

    def states(self, batch: Batch) -> AbstractContextManager[ReferenceStates] | None:
        """The model at the distilled tokens of `batch`, then at its `kl_positions`.

        Entering it gathers the output embedding. Both are collective. None where no rank needs the
        reference, which all of them know.
        """
        if not batch.uses_reference and not batch.teacher_rows:
            return None
        return self._gathered(self._hidden(batch), distilled=batch.distilled)

    def _hidden(self, batch: Batch) -> Tensor:
        """Hidden states at these tokens, computed or from the ranks that hold them."""
        rows = batch.reference_rows
        if rows is not None and rows.exchange is not None:
            return self._cache.collect(
                rows,
                rows.exchange,
                width=self._width,
                dtype=self._dtype,
                device=batch.input_ids.device,
            )
        parts = [self._run(row, row.loss_positions) for row in batch.teacher_rows]
        if batch.uses_reference:
            # Of a row that ranks share, every part is needed if any is.
            is_cut = not len(batch.kl_positions) and batch.parts == 1
            parts.append(self._run(batch, batch.kl_positions, is_cut=is_cut))
        hidden = parts[0] if len(parts) == 1 else torch.cat(parts)
        if rows is not None:
            self._cache.keep(rows, hidden)
        return hidden

    def _run(self, row: Batch, positions: Tensor, *, is_cut: bool = False) -> Tensor:
        """Hidden states at `positions` of a row, of which a few tokens do if it `is_cut`."""
        tokens = _MIN_ROW_TOKENS if is_cut else row.input_ids.shape[1]
        with torch.no_grad():
            hidden: Tensor = self._engine(
                input_ids=row.input_ids[:, :tokens],
                position_ids=row.position_ids[:, :tokens],
                positions=positions,
                cu_seqlens=row.cu_seqlens.clamp(max=tokens) if is_cut else row.cu_seqlens,
                max_seqlen=min(row.max_seqlen, tokens) if is_cut else row.max_seqlen,
            )
        return hidden

    @contextmanager
    def _gathered(self, hidden: Tensor, *, distilled: int) -> Iterator[ReferenceStates]:
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
                distilled=distilled,
                distillation=self._distillation,
            )
