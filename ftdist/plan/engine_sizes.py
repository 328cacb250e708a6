"""Sizes of ZeRO-3's buckets and shards from the shapes of a model, in elements.

Symbols: P elements of a layer, E of an embedding, N of the model, W ranks, M bytes of
memory of a rank, b bytes of the model's dtype, c of the communication dtype.
"""

import math
import re
from collections import Counter

from ftdist.plan.model_info import ModelInfo

PREFETCH_SHARE, BUCKET_SHARE, LIVE_SHARE = 0.08, 0.04, 0.1
"""Of M, that may hold what is gathered ahead (4 b each), the reduce bucket (c), live ones (b)."""

PERSISTENT_SHARE = 0.05
"""Of a rank's shard, that small parameters kept whole may add to it."""

USUAL_THRESHOLD = 100_000
MIN_SUB_GROUP, MAX_SUB_GROUP = 50_000_000, 1_000_000_000
RANK_BUCKET = 1_000_000
"""Elements of a reduce bucket for each rank: smaller messages take more time than their bytes."""


def layer_elements(model: ModelInfo) -> int:
    """P: elements of one layer, on average."""
    in_layers = sum(
        math.prod(shape) for name, shape in model.shapes.items() if re.search(r"\.\d+\.", name)
    )
    if not in_layers:
        embeddings = model.vocab_size * model.hidden_size * (1 if model.tied else 2)
        in_layers = max(model.parameters - embeddings, model.layers)
    return max(1, in_layers // model.layers)


def prefetch_bucket(model: ModelInfo, *, memory: float, dtype_bytes: int) -> int:
    """One layer, if that takes at most 8 % of memory with its copies; else what does."""
    return _at_most(layer_elements(model), PREFETCH_SHARE * memory / (4 * dtype_bytes))


def reduce_bucket(model: ModelInfo, *, ranks: int, memory: float, communication_bytes: int) -> int:
    """One layer, or a million elements per rank, in at most 4 % of memory."""
    wanted = max(layer_elements(model), RANK_BUCKET * ranks)
    bucket = _at_most(wanted, BUCKET_SHARE * memory / communication_bytes)
    return min(bucket, two_digits(model.parameters))


def live_parameters(
    model: ModelInfo, *, prefetch: int, memory: float, dtype_bytes: int
) -> tuple[int, bool]:
    """Two layers and an embedding: the layer that computes, the next one, and the head.

    Returns:
        the elements, and whether those take at most 10 % of memory; else one layer and what is
        gathered ahead.
    """
    layer, embedding = layer_elements(model), model.vocab_size * model.hidden_size
    live = 2 * layer + embedding
    fits = live * dtype_bytes <= LIVE_SHARE * memory
    live = max(live if fits else layer + prefetch, model.largest_parameter)
    return min(two_digits(live), model.parameters), fits


def persistence_threshold(model: ModelInfo, *, ranks: int, memory: float, dtype_bytes: int) -> int:
    """The largest size up to which all parameters together stay below 5 % of a rank's shard.

    Norms are a part of every step, so 0.1 % of memory is allowed for them in any case.
    """
    sizes = Counter(math.prod(shape) for shape in model.shapes.values())
    most = max(PERSISTENT_SHARE * model.parameters / ranks, 1e-3 * memory / dtype_bytes)
    threshold = USUAL_THRESHOLD if not sizes else 0
    whole = 0
    for size, count in sorted(sizes.items()):
        whole += size * count
        if whole > most:
            break
        threshold = size
    following = min((size for size in sizes if size > threshold), default=0)
    return max(threshold, min(USUAL_THRESHOLD, following - 1)) if following else threshold


def sub_group(model: ModelInfo, *, ranks: int) -> int:
    """A quarter of a rank's shard, from 50 million to a billion."""
    quarter = two_digits(math.ceil(model.parameters / ranks / 4))
    return min(MAX_SUB_GROUP, max(MIN_SUB_GROUP, quarter))


def _at_most(wanted: int, most: float) -> int:
    """A size in two digits, if there is room for it."""
    rounded = two_digits(wanted)
    return rounded if rounded <= most else max(1, min(wanted, int(most)))


def two_digits(number: int) -> int:
    """A whole number, rounded up to two significant digits."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return int(-(-number // unit) * unit)
