"""The frozen base model in shards: the reference of sources that are trained by KL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ftdist.config.schema import ModelConfig
from ftdist.data.collate import Batch
from ftdist.dist.device import Device, Dtype
from ftdist.dist.world import World
from ftdist.nn.loss import BaseRows
from ftdist.nn.model import PackedBase
from ftdist.zero.ds_config import without_optimizer
from ftdist.zero.load import load_sharded_model

_MIN_ROW_TOKENS = 8
"""Length of the row of a rank that needs no reference while others do."""


class ReferenceModel:
    """ZeRO-3 shards of the base model, without optimizer; every attempt loads them again."""

    def __init__(self, engine: Any, *, model: PackedBase) -> None:
        self._engine = engine
        self._model = model

    @classmethod
    def build(
        cls,
        config: ModelConfig,
        settings: dict[str, Any],
        *,
        world: World,
        device: Device,
        dtype: Dtype,
    ) -> "ReferenceModel":
        """Load the base model from `config.path`. Collective.

        Args:
            config: of the model in training.
            settings: DeepSpeed's, of the model in training.
            world: this rank.
            device: that it runs on.
            dtype: of the weights.
        """
        import deepspeed

        settings = without_optimizer(settings)
        base = load_sharded_model(
            config,
            settings,
            world=world,
            device=device,
            dtype=dtype,
            activation_checkpointing=False,
        )
        model = PackedBase(base).requires_grad_(False).eval()
        engine, *_ = deepspeed.initialize(model=model, config=settings, dist_init_required=False)
        engine.eval()
        return cls(engine, model=model)

    @contextmanager
    def rows(self, batch: Batch) -> Iterator[BaseRows | None]:
        """The base model at `batch.base_positions`, its output embedding gathered meanwhile.

        Collective where `batch.asks_base` is set, which it is on all ranks or on none.
        """
        import deepspeed

        if not batch.asks_base:
            yield None
            return
        room = slice(None) if len(batch.base_positions) else slice(_MIN_ROW_TOKENS)
        with torch.no_grad():
            hidden = self._engine(
                input_ids=batch.input_ids[:, room],
                position_ids=batch.position_ids[:, room],
                positions=batch.base_positions,
            )
        embedding = self._model.embedding
        with deepspeed.zero.GatheredParameters(
            [p for p in (embedding.weight, embedding.bias) if p is not None]
        ):
            yield BaseRows(hidden=hidden, head=embedding.weight, bias=embedding.bias)

    def close(self) -> None:
        """Release what DeepSpeed holds."""
        self._engine.destroy()
