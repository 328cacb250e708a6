"""Which settings `engine.deepspeed` may hold: a whitelist of DeepSpeed's names, checked here.

DeepSpeed silently ignores a mistyped top-level key, so every key must be in `ALLOWED`. The names
and types are those of DeepSpeed below 0.20; a test compares them with DeepSpeed's own classes.

No allowed setting names a file: DeepSpeed would write to any that the config of a run says.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ftdist.config.keys import config_key
from ftdist.config.problems import Problem, value_problem
from ftdist.config.schema.types import Fraction, NonNegativeInt, PositiveInt

_BATCH = "set batch.tokens and batch.micro_batch_size instead."
_DTYPE = "set model.dtype instead."
_MEAN = "leave it out: gradients must be the mean over the loss tokens of a step."
_OPTIM = "set the keys of optim instead."
_TRACKING = "set the keys of tracking instead."
_ZERO = "zero_optimization"

OWNED: dict[str, str] = {
    "train_batch_size": _BATCH,
    "train_micro_batch_size_per_gpu": _BATCH,
    "gradient_accumulation_steps": _BATCH,
    "gradient_clipping": "set optim.max_grad_norm instead.",
    "bf16": _DTYPE,
    "bfloat16": _DTYPE,
    "fp16": _DTYPE,
    "torch_autocast": _DTYPE,
    "data_types": "set engine.accumulation_dtype instead.",
    "communication_data_type": "set engine.communication_dtype instead.",
    "prescale_gradients": _MEAN,
    "gradient_predivide_factor": _MEAN,
    "gradient_allreduce_op": _MEAN,
    "optimizer": _OPTIM,
    "scheduler": _OPTIM,
    "zero_allow_untested_optimizer": _OPTIM,
    "zero_force_ds_cpu_optimizer": _OPTIM,
    "activation_checkpointing": "set model.activation_checkpointing instead.",
    "flops_profiler.output_file": "leave it out: the log of rank 0 shows the profile.",
    "timers": "leave it out: ftdist measures throughput itself.",
    "checkpoint": "set the keys of checkpoint instead.",
    **dict.fromkeys(("tensorboard", "wandb", "csv_monitor", "comet"), _TRACKING),
    f"{_ZERO}.stage": "leave it out: ftdist runs stage 3.",
    f"{_ZERO}.offload_optimizer.device": "set engine.offload_optimizer instead.",
    f"{_ZERO}.offload_param.device": "set engine.offload_parameters instead.",
    f"{_ZERO}.cpu_offload": "set engine.offload_optimizer instead.",
    f"{_ZERO}.cpu_offload_param": "set engine.offload_parameters instead.",
    f"{_ZERO}.reduce_bucket_size": "set engine.reduce_bucket_size instead.",
    f"{_ZERO}.sub_group_size": "set engine.sub_group_size instead.",
    f"{_ZERO}.zero_hpz_partition_size": "set engine.hpz_partition_size instead.",
    # DeepSpeed accepts these with and without the prefix
    **{
        f"{_ZERO}.{prefix}{key}": f"set engine.{key} instead."
        for key in ("prefetch_bucket_size", "param_persistence_threshold", "max_live_parameters")
        for prefix in ("", "stage3_")
    },
}
"""Settings that ftdist computes itself, and the key to set instead."""

ALLOWED: dict[str, Any] = {
    "steps_per_print": PositiveInt,
    "wall_clock_breakdown": bool,
    "memory_breakdown": bool,
    "dump_state": bool,
    "comms_logger.enabled": bool,
    "comms_logger.verbose": bool,
    "comms_logger.debug": bool,
    "comms_logger.prof_all": bool,
    "comms_logger.prof_ops": list[str],
    "flops_profiler.enabled": bool,
    "flops_profiler.profile_step": PositiveInt,
    "flops_profiler.module_depth": int,
    "flops_profiler.top_modules": PositiveInt,
    "flops_profiler.detailed": bool,
    f"{_ZERO}.overlap_comm": bool,
    f"{_ZERO}.contiguous_gradients": bool,
    f"{_ZERO}.reduce_scatter": bool,
    f"{_ZERO}.allgather_partitions": bool,
    f"{_ZERO}.allgather_bucket_size": NonNegativeInt,
    f"{_ZERO}.round_robin_gradients": bool,
    f"{_ZERO}.stage3_model_persistence_threshold": NonNegativeInt,
    f"{_ZERO}.stage3_max_reuse_distance": NonNegativeInt,
    f"{_ZERO}.stage3_module_granularity_threshold": int,
    f"{_ZERO}.stage3_use_all_reduce_for_fetch_params": bool,
    f"{_ZERO}.stage3_allgather_sequential": bool,
    f"{_ZERO}.log_trace_cache_warnings": bool,
    f"{_ZERO}.enable_sanity_checks": bool,
    f"{_ZERO}.offload_optimizer.pin_memory": bool,
    f"{_ZERO}.offload_optimizer.buffer_count": NonNegativeInt,
    f"{_ZERO}.offload_optimizer.fast_init": bool,
    f"{_ZERO}.offload_optimizer.ratio": Fraction,
    f"{_ZERO}.offload_param.pin_memory": bool,
    f"{_ZERO}.offload_param.buffer_count": NonNegativeInt,
    f"{_ZERO}.offload_param.buffer_size": NonNegativeInt,
    f"{_ZERO}.offload_param.max_in_cpu": NonNegativeInt,
}
"""Settings that may be passed on to DeepSpeed, with the type of their values."""


def deepspeed_problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with the settings in `engine.deepspeed`."""
    problems = (_problem(key, value) for key, value in _leaves(settings))
    return [problem for problem in problems if problem is not None]


def _problem(key: str, value: Any) -> Problem | None:
    name = f"engine.deepspeed.{key}"
    if remedy := _owned(key):
        return Problem(f"{name} is set by ftdist itself.", remedy, name)
    if any(each.startswith(f"{key}.") for each in (*ALLOWED, *OWNED)):
        return Problem(f"{name} is a section of DeepSpeed.", "set the keys in it one by one.", name)
    if key not in ALLOWED:
        return _not_allowed(key, name=name)
    try:
        TypeAdapter(ALLOWED[key]).validate_python(value, strict=True)
    except ValidationError as error:
        return value_problem(
            config_key(name, ALLOWED[key]), name, value, error=error.errors()[0]["type"]
        )
    return None


def _owned(key: str) -> str | None:
    parts = key.split(".")
    prefixes = (".".join(parts[:cut]) for cut in range(1, len(parts) + 1))
    return next((OWNED[prefix] for prefix in prefixes if prefix in OWNED), None)


def _not_allowed(key: str, *, name: str) -> Problem:
    """A mistyped name, or a setting that could break sharding or checkpoints."""
    problem = f"{name} is not one of the DeepSpeed settings that are tested with ftdist"
    near = difflib.get_close_matches(key, (*ALLOWED, *OWNED), n=1, cutoff=0.8)
    if not near:
        return Problem(f"{problem}.", "leave it out.", name)
    meant = near[0]
    problem += f": did you mean engine.deepspeed.{meant}?"
    if remedy := OWNED.get(meant):
        return Problem(f"{problem} ftdist sets that itself.", remedy, name)
    return Problem(problem, f"write engine.deepspeed.{meant}, or leave it out.", name)


def _leaves(mapping: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
