"""Estimate the memory and disk of a run in GiB, term by term; `Plan` documents each formula."""

import math

from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import resolved
from ftdist.io.units import GIB
from ftdist.nn.logits_chunk import logits_chunk_rows
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.param_names import frozen_elements
from ftdist.plan.sequence_parallel import tokens_per_rank

DTYPE_BYTES = {"bfloat16": 2, "float32": 4}
OPTIMIZER_BYTES = 12
"""Bytes per parameter: float32 master weight and AdamW's two moments."""

LAYER_ELEMENTS = 17
"""Elements that one layer saves for the backward pass, per token and unit of width.

34 bytes in 16 bit, without attention scores, which no fused kernel saves.
Source: Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, section 4.1.
"""


def memory_terms(
    config: RunConfig,
    *,
    model: ModelInfo,
    dtype: str,
    steps: int,
    uses_reference: bool,
) -> dict[str, float]:
    """The memory and disk terms; the fields of `Plan` document their formulas."""
    engine, size = config.engine, DTYPE_BYTES[dtype]
    world_size = config.cluster.world_size
    total, shard = model.parameters, model.parameters / world_size
    trained = total - frozen_elements(config.optim.freeze_params, model)
    tokens = tokens_per_rank(config)
    layer, inputs = LAYER_ELEMENTS * tokens * model.hidden_size, tokens * model.hidden_size
    whole = {"none": model.layers, "selective": model.layers // 2, "full": 0}[
        config.model.activation_checkpointing
    ]
    activations = whole * layer
    if whole < model.layers:
        activations += layer + (model.layers - whole) * inputs
    live = resolved(engine.max_live_parameters)
    gathered = min(total, max(live, model.largest_parameter))
    device_terms = {
        "parameters_gib": shard * size,
        "gradients_gib": trained / world_size * DTYPE_BYTES[engine.accumulation_dtype]
        + min(trained, resolved(engine.reduce_bucket_size)) * size,
        "optimizer_gib": trained / world_size * OPTIMIZER_BYTES,
        "base_gib": shard * size if uses_reference else 0.0,
        "gathered_gib": gathered * size,
        "activations_gib": activations * size,
        "logits_gib": _logits_bytes(
            model, tokens=tokens, size=size, head=config.model.head, uses_reference=uses_reference
        ),
    }
    offloaded = {
        "parameters_gib": resolved(engine.offload_parameters),
        "base_gib": resolved(engine.offload_parameters),
        "optimizer_gib": resolved(engine.offload_optimizer),
    }
    host = math.fsum(device_terms[name] for name, in_host in offloaded.items() if in_host)
    terms = {
        **device_terms,
        "device_gib": math.fsum(device_terms.values()) - host,
        "host_offload_gib": host,
        "host_load_gib": (shard + 2 * model.largest_parameter) * size,
        "host_save_gib": _copied_state(
            config, total=total, trained=trained, size=size, steps=steps
        ),
        **_disk_terms(config, total=total, trained=trained, size=size, steps=steps),
    }
    return {name: value / GIB for name, value in terms.items()}


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
        "disk_gib": min(config.checkpoint.keep_latest + 1 + keeps_best, saves) * checkpoint
        + export,
    }


def _saves(config: RunConfig, *, steps: int) -> tuple[int, bool]:
    """Maximum number of checkpoints that a run writes, and whether it also keeps the best."""
    each = [config.checkpoint.every_steps, config.eval.probes_every_steps]
    saves = sum(math.ceil(steps / every) for every in each if every)
    return max(1, saves), each[1] > 0  # the last step is always saved


def _logits_bytes(
    model: ModelInfo, *, tokens: int, size: int, head: str, uses_reference: bool
) -> float:
    """Bytes of one chunk of logits in float32 and in the model's dtype, and of the head's gradient.

    The model's own head computes all tokens at once. With a base model, its chunk and the
    difference of both are added, its head is gathered, and the head's gradient is in float32.
    """
    embedding = model.vocab_size * model.hidden_size
    device = "cuda" if size == DTYPE_BYTES["bfloat16"] else "cpu"  # as model.dtype=auto chooses
    chunk = logits_chunk_rows(model.vocab_size, device=device)
    rows = tokens if head == "model" else min(tokens, chunk)
    base = rows * model.vocab_size * (8 + size) + embedding * (4 + size) if uses_reference else 0
    return rows * model.vocab_size * (4 + size) + embedding * size + base
