"""RunConfig and Plan to the dictionary that DeepSpeed reads."""

import json
import os
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ftdist.config.schema import RunConfig
from ftdist.errors import FtdistError
from ftdist.plan.plan import Plan

_SHORT_DTYPE = {"bfloat16": "bf16", "float32": "fp32"}
_CHECK_TIMEOUT_S = 300
_SILENT_STEPS = 2**31 - 1

_BATCH = "set batch.tokens and batch.micro_batch_size instead."
_DTYPE = "set model.dtype instead."
_FIXED = "leave it out: gradients would no longer be the mean over the loss tokens of a step."
_OPTIM = "set the keys of optim instead."
_TRACKING = "set the keys of tracking instead."

OWNED: dict[str, str] = {
    "train_batch_size": _BATCH,
    "train_micro_batch_size_per_gpu": _BATCH,
    "gradient_accumulation_steps": _BATCH,
    "managed_gradient_accumulation": _BATCH,
    "gradient_clipping": "set optim.max_grad_norm instead.",
    "bf16": _DTYPE,
    "bfloat16": _DTYPE,
    "fp16": _DTYPE,
    "torch_autocast": _DTYPE,
    "data_types": "set engine.accumulation_dtype instead.",
    "communication_data_type": "set engine.communication_dtype instead.",
    "prescale_gradients": _FIXED,
    "gradient_predivide_factor": _FIXED,
    "gradient_allreduce_op": _FIXED,
    "optimizer": _OPTIM,
    "scheduler": _OPTIM,
    "zero_allow_untested_optimizer": _OPTIM,
    "zero_force_ds_cpu_optimizer": _OPTIM,
    "activation_checkpointing": "set model.activation_checkpointing instead.",
    "checkpoint": "set the keys of checkpoint instead.",
    "tensorboard": _TRACKING,
    "wandb": _TRACKING,
    "csv_monitor": _TRACKING,
    "comet": _TRACKING,
    "zero_optimization.stage": "leave it out: ftdist runs stage 3.",
    "zero_optimization.offload_optimizer.device": "set engine.offload_optimizer instead.",
    "zero_optimization.offload_param.device": "set engine.offload_parameters instead.",
    "zero_optimization.cpu_offload": "set engine.offload_optimizer instead.",
    "zero_optimization.cpu_offload_param": "set engine.offload_parameters instead.",
    "zero_optimization.reduce_bucket_size": "set engine.reduce_bucket_size instead.",
}
_STAGE3_KEYS = {
    "prefetch_bucket_size": "prefetch_elements",
    "param_persistence_threshold": "persistent_parameter_elements",
    "max_live_parameters": "live_elements",
}
for _theirs, _ours in _STAGE3_KEYS.items():
    # pydantic takes a field by its name and by its alias
    OWNED[f"zero_optimization.{_theirs}"] = f"set engine.{_ours} instead."
    OWNED[f"zero_optimization.stage3_{_theirs}"] = f"set engine.{_ours} instead."


_UNTESTED = "is not tested with ftdist's sharding and checkpoints."
_PARALLEL = "leave it out: ftdist shares a model among ranks by ZeRO-3 alone."

UNTESTED: dict[str, str] = {
    **dict.fromkeys(
        (
            "tensor_parallel",
            "pipeline",
            "sequence_parallel",
            "sequence_parallel_size",
            "data_parallel_size",
            "expert_parallel",
            "expert_parallel_size",
            "domino",
        ),
        _PARALLEL,
    ),
    **dict.fromkeys(
        (
            "data_efficiency",
            "curriculum_learning",
            "autotuning",
            "elasticity",
            "amp",
            "zenflow",
            "nebula",
            "eigenvalue",
            "compression_training",
            "progressive_layer_drop",
            "sparse_attention",
            "quantize_training",
            "sparse_gradients",
            "datastates_ckpt",
            "hybrid_engine",
            "weight_quantization",
        ),
        "leave it out.",
    ),
    **{
        f"zero_optimization.{key}": "leave it out."
        for key in (
            "zero_hpz_partition_size",
            "zero_quantized_weights",
            "zero_quantized_nontrainable_weights",
            "zero_quantized_gradients",
            "mics_shard_size",
            "mics_hierarchical_params_gather",
            "zeropp_loco_param",
            "zenflow",
            "elastic_checkpoint",
            "load_from_fp32_weights",
            "pipeline_loading_checkpoint",
            "override_module_apply",
            "memory_efficient_linear",
            "leaf_module",
        )
    },
}
"""Settings that change how parameters are held or what a step computes, with the remedy."""

FIX_DEEPSPEED = "correct or remove that key of engine.deepspeed."


def deepspeed_config(
    config: RunConfig,
    plan: Plan,
    *,
    device: Literal["cpu", "cuda"],
    dtype: Literal["bfloat16", "float32"],
) -> dict[str, Any]:
    """What DeepSpeed reads: ZeRO stage 3, with batch arithmetic left to ftdist.

    DeepSpeed believes in one sequence a rank and a step: cutting a step into micro-steps,
    empty ones included, and weighing tokens is the engine's work. `engine.deepspeed` comes
    last; what ftdist owns was refused when the config was composed.
    """
    engine = config.engine
    zero: dict[str, Any] = {
        "stage": 3,
        "reduce_bucket_size": engine.reduce_bucket_size,
        "stage3_prefetch_bucket_size": engine.prefetch_bucket_size,
        "stage3_param_persistence_threshold": engine.param_persistence_threshold,
        "stage3_max_live_parameters": engine.max_live_parameters,
        "stage3_max_reuse_distance": engine.max_live_parameters,
    }
    in_host = {"device": "cpu", "pin_memory": device == "cuda"}
    if engine.offload_optimizer:
        zero["offload_optimizer"] = dict(in_host)
    if engine.offload_parameters:
        zero["offload_param"] = dict(in_host)
    ours: dict[str, Any] = {
        "train_batch_size": plan.world_size,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.optim.max_grad_norm,
        "bf16": {"enabled": dtype == "bfloat16"},
        "communication_data_type": _SHORT_DTYPE[engine.communication_dtype],
        "data_types": {"grad_accum_dtype": _SHORT_DTYPE[engine.accumulation_dtype]},
        "zero_optimization": zero,
        # torch's own AdamW: DeepSpeed's would be compiled at run time, on every node at once
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": _SILENT_STEPS,
    }
    return _merged(ours, engine.deepspeed)


def without_optimizer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings for a model that is not trained."""
    kept = without_keys(settings, {"gradient_clipping", "zero_allow_untested_optimizer"})
    kept["zero_optimization"] = without_keys(kept["zero_optimization"], {"offload_optimizer"})
    kept["zero_optimization"].pop("offload_optimizer", None)
    return kept


def owned_deepspeed_keys(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys of `engine.deepspeed` that ftdist owns, each with the remedy."""
    found = {}
    for key in _flat(mapping):
        for owned, remedy in OWNED.items():
            if key == owned or key.startswith(f"{owned}."):
                found[key] = remedy
            elif owned.startswith(f"{key}."):
                found[key] = "set the keys in it one by one."
    return list(found.items())


def refused_deepspeed_keys(mapping: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Keys of `engine.deepspeed` that ftdist owns or refuses: why, and the remedy."""
    refused = {
        key: ("is owned by ftdist.", remedy) for key, remedy in owned_deepspeed_keys(mapping)
    }
    for key in _flat(mapping):
        for untested, remedy in UNTESTED.items():
            if key == untested or key.startswith(f"{untested}."):
                refused.setdefault(key, (_UNTESTED, remedy))
    return refused


def without_keys(
    mapping: Mapping[str, Any], keys: Container[str], *, prefix: str = ""
) -> dict[str, Any]:
    """`mapping` without the settings called `keys`, and without what is empty for it."""
    kept: dict[str, Any] = {}
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            value = without_keys(value, keys, prefix=f"{name}.")
            if value:
                kept[str(key)] = value
        elif name not in keys:
            kept[str(key)] = value
    return kept


def check_deepspeed_keys(mapping: Mapping[str, Any]) -> list[str]:
    """What is wrong with `engine.deepspeed`, a sentence each.

    DeepSpeed takes a mistyped top-level key silently. A child process asks DeepSpeed itself,
    for importing it here would take seconds and load torch. Nothing is asked of an empty mapping.

    Raises:
        FtdistError: the child process did not answer.
    """
    refused = refused_deepspeed_keys(mapping)
    owned = [
        f"engine.deepspeed.{key} {why.removesuffix('.')}: {remedy}"
        for key, (why, remedy) in refused.items()
    ]
    others = without_keys(mapping, refused)
    if not others:
        return owned
    package_parent = str(Path(__file__).resolve().parents[2])
    paths = [package_parent, os.environ.get("PYTHONPATH", "")]
    child = subprocess.run(
        [sys.executable, "-P", "-m", "ftdist.zero.validate_ds_config"],
        input=json.dumps(others),
        capture_output=True,
        text=True,
        timeout=_CHECK_TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    if child.returncode != 0:
        last = child.stderr.strip().rsplit("\n", maxsplit=1)[-1]
        raise FtdistError(
            f"DeepSpeed could not be asked about engine.deepspeed: {last}",
            remedy="check that `python -c 'import deepspeed'` works in this environment.",
        )
    answer: list[str] = json.loads(child.stdout)
    return owned + [_with_our_key(sentence) for sentence in answer]


def _with_our_key(sentence: str) -> str:
    """A typing mistake near a setting that ftdist owns is answered with ftdist's own key."""
    asked, _, meant = sentence.partition(": did you mean engine.deepspeed.")
    owned = OWNED.get(meant.removesuffix("?")) or UNTESTED.get(meant.removesuffix("?"))
    if not meant or owned is None:
        return sentence
    return f"{asked}; {meant.removesuffix('?')}, which is near it, is not set here: {owned}"


def _merged(ours: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(ours)
    for key, value in more.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        merged[key] = _merged(below, value) if both and below is not None else value
    return merged


def _flat(mapping: Mapping[str, Any], *, prefix: str = "") -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
