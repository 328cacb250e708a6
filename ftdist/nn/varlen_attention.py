"""Attention over a packed row in one launch: torch's flash attention for GPUs, with borders."""

import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ftdist.nn.attention_arguments import borders_of, refuse

VARLEN = "ftdist_varlen"
"""Name under which transformers finds `attend_varlen`."""

MAX_WIDTH = 256
"""Of a head; the kernel takes no wider ones."""

_WIDTH_MULTIPLE = 8
"""The kernel takes heads of such widths; others are padded with zeros."""


def attend_varlen(
    module: Any,  # noqa: ARG001 - part of transformers' interface
    query: Float[Tensor, "1 heads tokens width"],
    key: Float[Tensor, "1 key_heads tokens width"],
    value: Float[Tensor, "1 key_heads tokens value_width"],
    attention_mask: Tensor | None,  # noqa: ARG001 - transformers makes none for this kernel
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "1 tokens heads value_width"], None]:
    """Causal attention inside each sample of one row, as transformers calls its kernels.

    Args:
        module: the attention layer.
        query: of the whole row, in 16 bit; keys and values may have fewer heads.
        key: of the whole row.
        value: of the whole row.
        attention_mask: not used.
        scaling: of scores; None: 1 / sqrt(width).
        sliding_window: maximum tokens that a token attends to, itself included; None: no limit.
        **others: `cu_seq_lens_q` and `max_length_q`: the borders, and tokens of the longest sample.
            Options of other kernels are ignored, but for those that are refused.

    Raises:
        ModelError: the layer caps scores, drops some or has sinks, or the model did not pass the
            borders on.
    """
    refuse("varlen", others, ("s_aux", "softcap", "dropout"))
    borders, longest = borders_of(others), int(others["max_length_q"])
    width, value_width = query.shape[-1], value.shape[-1]
    padded = -(-max(width, value_width) // _WIDTH_MULTIPLE) * _WIDTH_MULTIPLE
    q, k, v = (_rows(states, padded) for states in (query, key, value))
    kernel = varlen_attn()
    assert kernel is not None, "attention_kernel has looked"
    options: dict[str, Any] = {}
    groups = q.shape[1] // k.shape[1]
    if groups > 1 and "enable_gqa" in _parameters(kernel):
        options["enable_gqa"] = True
    elif groups > 1:  # torch 2.11
        k, v = (states.repeat_interleave(groups, dim=1) for states in (k, v))
    # Tokens before and after one's own; -1: all.
    before = -1 if sliding_window is None or longest <= sliding_window else sliding_window - 1
    options["window_size"] = (before, 0)
    options["scale"] = width**-0.5 if scaling is None else scaling
    out: Tensor = kernel(q, k, v, borders, borders, longest, longest, **options)
    return out[None, ..., :value_width], None


@cache
def varlen_attn() -> Callable[..., Any] | None:
    """Torch's kernel, where this torch has one with sliding windows: from 2.11 on."""
    try:
        kernel: Callable[..., Any] = import_module("torch.nn.attention.varlen").varlen_attn
    except (ImportError, AttributeError):
        return None
    return kernel if "window_size" in _parameters(kernel) else None


@cache
def _parameters(kernel: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(kernel).parameters)


def _rows(states: Tensor, width: int) -> Tensor:
    """Tokens first, heads second, padded to `width`."""
    rows = states[0].transpose(0, 1)
    return functional.pad(rows, (0, width - rows.shape[-1])) if rows.shape[-1] < width else rows
