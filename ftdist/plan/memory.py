"""Estimate the memory and disk of a run in GiB, term by term; `Plan` documents each formula."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ftdist.config.schema import RunConfig
from ftdist.config.schema.checkpoint import MIN_KEPT
from ftdist.config.schema.types import resolved
from ftdist.io.units import GIB
from ftdist.nn.logits_chunk import logits_chunk_rows
from ftdist.plan.activations import Scores, backward_bytes, layer_bytes, outer_bytes, scores_of
from ftdist.plan.engine_sizes import layer_elements
from ftdist.plan.host_memory import host_offload_bytes, pinned_block
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements
from ftdist.plan.sequence_parallel import (
    checkpointed_layers,
    exchanged_elements,
    inputs_on_device,
    inputs_on_host,
    mlp_tiles,
    tokens_per_rank,
)

DTYPE_BYTES = {"bfloat16": 2, "float32": 4}
OPTIMIZER_BYTES = 12
"""Bytes per parameter: float32 master weight and AdamW's two moments."""

FLOAT32, FLOAT64 = 4, 8

CUDA_GIB = 2.0
"""What a rank takes of a GPU outside torch's allocator: the CUDA context, NCCL's buffers and
channels, workspaces of libraries. An assumption: 0.5 GiB, and 1 to 2.5 with many communicators."""


def memory_terms(
    config: RunConfig,
    *,
    model: ModelInfo,
    dtype: str,
    steps: int,
    uses_reference: bool,
    device: Literal["cpu", "cuda"] | None = None,
) -> dict[str, float]:
    """The memory and disk terms; the fields of `Plan` document their formulas.

    Args:
        config: of the run, with numbers in place of `auto`.
        model: the base model's sizes.
        dtype: of the parameters.
        steps: of the run.
        uses_reference: whether the base model is beside the trained one.
        device: of the ranks; None: by `cluster.device`, or else GPUs for bfloat16.
    """
    if device is None:
        device = "cuda" if dtype == "bfloat16" else "cpu"
        if config.cluster.device != "auto":
            device = config.cluster.device
    rank = _Rank(config, model, DTYPE_BYTES[dtype], uses_reference, device)
    resident, passes, step = rank.resident(), rank.passes(), rank.step_bytes()
    terms = {
        **resident,
        **passes,
        "step_gib": step,
        "device_gib": math.fsum(resident.values()) + max(_peak_of_passes(passes), step),
        "host_offload_gib": host_offload_bytes(
            config, parameters=rank.total, trained=rank.trained, size=rank.size, device=device
        )
        + (rank.shard * rank.size if rank.offloads_parameters and uses_reference else 0.0)
        + inputs_on_host(config, model.layers)
        * pinned_block(rank.tokens * model.hidden_size * rank.size, device=device),
        "host_save_gib": _copied_state(
            config, total=rank.total, trained=rank.trained, size=rank.size, steps=steps
        ),
        "host_load_gib": (rank.shard + 2 * model.largest_parameter) * rank.size,
        **_disk_terms(config, total=rank.total, trained=rank.trained, size=rank.size, steps=steps),
    }
    values = {name: value / GIB for name, value in terms.items()}
    return {**values, "outside_gib": CUDA_GIB if device == "cuda" else 0.0}


def _peak_of_passes(passes: dict[str, float]) -> float:
    """Head and layers compute their gradients one after the other, above the same activations."""
    late = max(
        passes["logits_gib"] + passes["head_gradient_gib"],
        passes["backward_gib"] + passes["reduce_gib"],
    )
    return passes["gathered_gib"] + passes["activations_gib"] + late


@dataclass(frozen=True)
class _Rank:
    """Bytes of one rank's memory, by what holds them and when."""

    config: RunConfig
    model: ModelInfo
    size: int
    uses_reference: bool
    device: Literal["cpu", "cuda"]

    @property
    def world_size(self) -> int:
        return self.config.cluster.world_size

    @property
    def total(self) -> int:
        return self.model.parameters

    @property
    def shard(self) -> float:
        return self.total / self.world_size

    @cached_property
    def trained(self) -> int:
        return self.total - frozen_elements(self.config.optim.freeze_params, self.model)

    @property
    def tokens(self) -> int:
        return tokens_per_rank(self.config)

    @property
    def offloads_parameters(self) -> bool:
        return bool(resolved(self.config.engine.offload_parameters))

    @property
    def offloads_optimizer(self) -> bool:
        return bool(resolved(self.config.engine.offload_optimizer))

    @property
    def communication(self) -> int:
        return DTYPE_BYTES.get(self.config.engine.communication_dtype, FLOAT32)

    @property
    def bucket(self) -> int:
        """Elements of a reduce bucket; untouched pages of host memory take no room."""
        bucket = int(resolved(self.config.engine.reduce_bucket_size))
        return bucket if self.device == "cuda" else min(self.trained, bucket)

    @property
    def tiles(self) -> int:
        return mlp_tiles(self.config, hidden_size=self.model.hidden_size)

    @property
    def scores(self) -> Scores:
        shape, choice = self.model.layer_shape, self.config.model.attention
        return scores_of(choice, shape, device=self.device, size=self.size)

    def resident(self) -> dict[str, float]:
        """What stands from the first step to the last."""
        engine = self.config.engine
        here = 0.0 if self.offloads_parameters else 1.0
        own = 0.0 if self.offloads_optimizer else self.trained / self.world_size
        copies = resolved(engine.hpz_partition_size)
        masters = OPTIMIZER_BYTES - (FLOAT32 if self.size == FLOAT32 else 0)
        return {
            "parameters_gib": here * self.shard * self.size,
            "hpz_gib": self.total / copies * self.size if copies > 1 else 0.0,
            "gradients_gib": own * DTYPE_BYTES[engine.accumulation_dtype],
            "bucket_gib": self.bucket * self.communication,
            "optimizer_gib": own * masters,
            "base_gib": here * self.shard * self.size if self.uses_reference else 0.0,
        }

    def passes(self) -> dict[str, float]:
        """What stands during the forward and backward passes; see `_peak_of_passes`."""
        model, shape = self.model, self.model.layer_shape
        sizes = {"hidden": model.hidden_size, "size": self.size}
        here = {"tokens": self.tokens, "scores": self.scores, "tiles": self.tiles}
        return {
            "gathered_gib": self._gathered(),
            "activations_gib": self._activations(),
            "logits_gib": self._logits(),
            "head_gradient_gib": self._head_gradient(),
            "backward_gib": self.tokens * backward_bytes(shape, **sizes, **here)  # type: ignore[arg-type]
            + (self._embedding * self.size if model.tied else 0.0),
            "reduce_gib": self._reduced(),
        }

    def step_bytes(self) -> float:
        """The optimizer step: a flat copy of a sub-group's gradients, or a norm in float64."""
        own = self.trained / self.world_size
        copied = min(resolved(self.config.engine.sub_group_size), own) * FLOAT32
        norm = self.model.largest_parameter / self.world_size * FLOAT64
        return max(norm, 0.0 if self.offloads_optimizer else copied)

    @property
    def _embedding(self) -> int:
        return self.model.vocab_size * self.model.hidden_size

    def _gathered(self) -> float:
        """Whole parameters, and the flat buffer of what is gathered ahead."""
        engine = self.config.engine
        if self.world_size == 1 and not self.offloads_parameters:
            return 0.0  # the shard is the parameter
        live = max(resolved(engine.max_live_parameters), self.model.largest_parameter)
        ahead = min(self.total, resolved(engine.prefetch_bucket_size))
        return (min(self.total, live) + ahead) * self.size

    def _activations(self) -> float:
        model, size = self.model, self.size
        shape, layers = model.layer_shape, model.layers
        layer = layer_bytes(
            shape,
            hidden=model.hidden_size,
            tokens=self.tokens,
            size=size,
            scores=self.scores,
            tiles=self.tiles,
        )
        choice = self.config.model.activation_checkpointing
        whole = layers - checkpointed_layers(self.config, layers)
        saved = whole * layer + inputs_on_device(self.config, layers) * model.hidden_size * size
        saved += exchanged_elements(self.config, shape) * size
        # The last layer is the first to be computed again, above everything else.
        if choice == "full" or (choice == "selective" and layers % 2):
            saved += layer
        return self.tokens * (saved + outer_bytes(shape, hidden=model.hidden_size, size=size))

    @property
    def _chunk_rows(self) -> int:
        if self.config.model.head == "model":
            return self.tokens
        return min(self.tokens, logits_chunk_rows(self.model.vocab_size, device=self.device))

    def _logits(self) -> float:
        """A chunk of logits, and hidden states at all tokens with their gradient.

        With the base model its chunk, the difference, its hidden states and its head.
        """
        model = self.model
        copied = self.size if self.device == "cuda" and self.size < FLOAT32 else 0
        scores, states = copied + 2 * FLOAT32, 2 * model.hidden_size * self.size
        base = 0.0
        if self.uses_reference:
            scores, states = 4 * FLOAT32, states + model.hidden_size * self.size
            base = self._embedding * self.size
        return self._chunk_rows * model.vocab_size * scores + self.tokens * states + base

    def _head_gradient(self) -> float:
        """In float32 while chunks are summed, then in the model's dtype and cast to be reduced."""
        summed = FLOAT32 if self._chunk_rows < self.tokens else 0
        return self._embedding * (self.size + max(summed, 0 if self.model.tied else self._cast))

    @property
    def _cast(self) -> int:
        """Bytes per element of copies in which a gradient is reduced, beside the gradient."""
        cast = self.communication if self.communication != self.size else 0
        padded = self._embedding % self.world_size
        return cast + (self.communication if padded else 0)

    def _reduced(self) -> float:
        """A layer's gradients, and the bucket's ordered copy or the casts of a larger gradient."""
        largest = self.model.layer_shape.largest_matrix(self.model.hidden_size)
        bucket = min(self.bucket, self.trained)
        alone = largest * self._cast if largest > bucket else 0
        layer = layer_elements(self.model) * self.size
        return float(layer + max(bucket * self.communication, alone))


def _copied_state(config: RunConfig, *, total: int, trained: int, size: int, steps: int) -> float:
    """Bytes of a rank's copy of the state, where checkpoints are written beside training."""
    if not config.checkpoint.async_save or not 0 < config.checkpoint.every_steps < steps:
        return 0.0
    return _state(total=total, trained=trained, size=size) / config.cluster.world_size


def _state(*, total: int, trained: int, size: int) -> int:
    """Bytes of the training state of all ranks: what a checkpoint holds."""
    return trained * OPTIMIZER_BYTES + (total - trained) * size


def _disk_terms(
    config: RunConfig, *, total: int, trained: int, size: int, steps: int
) -> dict[str, float]:
    """Bytes of a checkpoint, of the export, and of all that a run keeps on disk."""
    dtype = config.export.dtype
    checkpoint = _state(total=total, trained=trained, size=size)
    export = total * (size if dtype == "auto" else DTYPE_BYTES[dtype])
    saves, keeps_best = _saves(config, steps=steps)
    return {
        "checkpoint_gib": checkpoint,
        "export_gib": export,
        "disk_gib": min(max(config.checkpoint.keep_latest, MIN_KEPT) + 1 + keeps_best, saves)
        * checkpoint
        + export,
    }


def _saves(config: RunConfig, *, steps: int) -> tuple[int, bool]:
    """Maximum number of checkpoints that a run writes, and whether it also keeps the best."""
    each = [config.checkpoint.every_steps, config.eval.probes_every_steps]
    saves = sum(math.ceil(steps / every) for every in each if every)
    return max(1, saves), each[1] > 0  # the last step is always saved
