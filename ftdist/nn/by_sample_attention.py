"""Attention over a packed row, one sample at a time: the kernel for CPUs.

A masked kernel computes all T x T scores of a row and then ignores those between samples. With
samples of t tokens this one computes t x t for each, T / t times fewer, and needs no mask of the
row. On GPUs many small launches take their time; there it is for what no other kernel can do.
"""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ftdist.nn.attention_arguments import borders_of, refuse

BY_SAMPLE = "ftdist_by_sample"
"""Name under which transformers finds `attend_by_sample`."""


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
        **others: `cu_seq_lens_q`, the borders; `softcap`, a c that limits scores s to
            c tanh(s / c). Options of other kernels are ignored.

    Raises:
        ModelError: the layer has attention sinks, or the model did not pass the borders on.
    """
    refuse("by_sample", others, ("s_aux",))
    softcap = others.get("softcap")
    options: dict[str, Any] = {"dropout": dropout, "scaling": scaling}
    outputs = []
    for start, end in pairwise(borders_of(others).tolist()):
        if start == end:
            continue
        q, k, v = (states[:, :, start:end] for states in (query, key, value))
        mask = _window(end - start, sliding_window, device=query.device)
        if softcap is None:
            outputs.append(_attend(q, k, v, mask, **options))
        else:
            outputs.append(_attend_capped(q, k, v, mask, softcap=softcap, **options))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    dropout: float,
    scaling: float | None,
) -> Tensor:
    dtype = query.dtype
    if query.device.type == "cpu":  # in bfloat16 torch's kernel takes twice as long
        query, key, value = query.float(), key.float(), value.float()
    if _repeats_keys(query.device.type):
        key, value = _for_every_head(key, value, heads=query.shape[1])
    attended = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )
    return attended.to(dtype)


def _attend_capped(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    dropout: float,
    scaling: float | None,
    softcap: float,
) -> Tensor:
    """No fused kernel of torch caps scores: these are computed, all of the sample."""
    key, value = _for_every_head(key, value, heads=query.shape[1])
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = softcap * torch.tanh(query @ key.transpose(2, 3) * (scale / softcap))
    tokens = query.shape[2]
    if mask is None:
        mask = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1, dtype=torch.float32)
    return functional.dropout(weights.to(query.dtype), p=dropout) @ value


def _repeats_keys(device: str) -> bool:
    """Whether keys and values are copied for the heads that share them.

    On GPUs flash attention alone knows shared ones, and it takes neither float32 nor masks: torch
    would store all scores. With copies its memory-efficient kernel runs.
    """
    return device == "cuda"


def _for_every_head(key: Tensor, value: Tensor, *, heads: int) -> tuple[Tensor, Tensor]:
    groups = heads // key.shape[1]
    if groups == 1:
        return key, value
    return key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)


def _window(tokens: int, sliding_window: int | None, *, device: torch.device) -> Tensor | None:
    """The attention mask of a sample longer than the sliding window; None: plain causal."""
    if sliding_window is None or tokens <= sliding_window:
        return None
    ones = torch.ones(tokens, tokens, dtype=torch.bool, device=device)
    return ones.tril() & ones.triu(1 - sliding_window)
