"""Bytes that the forward pass saves for the backward pass, per token, by what a layer is made of.

Symbols: T tokens of a micro-batch, H hidden size, I width of the MLP, A heads x head width, K
key-value heads x head width, L layers, b bytes of the model's dtype. transformers' layers are
eager: every operation saves its own inputs. `tests/unit/plan/test_saved_activations.py` counts the
saved tensors of each known family and compares.
"""

from typing import Literal

from ftdist.plan.layer_shape import LayerShape, NormKind

FLOAT32 = 4
Scores = Literal["none", "copied", "repeated", "sdpa", "eager"]
"""How a kernel attends. none: by the borders of samples (varlen, flash), scores are never stored.
copied: the same, in float32, and its output once more (by_sample on CPUs). repeated: in the model's
dtype, with keys and values for every head (by_sample on GPUs). sdpa: with a T x T mask. eager:
T x T scores of every head are stored."""


MAX_FLASH_WIDTH = 256
"""The widest heads of flash attention, and so of varlen."""


def scores_of(
    attention: str, shape: LayerShape, *, device: Literal["cpu", "cuda"], size: int
) -> Scores:
    """How the kernel that `model.attention` names attends.

    by_sample computes capped scores itself, those of one sample: planned as if it filled the row.

    Args:
        attention: the config's value; auto: by_sample on CPUs, in float32, for wide heads and
            capped scores, else varlen or flash.
        shape: of the model's layers.
        device: of the ranks.
        size: bytes of the model's dtype.
    """
    if attention == "auto":
        is_flash = device == "cuda" and size < FLOAT32 and shape.head_width <= MAX_FLASH_WIDTH
        attention = "varlen" if is_flash and not shape.caps_scores else "by_sample"
    if attention == "by_sample":
        without_cap: Scores = "copied" if device == "cpu" else "repeated"
        return "eager" if shape.caps_scores else without_cap
    if attention == "sdpa":
        return "sdpa"
    return "eager" if attention == "eager" else "none"


def layer_bytes(
    shape: LayerShape, *, hidden: int, tokens: int, size: int, scores: Scores, tiles: int = 1
) -> float:
    """What one layer saves per token: norms, attention and MLP, of which one tile exists at once.

    norms: 2 (n + b) H before linear layers, n H each after, n (A + K) of queries and keys, with n
    of `_norm_bytes`. MLP: gate, up, their activation and product, 4 I b; not gated, 2 I b.
    """
    norm = _norm_bytes(shape.norm, size=size)
    norms = 2 * (norm + size) * hidden + shape.post_norms * norm * hidden
    if shape.qk_norms:
        norms += norm * (shape.query_width + shape.key_width)
    mlp = shape.mlp_width * size
    mlp *= 4 if shape.gated else 5 if shape.long_activation else 2
    return norms + _attention_bytes(shape, tokens=tokens, size=size, scores=scores) + mlp / tiles


def outer_bytes(shape: LayerShape, *, hidden: int, size: int) -> float:
    """What the model saves per token outside its layers: the last norm, rotary tables, indices."""
    rotary = shape.rotary_tables * 2 * shape.head_width * size
    return _norm_bytes(shape.norm, size=size) * hidden + rotary + 16


def backward_bytes(
    shape: LayerShape, *, hidden: int, tokens: int, size: int, scores: Scores, tiles: int = 1
) -> float:
    """Gradients inside one layer, per token.

    At most two of the MLP's width, or four in float32 of a norm; two of the residual stream; with
    eager attention, those of the scores.
    """
    inside = max(2 * shape.mlp_width * size / tiles, 4 * FLOAT32 * hidden) + 2 * hidden * size
    if scores == "eager":
        inside += (2 * FLOAT32 + size) * tokens * shape.heads
    return float(inside)


def _norm_bytes(norm: NormKind, *, size: int) -> int:
    """Saved per element of its input, without its output.

    The float32 copy and the normed input; a float32 input is its own copy.
    """
    return {"rms": FLOAT32 + size, "gemma": 2 * FLOAT32, "layer": size}[norm]


def _attention_bytes(shape: LayerShape, *, tokens: int, size: int, scores: Scores) -> float:
    """Queries, keys and values after the rotation, the output, and its float32 log-sums.

    With a mask keys and values are repeated for every head. sdpa keeps the T x T mask as a bias
    of every layer; eager keeps the softmax in float32 and in the model's dtype, and capped scores.
    """
    query, key = shape.query_width, shape.key_width
    if scores in ("sdpa", "eager"):
        repeated = key if shape.kv_heads == 1 else query  # a single head needs no copy
        states = 2 * (query + repeated) * size
        if scores == "sdpa":
            return states + tokens * size + FLOAT32 * shape.heads
        each = FLOAT32 + (size if size < FLOAT32 else 0) + (size if shape.caps_scores else 0)
        return states + each * tokens * shape.heads
    if scores == "repeated" and shape.kv_heads < shape.heads:
        return 5 * query * size + FLOAT32 * shape.heads
    is_cast = scores == "copied" and size < FLOAT32
    values = query + 2 * key if shape.fused_qkv and not is_cast else key
    attended = (2 * query + key + values) * (FLOAT32 if is_cast else size)
    copy = query * size if scores in ("copied", "repeated") else 0
    return attended + copy + FLOAT32 * shape.heads
