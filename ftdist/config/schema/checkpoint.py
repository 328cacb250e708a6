"""Config sections of what a run keeps: checkpoints, resuming from them, the export."""

from typing import Literal

from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import STRICT, NonNegativeInt, PositiveFloat, PositiveInt

MIN_KEPT = 2
"""Checkpoints that are kept at least while training goes on."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckpointConfig:
    """Frequency and number of checkpoints. Values: conf/checkpoint/."""

    every_steps: NonNegativeInt
    """Steps between checkpoints; 0: only at the end, and whenever the run is asked to stop."""

    keep_latest: PositiveInt
    """Number of newest checkpoints to keep; the best one by evaluation is kept as well.

    While training goes on at least two are kept; 1 leaves the last one at its end.
    """

    async_save: bool
    """Copy the state to host memory and write it beside training, where memory suffices.

    The last checkpoint, the best one, and that of a stop are awaited.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ResumeConfig:
    """Answers to refusals of `ftdist resume`, for once. A run does not keep them."""

    accept: list[Literal["model", "tokenizer", "library", "config"]]
    """What may differ from what the run began with: [model] its base model's config and weights,
    [tokenizer], [library] the packed library, [config] keys that were changed in config.yaml by
    hand.
    """

    restart: bool
    """Whether to resume without checkpoints that have vanished: from the newest that is left, or
    from the beginning.
    """

    take_over: bool
    """Whether to take the run over from a process or job of another machine or container, which is
    known to have ended.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ExportConfig:
    """The exported model. Values: conf/export/."""

    checkpoint: Literal["best", "newest"]
    """Checkpoint to export; best: the best by `eval.probes_every_steps`, else the newest."""

    dtype: Literal["auto", "bfloat16", "float32"]
    """Dtype of the exported weights; auto: the dtype of training."""

    max_shard_gib: PositiveFloat
    """Maximum size of one exported safetensors file, GiB."""
