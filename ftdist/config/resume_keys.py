"""Which keys an existing run takes, and which decide what it computes."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftdist.config.keys import TRAINING_EVAL_KEYS
from ftdist.config.schema import ResumeConfig, RunConfig

MAY_CHANGE = (
    "cluster.",
    "tracking.",
    "checkpoint.",
    "export.",
    "early_stopping.",
    *TRAINING_EVAL_KEYS,
    "train.max_skipped_steps",
    "train.loss_spike",
    "train.loss_spike_threshold",
    "train.rollback_steps",
    "train.max_rollbacks",
    "train.compare_ranks_every_steps",
    "batch.allow_uneven",
    "batch.micro_batch_size",
    "batch.sequence_parallel_size",
    "model.activation_checkpointing",
    "model.activation_offload",
    "model.mlp_tiles",
    "engine.offload_optimizer",
    "engine.offload_parameters",
)
"""Keys and prefixes of keys that `ftdist resume` takes: they do not change what a run computes."""

MAY_MOVE = ("model.path", "library.path")
"""Keys that `ftdist resume` takes too: the same files elsewhere."""

NOTHING_ACCEPTED = ResumeConfig(accept=[], restart=False, take_over=False)

_NOT_COMPARED = (
    *("run.name", "run.root", "run.private", "resume.", "eval.", "merge.", "library.cache_dir"),
    "engine.",  # the plan chooses most of them again on other machines
)
_COMPARED = ("engine.communication_dtype", "engine.deepspeed")
_PLACES = re.compile(r"(model|library|library\.extra_sources\.[^.]+)\.(path|revision)")
"""Where files are: their content is compared instead."""


def is_deciding(name: str) -> bool:
    """Whether a key decides what a run computes."""
    if _PLACES.fullmatch(name):
        return False
    return name.startswith(_COMPARED) or not name.startswith((*MAY_CHANGE, *_NOT_COMPARED))


def deciding_keys(config: RunConfig) -> dict[str, Any]:
    """The keys that decide what a run computes, with their values: the same as long as it lives."""
    values = _leaves(dataclasses.asdict(config))
    return {name: value for name, value in values if is_deciding(name)}


def _leaves(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
