"""The keys that the plan chooses, and their values in a config."""

from dataclasses import replace
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO

CHECKPOINTING = "model.activation_checkpointing"
MICRO_BATCH = "batch.micro_batch_size"
FIXED: dict[str, Any] = {
    CHECKPOINTING: "full",
    MICRO_BATCH: 1,
    "engine.offload_optimizer": False,
    "engine.offload_parameters": False,
    "engine.communication_dtype": "float32",
    "engine.param_persistence_threshold": 100_000,
    "engine.prefetch_bucket_size": 50_000_000,
    "engine.max_live_parameters": 1_000_000_000,
    "engine.reduce_bucket_size": 50_000_000,
    "engine.sub_group_size": 1_000_000_000,
    "engine.hpz_partition_size": 1,
}
"""The values of engine=zero3, by key: what is chosen on CPUs."""


def with_values(config: RunConfig, values: dict[str, Any], *, only_auto: bool = True) -> RunConfig:
    """The config with these values, where it says auto; with `only_auto=False`, everywhere."""
    changes: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, name = key.split(".")
        if not only_auto or value_of(config, key) == AUTO:
            changes.setdefault(section, {})[name] = value
    sections: Any = {
        section: replace(getattr(config, section), **changed)
        for section, changed in changes.items()
    }
    return replace(config, **sections)


def value_of(config: RunConfig, key: str) -> Any:
    """The value of a key, by its dotted name."""
    section, name = key.split(".")
    return getattr(getattr(config, section), name)
