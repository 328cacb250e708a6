"""Long rows: whether ranks can share them, and in how many tiles a rank computes its part."""

import math

from ftdist.config.batch_split import one_of
from ftdist.config.schema import RunConfig
from ftdist.config.schema.types import AUTO, resolved
from ftdist.errors import ConfigError
from ftdist.plan.layer_shape import LayerShape
from ftdist.plan.model_info import ModelInfo

_MASKED = ("eager", "sdpa")
"""Attention kernels that need a mask of the whole row, which no rank has."""

MAX_UNTILED_TOKENS = 32_768
"""Tokens of a row per rank up to which `model.mlp_tiles=auto` computes MLPs whole."""


def tokens_per_rank(config: RunConfig) -> int:
    """Tokens of a full row that a rank has outside of attention."""
    batch = config.batch
    tokens = resolved(batch.micro_batch_size) * resolved(batch.sequence_length)
    return math.ceil(tokens / batch.sequence_parallel_size)


def mlp_tiles(config: RunConfig, *, hidden_size: int) -> int:
    """Tiles in which each MLP is computed: the same on all ranks, for rows of any length."""
    choice = config.model.mlp_tiles
    if choice != AUTO:
        return choice
    tokens = tokens_per_rank(config)
    return 1 if tokens <= MAX_UNTILED_TOKENS else math.ceil(tokens / hidden_size)


def exchanged_elements(config: RunConfig, shape: LayerShape) -> int:
    """Elements per token of copies around the exchange of queries, keys and values for heads.

    In DeepSpeed's order, in the order of arrival, and in the kernel's.
    """
    if config.batch.sequence_parallel_size == 1:
        return 0
    return 3 * (shape.query_width + 2 * shape.key_width)


def checkpointed_layers(config: RunConfig, layers: int) -> int:
    """Layers of `layers` that keep their input alone."""
    choice = config.model.activation_checkpointing
    return {"none": 0, "selective": layers - layers // 2, "full": layers}[choice]


def inputs_on_device(config: RunConfig, layers: int) -> int:
    """Layer inputs of activation checkpointing that are in device memory at once."""
    inputs = checkpointed_layers(config, layers)
    return min(2, inputs) if config.model.activation_offload else inputs


def inputs_on_host(config: RunConfig, layers: int) -> int:
    """Layer inputs of activation checkpointing that are in host memory."""
    return checkpointed_layers(config, layers) if config.model.activation_offload else 0


def check_sequence_parallel(config: RunConfig, *, model: ModelInfo) -> None:
    """Refuse ranks that cannot share the model's attention.

    Raises:
        ConfigError: the heads are not divisible, or the kernel needs a mask.
    """
    size = config.batch.sequence_parallel_size
    if size == 1:
        return
    if config.model.attention in _MASKED:
        raise ConfigError(
            f"model.attention={config.model.attention} does not work with "
            f"batch.sequence_parallel_size={size}: its mask would be that of the whole row.",
            remedy="set model.attention=auto.",
        )
    heads, key_heads = model.attention_heads, model.key_value_heads
    if heads is None or key_heads is None or _can_share(heads, key_heads, size=size):
        return
    ranks = config.cluster.world_size
    sizes = [n for n in range(1, ranks + 1) if ranks % n == 0]
    fitting = [n for n in sizes if _can_share(heads, key_heads, size=n)]
    raise ConfigError(
        f"batch.sequence_parallel_size={size} cannot share out the model's {heads} attention heads "
        f"and {key_heads} key heads: each rank needs equally many.",
        remedy=f"set batch.sequence_parallel_size to {one_of(fitting)}.",
    )


def _can_share(heads: int, key_heads: int, *, size: int) -> bool:
    """Whether each rank gets equally many heads; a key head may be copied to several ranks."""
    return heads % size == 0 and (key_heads % size == 0 or size % key_heads == 0)
