"""Computes the plan of a run before it is queued. No torch."""

import math
from pathlib import Path
from typing import Literal

from ftdist.config.batch_split import BatchSplit, split_batch
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo, row_shares
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements
from ftdist.plan.plan import Plan, choose_dtype

_ROUNDING = 1e-9
"""Room for rounding when a product of floats is rounded up to whole steps."""


def check_context(config: RunConfig, *, model: ModelInfo) -> None:
    """Refuse sequences longer than the model's context.

    Raises:
        ConfigError: they are.
    """
    length, most = config.batch.sequence_length, model.max_position
    if most is not None and length > most:
        raise ConfigError(
            f"batch.sequence_length={length} is more than the model's {most} positions.",
            remedy=f"set batch.sequence_length to at most {most}.",
        )


def make_plan(
    config: RunConfig,
    *,
    model: ModelInfo,
    library: PackedDatasetInfo,
    device: Literal["cpu", "cuda"] | None = None,
) -> Plan:
    """Compute the plan of a run.

    Args:
        config: the run.
        model: the base model's sizes.
        library: the packed sources.
        device: where it will run; None: by `cluster.device`, where auto is an estimate: cuda if
            this machine has an NVIDIA driver.

    Raises:
        ConfigError: the batch cannot be split, or a sequence is longer than the model's context.
        DataError: a source is empty.
    """
    check_context(config, model=model)
    split = _split_batch(config)
    rows_per_epoch = _rows_per_epoch(library.sources)
    steps = _steps(config, library=library, rows_per_epoch=rows_per_epoch, split=split)
    run_device = device or _expected_device(config.cluster.device)
    dtype = choose_dtype(config.model.dtype, device=run_device)
    return Plan(
        world_size=split.world_size,
        steps=steps,
        global_sequences=split.global_sequences,
        micro_batch_size=split.micro_batch_size,
        micro_steps=split.micro_steps,
        sequence_length=config.batch.sequence_length,
        library=library,
        epochs=steps * split.global_sequences / rows_per_epoch,
        tokens=steps * split.global_sequences * config.batch.sequence_length,
        device=run_device,
        dtype=dtype,
        parameters=model.parameters,
        frozen_parameters=frozen_elements(config.optim.freeze_params, model),
        estimates=_estimates(is_device_known=device is not None or config.cluster.device != "auto"),
        **memory_terms(
            config,
            model=model,
            world_size=split.world_size,
            dtype=dtype,
            steps=steps,
            uses_reference=any(source.kl_to_base for source in library.sources),
        ),
    )


def _estimates(*, is_device_known: bool) -> tuple[str, ...]:
    guessed = () if is_device_known else ("device", "dtype")
    return (*guessed, "gathered_gib", "activations_gib", "logits_gib", "device_gib")


def _rows_per_epoch(sources: tuple[PackedSourceInfo, ...]) -> float:
    return sources[0].weight * sources[0].sequences / row_shares(sources)[0]


def _split_batch(config: RunConfig) -> BatchSplit:
    batch = config.batch
    return split_batch(
        tokens=batch.tokens,
        sequence_length=batch.sequence_length,
        micro_batch_size=batch.micro_batch_size,
        world_size=config.cluster.nodes * config.cluster.tasks_per_node,
        allow_uneven=batch.allow_uneven,
    )


def _steps(
    config: RunConfig, *, library: PackedDatasetInfo, rows_per_epoch: float, split: BatchSplit
) -> int:
    """Optimizer steps of the whole run."""
    length = config.train
    if length.steps is not None:
        return length.steps
    if length.exposures is not None:
        epochs = length.exposures / library.exposures_per_pass
    else:
        assert length.epochs is not None, "exactly one of the three: compose checks"
        epochs = length.epochs
    return max(1, math.ceil(epochs * rows_per_epoch / split.global_sequences - _ROUNDING))


def _expected_device(choice: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    if choice != "auto":
        return choice
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"
