"""Computes the plan of a run before it is queued. No torch."""

from pathlib import Path
from typing import Literal, TypedDict

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO
from ftdist.errors import ConfigError
from ftdist.io.units import GIB
from ftdist.nn.attention_device import check_kernel_device
from ftdist.plan.dataset_info import PackedDatasetInfo
from ftdist.plan.engine_choice import choose_engine
from ftdist.plan.hardware import Hardware, find_hardware
from ftdist.plan.memory import DTYPE_BYTES, memory_terms
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements
from ftdist.plan.plan import UNKNOWN_LAYERS, Choice, Plan, choose_dtype
from ftdist.plan.reference_cache import reference_cache_gib
from ftdist.plan.run_length import RunLength, run_length
from ftdist.plan.sequence_parallel import check_sequence_parallel
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
    length = run_length(config, library=library)
    run_device = device or _expected_device(config.cluster.device)
    dtype = choose_dtype(config.model.dtype, device=run_device)
    guessed = ("device", "dtype") if device is None and config.cluster.device == "auto" else ()
    return Plan(
        **length,
        library=library,
        device=run_device,
        dtype=dtype,
        parameters=model.parameters,
        frozen_parameters=frozen_elements(config.optim.freeze_params, model),
        **_memory(config, model, library, length=length, device=run_device, dtype=dtype),
        **_traffic(config, model, library, micro_steps=length["micro_steps"], dtype=dtype),
        estimates=(
            *guessed,
            *ESTIMATED_TERMS,
            *(() if model.layer_shape.is_known else (UNKNOWN_LAYERS,)),
        ),
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
        ModelError: the attention kernel runs on GPUs only, and the ranks have none.
    """
    check_kernel_device(config.model.attention, device=device)
    hardware = find_hardware(config.cluster, device=device)
    config, choices = choose_engine(
        config,
        model=model,
        dtype=choose_dtype(config.model.dtype, device=device),
        hardware=hardware,
        uses_reference=library.uses_reference,
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


def _memory(
    config: RunConfig,
    model: ModelInfo,
    library: PackedDatasetInfo,
    *,
    length: RunLength,
    device: Literal["cpu", "cuda"],
    dtype: Literal["bfloat16", "float32"],
) -> dict[str, float]:
    """Memory and disk, under the names of the fields of `Plan`."""
    return {
        **memory_terms(
            config,
            model=model,
            dtype=dtype,
            steps=length["steps"],
            device=device,
            uses_reference=library.uses_reference,
        ),
        "reference_cache_gib": reference_cache_gib(
            config,
            library,
            rows=length["steps"] * length["global_sequences"],
            state_bytes=model.hidden_size * DTYPE_BYTES[dtype],
            device=device,
        ),
    }


class _Traffic(TypedDict):
    """Communication of a step, under the names of the fields of `Plan`."""

    gathers: int
    all_gather_gib: float
    reduce_scatter_gib: float
    inside_node_gib: float
    between_nodes_gib: float


def _traffic(
    config: RunConfig,
    model: ModelInfo,
    library: PackedDatasetInfo,
    *,
    micro_steps: int,
    dtype: Literal["bfloat16", "float32"],
) -> _Traffic:
    traffic = step_traffic(
        config,
        model=model,
        dtype=dtype,
        micro_steps=micro_steps,
        uses_reference=library.uses_reference,
    )
    return {
        "gathers": traffic.gathers,
        "all_gather_gib": traffic.all_gather_bytes / GIB,
        "reduce_scatter_gib": traffic.reduce_scatter_bytes / GIB,
        "inside_node_gib": traffic.inside_bytes / GIB,
        "between_nodes_gib": traffic.between_bytes / GIB,
    }


def _expected_device(choice: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    if choice != "auto":
        return choice
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"
