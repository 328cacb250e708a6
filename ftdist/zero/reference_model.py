"""The base model in shards beside the one in training: frozen, and asked for its distribution."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ftdist.config.deepspeed_keys import without_optimizer
from ftdist.config.schema import RunConfig
from ftdist.data.collate import Batch
from ftdist.dist.device import TORCH_DTYPE, Dtype
from ftdist.dist.world import World
from ftdist.nn.loss import BaseRows
from ftdist.nn.model import PackedBase, build_model
from ftdist.zero.load import read_weights

_NOTHING_TOKENS = 8
"""Length of the row that a rank computes which asks nothing while others do."""


class BaseModel:
    """ZeRO-3's shards of the base model, without optimizer; every attempt reads them anew."""

    def __init__(self, engine: Any, *, model: PackedBase, gathered: Any) -> None:
        self._engine = engine
        self._model = model
        self._gathered = gathered

    @classmethod
    def build(
        cls,
        config: RunConfig,
        settings: dict[str, Any],
        *,
        world: World,
        device: str,
        dtype: Dtype,
        deepspeed: Any,
    ) -> "BaseModel":
        """The base model, read from `model.path`. Collective.

        Args:
            config: the run.
            settings: DeepSpeed's, of the model in training.
            world: this rank.
            device: "cpu" or "cuda".
            dtype: of the weights.
            deepspeed: the module, as `import_deepspeed` prepared it.
        """
        settings = without_optimizer(settings)
        base = build_model(
            config.model.path,
            dtype=TORCH_DTYPE[dtype],
            attention=config.model.attention,
            device=device,
            activation_checkpointing=False,
            sharding=deepspeed.zero.Init(
                config_dict_or_path=settings,
                tensor_overrides=[deepspeed.zero.DeepSpeedTensorOverride.device],
            ),
        )
        read_weights(base, Path(config.model.path), world=world)
        model = PackedBase(base).requires_grad_(False).eval()
        engine, *_ = deepspeed.initialize(model=model, config=settings, dist_init_required=False)
        engine.eval()
        return cls(engine, model=model, gathered=deepspeed.zero.GatheredParameters)

    @contextmanager
    def rows(self, batch: Batch) -> Iterator[BaseRows | None]:
        """The base at the places where `batch` follows it, its embedding whole meanwhile.

        Collective, wherever `batch.asks_base` says so: it says the same on all ranks.
        """
        if not batch.asks_base:
            yield None
            return
        room = slice(None) if len(batch.base_positions) else slice(_NOTHING_TOKENS)
        with torch.no_grad():
            hidden = self._engine(
                input_ids=batch.input_ids[:, room],
                position_ids=batch.position_ids[:, room],
                positions=batch.base_positions,
            )
        embedding = self._model.embedding
        with self._gathered([p for p in (embedding.weight, embedding.bias) if p is not None]):
            yield BaseRows(hidden=hidden, head=embedding.weight, bias=embedding.bias)

    def close(self) -> None:
        """Release what DeepSpeed holds."""
        self._engine.destroy()
