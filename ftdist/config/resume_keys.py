"""Which keys an existing run takes, and which decide what it computes."""

import dataclasses
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

NOTHING_ACCEPTED = ResumeConfig(accept=[], restart=False, take_over=False)

_NOT_COMPARED = (
    *("run.name", "run.root", "run.private", "resume.", "eval.", "merge.", "library.cache_dir"),
    "engine.",  # the plan chooses most of them again on other machines
)
_COMPARED = ("engine.communication_dtype", "engine.deepspeed")


def deciding_keys(config: RunConfig) -> dict[str, Any]:
    """The keys that decide what a run computes, with their values: the same as long as it lives."""
    return {
        name: value
        for name, value in _leaves(dataclasses.asdict(config))
        if name.startswith(_COMPARED) or not name.startswith((*MAY_CHANGE, *_NOT_COMPARED))
    }


def _leaves(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
