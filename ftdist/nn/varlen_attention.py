"""Attention over a packed row, one sample at a time: the kernel for CPUs.

A masked kernel computes all T x T scores of a row and then ignores those between samples. With
samples of t tokens this one computes t x t for each, T / t times fewer, and needs no mask. On GPUs
many small launches would cost more than they save; flash attention uses the borders there.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ftdist.errors import ModelError

BY_SAMPLE = "ftdist_by_sample"
"""Name under which transformers finds `attend_by_sample`."""


def register() -> None:
    """Register the kernel with transformers, which makes no mask for kernels it does not know."""
    from transformers import AttentionInterface

    AttentionInterface.register(BY_SAMPLE, attend_by_sample)


def attend_by_sample(
    module: Any,  # noqa: ARG001 - part of transformers' interface
    query: Float[Tensor, "1 heads tokens width"],
    key: Float[Tensor, "1 key_heads tokens width"],
    value: Float[Tensor, "1 key_heads tokens value_width"],
    attention_mask: Tensor | None,  # noqa: ARG001 - transformers makes none for this kernel
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "1 tokens heads value_width"], None]:
    """Causal attention inside each sample of one row, as transformers calls its kernels.

    Args:
        module: the attention layer.
        query: of the whole row; keys and values may have fewer heads (grouped-query attention).
        key: of the whole row.
        value: of the whole row.
        attention_mask: not used.
        dropout: probability, in training.
        scaling: of scores; None: 1 / sqrt(width).
        sliding_window: maximum tokens that a token attends to, itself included; None: no limit.
        **others: `cu_seq_lens_q`, the borders; options of other kernels are ignored.

    Raises:
        ModelError: the layer's scores are capped, or the model did not pass the borders on.
    """
    outputs = []
    for start, end in pairwise(_borders(others).tolist()):
        if start == end:
            continue
        mask = _window(end - start, sliding_window, device=query.device)
        outputs.append(
            functional.scaled_dot_product_attention(
                query[:, :, start:end],
                key[:, :, start:end],
                value[:, :, start:end],
                attn_mask=mask,
                dropout_p=dropout,
                is_causal=mask is None,
                scale=scaling,
                enable_gqa=key.shape[1] != query.shape[1],
            )
        )
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def _borders(options: Mapping[str, Any]) -> Tensor:
    """The borders among the options of an attention call, which must not cap the scores."""
    if options.get("softcap") is not None:
        raise ModelError(
            "model.attention=by_sample has no soft cap of scores, which this model has.",
            remedy="set model.attention=eager.",
        )
    borders: Tensor | None = options.get("cu_seq_lens_q")
    if borders is None:
        raise ModelError(
            "This model does not pass the borders of samples to its attention layers.",
            remedy="set model.attention=sdpa, or eager.",
        )
    return borders


def _window(tokens: int, sliding_window: int | None, *, device: torch.device) -> Tensor | None:
    """The attention mask of a sample longer than the sliding window; None: plain causal."""
    if sliding_window is None or tokens <= sliding_window:
        return None
    ones = torch.ones(tokens, tokens, dtype=torch.bool, device=device)
    return ones.tril() & ones.triu(1 - sliding_window)
