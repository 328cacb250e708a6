"""Config section of the engine."""

from typing import Any, Literal

from pydantic.dataclasses import dataclass

from ftdist.config.schema.types import (
    STRICT,
    Auto,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class EngineConfig:
    """DeepSpeed ZeRO-3. Values: conf/engine/.

    The keys from `param_persistence_threshold` to `hpz_partition_size` have DeepSpeed's own names.
    auto: `ftdist plan` chooses by model, memory and network, and prints each reason.
    """

    offload_optimizer: bool | Auto
    """Whether host memory holds the optimizer state, and the CPU runs the optimizer step."""

    offload_parameters: bool | Auto
    """Whether host memory holds parameters that are not in use."""

    accumulation_dtype: Literal["float32", "bfloat16"]
    """Dtype in which gradients of micro-batches are accumulated."""

    communication_dtype: Literal["auto", "float32", "bfloat16"]
    """Dtype in which gradients are reduced across ranks."""

    param_persistence_threshold: NonNegativeInt | Auto
    """Parameters with fewer elements than this are not sharded."""

    prefetch_bucket_size: NonNegativeInt | Auto
    """Elements of parameters to gather ahead of their use."""

    max_live_parameters: NonNegativeInt | Auto
    """Maximum elements of gathered parameters per rank before some are released."""

    reduce_bucket_size: PositiveInt | Auto
    """Elements of gradients reduced at once."""

    sub_group_size: PositiveInt | Auto
    """Elements that the optimizer updates at once."""

    hpz_partition_size: PositiveInt | Auto
    """Ranks that share a second copy of the parameters, from which the backward pass gathers: the
    ranks of a node, to spare the network between nodes; 1: none.
    """

    reference_cache_gib: NonNegativeFloat
    """Maximum host memory per rank for hidden states of the base model, GiB; 0: none.

    With `library.kl_to_base` or `library.context_distillation`: from its second pass on, a row
    needs no forward pass of the base.
    """

    deepspeed: dict[str, Any]
    """Further DeepSpeed settings, under DeepSpeed's names; only those tested with ftdist.

    Refused: what ftdist sets itself (stage, batch sizes, accumulation, clipping, dtypes).
    """
