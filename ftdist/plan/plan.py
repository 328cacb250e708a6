"""The plan of a run: steps, memory and disk, as `make_plan` computes them. No torch.

Sizes are GiB (2**30 bytes) on one rank unless a name says otherwise. Symbols in the formulas:
N parameters, N_t of them trained, L layers, H hidden size, V vocabulary, W world size, T tokens of
one micro-batch per rank (micro_batch_size x sequence_length / sequence_parallel_size), b bytes of
the model's dtype, a of the accumulation dtype.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal, Self

from ftdist.plan.dataset_info import PackedDatasetInfo


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps, memory and disk of a run. The fields named in `estimates` are rules of thumb."""

    world_size: int
    steps: int
    global_sequences: int
    micro_batch_size: int
    micro_steps: int
    sequence_length: int
    sequence_parallel_size: int = 1
    """Ranks that share each row."""

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

    reference_cache_gib: float = 0.0
    """Host memory of the base model's hidden states that are kept from a row's first pass, with
    `library.kl_to_base`: its loss tokens H b / W, at most `engine.reference_cache_gib`."""

    gathered_gib: float
    """Maximum parameters gathered at once: min(N, max(live, largest)) b."""

    activations_gib: float
    """17 T H b per layer: L of them; with activation checkpointing those that are not recomputed,
    one more, and an input T H b of each other one."""

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

    host_save_gib: float = 0.0
    """Host memory of the copy from which checkpoints are written beside training: (12 N_t +
    (N - N_t) b) / W, with `checkpoint.async_save`; 0 where only the last one is saved."""

    checkpoint_gib: float
    """One checkpoint, all ranks: 12 N_t, and (N - N_t) b of frozen parameters."""

    export_gib: float
    """The exported model: N times the bytes of its dtype."""

    disk_gib: float
    """min(keep_latest + 1, all) checkpoints (one is written before the oldest is deleted), one
    more if the best is kept, and the export."""

    estimates: tuple[str, ...]

    @property
    def data_parallel_size(self) -> int:
        """Groups of ranks that each compute rows of their own."""
        return self.world_size // self.sequence_parallel_size

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


def choose_dtype(
    choice: Literal["auto", "bfloat16", "float32"], *, device: Literal["cpu", "cuda"]
) -> Literal["bfloat16", "float32"]:
    """The dtype that `model.dtype` means on `device`: bfloat16 on GPUs, float32 on CPUs."""
    if choice != "auto":
        return choice
    return "bfloat16" if device == "cuda" else "float32"
