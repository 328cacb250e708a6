"""The dictionary that configures DeepSpeed, built from RunConfig and Plan."""

from collections.abc import Mapping
from typing import Any, Literal

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.plan.plan import Plan

_SHORT_DTYPE = {"bfloat16": "bf16", "float32": "fp32"}
_NEVER_PRINT = 2**31 - 1


def build_ds_config(
    config: RunConfig,
    plan: Plan,
    *,
    device: Literal["cpu", "cuda"],
    dtype: Literal["bfloat16", "float32"],
) -> dict[str, Any]:
    """DeepSpeed's settings: ZeRO stage 3, with the batch arithmetic left to ftdist.

    DeepSpeed sees one sequence per rank and step: the engine splits a step into micro-steps,
    empty ones included, and weights the tokens. `engine.deepspeed` comes last; validation has
    refused what ftdist sets itself.
    """
    engine = config.engine
    zero: dict[str, Any] = {
        "stage": 3,
        "reduce_bucket_size": engine.reduce_bucket_size,
        "sub_group_size": engine.sub_group_size,
        "stage3_prefetch_bucket_size": engine.prefetch_bucket_size,
        "stage3_param_persistence_threshold": engine.param_persistence_threshold,
        "stage3_max_live_parameters": engine.max_live_parameters,
        "stage3_max_reuse_distance": engine.max_live_parameters,
    }
    if device == "cpu":
        # gloo has no reduce-scatter: torch would make it of an all-reduce on a copy.
        zero["reduce_scatter"] = False
    if resolved(engine.hpz_partition_size) > 1:
        zero["zero_hpz_partition_size"] = engine.hpz_partition_size
    in_host_memory = {"device": "cpu", "pin_memory": device == "cuda"}
    if resolved(engine.offload_optimizer):
        zero["offload_optimizer"] = dict(in_host_memory)
    if resolved(engine.offload_parameters):
        zero["offload_param"] = dict(in_host_memory)
    own: dict[str, Any] = {
        "train_batch_size": plan.world_size,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.optim.max_grad_norm,
        "bf16": {"enabled": dtype == "bfloat16"},
        "communication_data_type": _SHORT_DTYPE[engine.communication_dtype],
        "data_types": {"grad_accum_dtype": _SHORT_DTYPE[engine.accumulation_dtype]},
        "zero_optimization": zero,
        # torch's own AdamW: DeepSpeed would compile its own on every node at once
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": _NEVER_PRINT,
        # It would wait for the device at each forward and step.
        "timers": {"throughput": {"enabled": False}},
    }
    return _merge(own, engine.deepspeed)


def without_optimizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings for a model that is not trained, sharded as usual.

    Parameters that stay whole on every rank are those of the trained model alone.
    """
    left_out = (
        "gradient_clipping",
        "zero_allow_untested_optimizer",
        "offload_optimizer",
        "zero_hpz_partition_size",
        "stage3_param_persistence_threshold",
    )
    return {
        key: without_optimizer(value) if key == "zero_optimization" else value
        for key, value in settings.items()
        if key not in left_out
    }


def _merge(own: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(own)
    for key, value in more.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            value = _merge(below, value)
        merged[key] = value
    return merged
