"""The plan of a run: steps, memory and disk, computed before it is queued. No torch.

Sizes are GiB (2**30 bytes) on one rank unless a name says otherwise. Symbols in the formulas:
N parameters, N_t of them trained, L layers, H hidden size, V vocabulary, W world size, T tokens of
one micro-batch (micro_batch_size x sequence_length), b bytes of the model's dtype, a of the
accumulation dtype.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from ftdist.config.batch_split import BatchSplit, split_batch
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, DataError
from ftdist.plan.dataset_info import PackedDatasetInfo, PackedSourceInfo
from ftdist.plan.memory import memory_terms
from ftdist.plan.model_info import ModelInfo, read_model_info
from ftdist.plan.param_names import frozen_elements

__all__ = [
    "ModelInfo",
    "PackedDatasetInfo",
    "PackedSourceInfo",
    "Plan",
    "check_context",
    "make_plan",
    "read_model_info",
    "row_shares",
]

_ROUNDING = 1e-9
"""Room for rounding when a product of floats is rounded up to whole steps."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps, memory and disk of a run. The fields named in `estimates` are rules of thumb."""

    world_size: int
    steps: int
    global_sequences: int
    micro_batch_size: int
    micro_steps: int
    sequence_length: int
    library: PackedDatasetInfo
    epochs: float
    """Passes over the library that `steps` make."""

    tokens: int
    """Of all steps, packed to full sequences."""

    device: Literal["cpu", "cuda"]
    dtype: Literal["bfloat16", "float32"]
    parameters: int
    """Of the whole model."""

    frozen_parameters: int = 0
    """Of these, frozen by `optim.freeze_params`, by the names in the model's files."""

    parameters_gib: float
    """N b / W, this rank's shard; in host memory with parameter offload."""

    gradients_gib: float
    """N_t a / W accumulated, and one bucket in the reduction: min(N_t, bucket) b."""

    optimizer_gib: float
    """12 N_t / W: float32 master weights and two moments; in host memory with offload."""

    base_gib: float = 0.0
    """N b / W, this rank's shard of the base model, with `library.kl_to_base`; else 0."""

    gathered_gib: float
    """Maximum parameters gathered at once: min(N, max(live, largest)) b."""

    activations_gib: float
    """17 T H b per layer: L of them, or with activation checkpointing one, and L inputs T H b."""

    logits_gib: float
    """One chunk of logits in float32 and in the model's dtype, and the head's gradient V H b.

    With `library.kl_to_base` also the base model's chunk, the difference of both, its head V H b,
    and the head's gradient in float32.
    """

    device_gib: float
    """Sum of the terms in device memory."""

    host_offload_gib: float
    """Sum of the offloaded terms in host memory."""

    host_load_gib: float
    """Peak of host memory while loading: each rank reads its own slices of the files, so its
    shard N b / W and, while modules are made, two whole parameters, at most the largest: input
    and output embedding, before they are tied or sharded."""

    checkpoint_gib: float
    """One checkpoint, all ranks: 12 N_t, and (N - N_t) b of frozen parameters."""

    export_gib: float
    """The exported model: N times the bytes of its dtype."""

    disk_gib: float
    """min(keep_latest + 1, all) checkpoints (one is written before the oldest is deleted), one
    more if the best is kept, and the export."""

    estimates: tuple[str, ...]

    @property
    def exposures(self) -> float:
        """Exposures per answer of the library, on average over the run."""
        return self.epochs * self.library.exposures_per_pass

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From JSON text."""
        values = json.loads(text)
        values["library"] = PackedDatasetInfo.from_values(values["library"])
        values["estimates"] = tuple(values["estimates"])
        return cls(**values)


def row_shares(sources: tuple[PackedSourceInfo, ...]) -> tuple[float, ...]:
    """Share of each source in the stream of packed sequences; they sum to 1.

    Weights speak of tokens: source i gives weight_i tokens for each token of the first. Its rows
    hold t_i = tokens_i / sequences_i tokens on average, so p_i = (w_i / t_i) / sum_j (w_j / t_j).

    Raises:
        DataError: a source has no sequences.
    """
    for source in sources:
        if source.sequences == 0 or source.tokens == 0:
            raise DataError(
                f"Source {source.name!r} has {source.samples} samples and nothing to train on.",
                remedy="give it conversations or documents, or leave it out.",
            )
    rows = [source.weight * source.sequences / source.tokens for source in sources]
    return tuple(row / math.fsum(rows) for row in rows)


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
            uses_base=any(source.kl_to_base for source in library.sources),
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


def choose_dtype(
    choice: Literal["auto", "bfloat16", "float32"], *, device: Literal["cpu", "cuda"]
) -> Literal["bfloat16", "float32"]:
    """The dtype that `model.dtype` means on `device`: bfloat16 on GPUs, float32 on CPUs."""
    if choice != "auto":
        return choice
    return "bfloat16" if device == "cuda" else "float32"
