"""Memory and disk of a run, term by term, in GiB; each formula stands at its field of `Plan`."""

import math

from ftdist.config.schema import RunConfig
from ftdist.io.units import GIB
from ftdist.plan.model_info import ModelFacts
from ftdist.plan.param_names import frozen_elements

DTYPE_BYTES = {"bfloat16": 2, "float32": 4}
OPTIMIZER_BYTES = 12
"""Of one parameter: float32 master weight and AdamW's two moments."""

LAYER_ELEMENTS = 17
"""Elements that one layer keeps for the backward pass, for each token and unit of width.

34 bytes in 16 bit, without attention scores, which no fused kernel keeps.
Source: Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, section 4.1.
"""


LOGITS_CHUNK_BYTES = 64 * 2**20
"""Most that one chunk of logits takes in float32."""


def logits_chunk_rows(vocab_size: int) -> int:
    """Tokens whose logits the chunked head computes at once: a power of two, at least 16.

    Enough rows for the matrix product to be one; torch's own choice, about T H / V of T tokens,
    was 8 rows for a small model with a large vocabulary, and 25 times as slow (docs/LOG.md).
    """
    rows = LOGITS_CHUNK_BYTES // (4 * vocab_size)
    return max(16, 1 << (rows.bit_length() - 1) if rows else 0)


def memory_terms(
    config: RunConfig,
    *,
    model: ModelFacts,
    world_size: int,
    dtype: str,
    steps: int,
    asks_base: bool,
) -> dict[str, float]:
    """The memory and disk terms; each formula stands at its field of `Plan`."""
    engine, size = config.engine, DTYPE_BYTES[dtype]
    total, shard = model.parameters, model.parameters / world_size
    trained = total - frozen_elements(config.optim.freeze_params, model)
    tokens = config.batch.micro_batch_size * config.batch.sequence_length
    layer, inputs = LAYER_ELEMENTS * tokens * model.hidden_size, tokens * model.hidden_size
    kept = layer + model.layers * inputs
    if not config.model.activation_checkpointing:
        kept = model.layers * layer
    export = config.export.dtype
    export_size = size if export == "auto" else DTYPE_BYTES[export]
    gathered = min(total, max(engine.max_live_parameters, model.largest_parameter))
    placed = {
        "parameters_gib": shard * size,
        "gradients_gib": trained / world_size * DTYPE_BYTES[engine.accumulation_dtype]
        + min(trained, engine.reduce_bucket_size) * size,
        "optimizer_gib": trained / world_size * OPTIMIZER_BYTES,
        "base_gib": shard * size if asks_base else 0.0,
        "gathered_gib": gathered * size,
        "activations_gib": kept * size,
        "logits_gib": _logits_bytes(
            model, tokens=tokens, size=size, head=config.model.head, asks_base=asks_base
        ),
    }
    in_host = [name for name, offloaded in (
        ("parameters_gib", engine.offload_parameters),
        ("base_gib", engine.offload_parameters),
        ("optimizer_gib", engine.offload_optimizer),
    ) if offloaded]  # fmt: skip
    host = math.fsum(placed[name] for name in in_host)
    checkpoint = trained * OPTIMIZER_BYTES + (total - trained) * size
    exported = total * export_size
    saves, measured = _saves(config, steps=steps)
    terms = {
        **placed,
        "device_gib": math.fsum(placed.values()) - host,
        "host_offload_gib": host,
        "host_load_gib": (shard + 2 * model.largest_parameter) * size,
        "checkpoint_gib": checkpoint,
        "export_gib": exported,
        "disk_gib": min(config.checkpoint.keep_latest + 1 + measured, saves) * checkpoint
        + exported,
    }
    return {name: value / GIB for name, value in terms.items()}


def _saves(config: RunConfig, *, steps: int) -> tuple[int, bool]:
    """Most checkpoints that a run writes, and whether one stays for being the best."""
    each = [config.checkpoint.every_steps, config.eval.probes_every_steps]
    saves = sum(math.ceil(steps / every) for every in each if every)
    return max(1, saves), each[1] > 0  # the last step is always saved


def _logits_bytes(
    model: ModelFacts, *, tokens: int, size: int, head: str, asks_base: bool
) -> float:
    """Of one chunk of logits in float32 and in the model's dtype, and of the head's gradient.

    The model's own head takes all tokens at once. Where the base is asked, its chunk and their
    difference stand too, its head is whole, and the head's gradient is kept in float32.
    """
    embedding = model.vocab_size * model.hidden_size
    rows = tokens if head == "model" else min(tokens, logits_chunk_rows(model.vocab_size))
    base = rows * model.vocab_size * (8 + size) + embedding * (4 + size) if asks_base else 0
    return rows * model.vocab_size * (4 + size) + embedding * size + base
