"""Config sections of training: run, model, optimizer, batch."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import (
    NAME_PATTERN,
    STRICT,
    Auto,
    Fraction,
    FractionBelowOne,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    SequenceLength,
)

Attention = Literal[
    "auto",
    "varlen",
    "flash_attention_2",
    "flash_attention_3",
    "kernels-community/flash-attn2",
    "kernels-community/flash-attn3",
    "by_sample",
    "sdpa",
    "eager",
]


def _named_checkpointing(value: object) -> object:
    """The name of what `true` and `false` mean for `model.activation_checkpointing`."""
    return {True: "full", False: "none"}[value] if isinstance(value, bool) else value


ActivationCheckpointing = Literal["none", "selective", "full"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunSection:
    """Name, location and seed of the run."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Name of the run; its directory is `root/name`, and no two runs share one."""

    root: str
    """Folder of the run directories; on a cluster, one that every node can reach."""

    seed: Seed
    """Seed of data order, dropout and all other random choices."""

    private: bool
    """Whether only the user may read the run directory (mode 0700, files 0600)."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TrainConfig:
    """Length of training."""

    epochs: PositiveFloat | None
    """Passes over the library. Set one of `epochs`, `exposures` and `steps`, or none: then
    exposures or epochs follow from the library.
    """

    exposures: PositiveFloat | None
    """Exposures per answer: how often training shows each answer, counting all paraphrases of its
    question. Determines the number of epochs.
    """

    steps: PositiveInt | None
    """Optimizer steps, however few. Set at most one of `epochs`, `exposures` and `steps`."""

    deterministic: bool
    """Whether kernels that give the same bits for the same input are required, so that GPUs repeat
    a run bit for bit; slower. CPUs do so anyway.
    """

    max_skipped_steps: PositiveInt
    """Consecutive steps whose loss or gradients are not finite, so that their updates are skipped,
    after which the attempt ends.
    """

    loss_spike: Literal["none", "alert", "roll_back"]
    """What follows a step whose loss is far above that of the steps before it.

    alert: an event, a line in the log and an alert in W&B. roll_back: likewise, and training goes
    back to the newest checkpoint from before the spike and leaves out the steps that led to it.
    """

    loss_spike_threshold: PositiveFloat
    """How far above the median of the 64 steps before it a loss is a spike, in standard deviations
    (by the changes of one loss to the next, and of at least 5% of the median).
    """

    rollback_steps: PositiveInt
    """Steps that a roll-back leaves out: the one whose loss is the spike, and those before it."""

    max_rollbacks: NonNegativeInt
    """Roll-backs of a run after which a further spike ends the attempt."""

    compare_ranks_every_steps: NonNegativeInt
    """Steps between comparisons of what all ranks must have in common: the data of the step, the
    config, and the weights of one layer, another one each time; 0: never.

    Before a checkpoint they are compared as well, unless it is 0.
    """

    profile_steps: list[PositiveInt] | None
    """First and last step that rank 0 records with torch's profiler, such as [10,12]; at most 10
    steps. The trace, attempts/N/profile.json.gz of the run directory, opens in Perfetto.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelConfig:
    """The base model. Values: conf/model/."""

    path: str
    """Hugging Face model folder (config.json, *.safetensors, tokenizer) or hub name."""

    revision: str | None
    """Commit of the hub repository; null: the newest. A run records the commit that it found."""

    dtype: Literal["auto", "bfloat16", "float32"]
    """Dtype of weights and activations; auto: bfloat16 on GPUs, float32 on CPUs."""

    attention: Attention
    """Attention kernel (docs/explanation/attention.md). A sample attends only to itself.

    auto: by_sample on CPUs; on GPUs varlen, where torch has it and it fits the model, otherwise
    flash_attention_2 where that is installed, otherwise by_sample.
    """

    activation_checkpointing: Annotated[
        Literal["auto", "none", "selective", "full"], BeforeValidator(_named_checkpointing)
    ]
    """Layers whose activations the backward pass recomputes instead of storing them: none,
    selective (every second layer) or full (all). true means full, false none.

    auto: as few as the memory of a rank allows.
    """

    activation_offload: bool
    """Whether the inputs of layers with activation checkpointing are in host memory from the
    forward to the backward pass.
    """

    mlp_tiles: Annotated[int, Field(ge=1, le=1024)] | Auto
    """Tiles of a row's tokens in which each MLP is computed, so that only one tile's activations
    exist at once; the backward pass computes each again. 1: the whole row.

    auto: 1 up to 32,768 tokens of a row per rank, and beyond that as many as tokens / hidden size.
    """

    head: Literal["auto", "chunked", "model"]
    """Output head and loss: chunked (never holds all logits at once) or the model's own forward.

    auto: chunked where it gives the model's own result.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class OptimConfig:
    """AdamW and its learning-rate schedule. Values: conf/optim/."""

    peak_lr: PositiveFloat | Auto
    """Learning rate at the end of warm-up; auto: by the model's size, smaller for larger models."""

    warmup_ratio: Fraction
    """Fraction of all steps over which the learning rate rises linearly from 0 to `peak_lr`."""

    schedule: Literal["cosine", "linear", "constant", "wsd"]
    """Learning-rate schedule after warm-up.

    wsd: constant, then linear decay over the last `decay_ratio` of the steps.
    """

    decay_ratio: Fraction
    """Fraction of all steps in which the wsd schedule decays; other schedules ignore it."""

    final_lr_ratio: Fraction
    """Learning rate at the last step, as a fraction of `peak_lr`; a run of at most 10 steps ends
    above it.
    """

    weight_decay: NonNegativeFloat
    """AdamW's decoupled weight decay; never applied to norms and biases."""

    beta1: FractionBelowOne
    """Decay rate of AdamW's first moment."""

    beta2: FractionBelowOne
    """Decay rate of AdamW's second moment."""

    eps: PositiveFloat
    """AdamW's epsilon."""

    max_grad_norm: NonNegativeFloat
    """Maximum L2 norm of the gradient of all parameters; 0: no clipping."""

    freeze_params: list[str]
    """Parameters that are not trained: shell-style patterns over their names.

    Such as [model.embed_tokens.*,"model.layers.[0-5].*"]; []: all are trained.
    """

    layerwise_lr_decay: Annotated[float, Field(gt=0, le=1)]
    """Ratio of a layer's learning rate to that of the layer above it; 1: the same for all.

    The top layer, the final norm and the head follow the schedule; embeddings, and a head tied to
    them, count as one layer below the lowest.
    """


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BatchConfig:
    """Tokens per step, and how ranks share them. Values: conf/batch/."""

    tokens: PositiveInt | Auto
    """Tokens per optimizer step, over all ranks and micro-steps; a multiple of `sequence_length`.

    auto: grows with the square root of the tokens of the run.
    """

    sequence_length: SequenceLength | Auto
    """Tokens per packed sequence; no sample is longer.

    auto: the longest that the size of a step allows, and long enough for every conversation.
    """

    micro_batch_size: PositiveInt | Auto
    """Packed sequences per rank and micro-step, computed as one flattened row.

    auto: as many as fit in memory.
    """

    sequence_parallel_size: PositiveInt
    """Ranks that share each row, for sequences too long for one: each has an equal part of the
    tokens, and in attention an equal part of the heads (Ulysses). Divides the number of
    ranks and the model's attention heads; 1: each rank has rows of its own.
    """

    allow_uneven: bool
    """Whether ranks may get different numbers of sequences; a rank with fewer computes empty ones.
    """
