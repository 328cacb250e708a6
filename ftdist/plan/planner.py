"""Computes the plan of a run before it is queued. No torch."""

from pathlib import Path
from typing import Literal

from ftdist.config.batch_split import split_batch
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO, resolved
from ftdist.errors import ConfigError
from ftdist.io.units import GIB
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.engine_choice import choose_engine
from ftdist.plan.hardware import Hardware, find_hardware
from ftdist.plan.memory import DTYPE_BYTES, memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements
from ftdist.plan.plan import Choice, Plan, choose_dtype
from ftdist.plan.reference_cache import reference_cache_gib
from ftdist.plan.sequence_parallel import check_sequence_parallel
from ftdist.plan.steps import count_passes, count_steps
from ftdist.plan.traffic import step_traffic

ESTIMATED_TERMS = (
    *("gathered_gib", "activations_gib", "logits_gib", "head_gradient_gib", "backward_gib"),
    *("reduce_gib", "step_gib", "device_gib", "outside_gib"),
)
"""Memory terms that are rules of thumb."""


def check_context(config: RunConfig, *, model: ModelInfo) -> None:
    """Refuse sequences longer than the model's context.

    Raises:
        ConfigError: they are.
    """
    length, most = config.batch.sequence_length, model.max_position
    if length != AUTO and most is not None and length > most:
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
    choices: tuple[Choice, ...] = (),
    hardware: str = "",
) -> Plan:
    """Compute the plan of a run.

    Args:
        config: the run, with numbers in place of `auto`.
        model: the base model's sizes.
        library: the packed sources.
        device: where it will run; None: by `cluster.device`, where auto is an estimate: cuda if
            this machine has an NVIDIA driver.
        choices: how the config got its numbers.
        hardware: for which they were chosen.

    Raises:
        ConfigError: the batch cannot be split, ranks cannot share rows, or a sequence is longer
            than the model's context.
        DataError: a source is empty.
    """
    check_context(config, model=model)
    check_sequence_parallel(config, model=model)
    global_sequences, micro_steps = _split_batch(config)
    steps = _steps(config, library=library, global_sequences=global_sequences)
    length = resolved(config.batch.sequence_length)
    run_device = device or _expected_device(config.cluster.device)
    dtype = choose_dtype(config.model.dtype, device=run_device)
    guessed = ("device", "dtype") if device is None and config.cluster.device == "auto" else ()
    uses_reference = any(source.kl_to_base for source in library.sources)
    traffic = step_traffic(
        config,
        model=model,
        dtype=dtype,
        micro_steps=micro_steps,
        uses_reference=uses_reference,
    )
    return Plan(
        world_size=config.cluster.world_size,
        steps=steps,
        global_sequences=global_sequences,
        micro_batch_size=resolved(config.batch.micro_batch_size),
        micro_steps=micro_steps,
        sequence_length=length,
        sequence_parallel_size=config.batch.sequence_parallel_size,
        library=library,
        epochs=steps * global_sequences / library.rows_per_pass,
        tokens=steps * global_sequences * length,
        device=run_device,
        dtype=dtype,
        parameters=model.parameters,
        frozen_parameters=frozen_elements(config.optim.freeze_params, model),
        reference_cache_gib=reference_cache_gib(
            config,
            library,
            rows=steps * global_sequences,
            state_bytes=model.hidden_size * DTYPE_BYTES[dtype],
            device=run_device,
        ),
        estimates=(*guessed, *ESTIMATED_TERMS),
        **memory_terms(
            config,
            model=model,
            dtype=dtype,
            steps=steps,
            device=run_device,
            uses_reference=uses_reference,
        ),
        gathers=traffic.gathers,
        all_gather_gib=traffic.all_gather_bytes / GIB,
        reduce_scatter_gib=traffic.reduce_scatter_bytes / GIB,
        inside_node_gib=traffic.inside_bytes / GIB,
        between_nodes_gib=traffic.between_bytes / GIB,
        choices=choices,
        hardware=hardware,
    )


def plan_with_choices(
    config: RunConfig,
    *,
    model: ModelInfo,
    library: PackedDatasetInfo,
    device: Literal["cpu", "cuda"],
) -> tuple[RunConfig, Plan, Hardware]:
    """The config with values for the engine's keys that are auto, its plan, and for what it is.

    Args:
        config: with numbers in place of `auto` in `batch.tokens` and `batch.sequence_length`.
        model: the base model's sizes.
        library: the packed sources.
        device: where it will run.

    Raises:
        ConfigError: as `make_plan`.
        DataError: as `make_plan`.
    """
    hardware = find_hardware(config.cluster, device=device)
    config, choices = choose_engine(
        config,
        model=model,
        dtype=choose_dtype(config.model.dtype, device=device),
        hardware=hardware,
        uses_reference=any(source.kl_to_base for source in library.sources),
    )
    plan = make_plan(
        config,
        model=model,
        library=library,
        device=device,
        choices=choices,
        hardware=hardware.basis,
    )
    return config, plan, hardware


def _steps(config: RunConfig, *, library: PackedDatasetInfo, global_sequences: int) -> int:
    if config.train.steps is not None:
        return config.train.steps
    passes = count_passes(config.train, library=library)
    return count_steps(passes, library=library, global_sequences=global_sequences)


def _split_batch(config: RunConfig) -> tuple[int, int]:
    batch = config.batch
    return split_batch(
        tokens=resolved(batch.tokens),
        sequence_length=resolved(batch.sequence_length),
        micro_batch_size=resolved(batch.micro_batch_size),
        world_size=config.cluster.world_size,
        sequence_parallel_size=batch.sequence_parallel_size,
        allow_uneven=batch.allow_uneven,
    )


def _expected_device(choice: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    if choice != "auto":
        return choice
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"
