"""What `auto` means for the engine, activation checkpointing and micro-batches of a run."""

from dataclasses import replace
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO

_FIXED: dict[str, Any] = {
    "offload_optimizer": False,
    "offload_parameters": False,
    "communication_dtype": "float32",
    "param_persistence_threshold": 100_000,
    "prefetch_bucket_size": 50_000_000,
    "max_live_parameters": 1_000_000_000,
    "reduce_bucket_size": 50_000_000,
    "sub_group_size": 1_000_000_000,
    "hpz_partition_size": 1,
}


def resolve_engine(config: RunConfig) -> RunConfig:
    """The config with values in place of every `auto` of engine, checkpointing and micro-batch."""
    open_keys = {key: value for key, value in _FIXED.items() if getattr(config.engine, key) == AUTO}
    model, batch = config.model, config.batch
    if model.activation_checkpointing == AUTO:
        model = replace(model, activation_checkpointing="full")
    if batch.micro_batch_size == AUTO:
        batch = replace(batch, micro_batch_size=1)
    return replace(config, model=model, batch=batch, engine=replace(config.engine, **open_keys))
