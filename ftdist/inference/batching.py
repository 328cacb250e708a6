"""Batches of token id rows of similar length, padded on the left."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

MAX_PROMPT_TOKENS = 8192
"""Of the prompts of a batch, padded: long ones need much memory for keys and values."""


def by_length(
    prompts: Sequence[list[int]], *, batch: int, max_tokens: int | None = None
) -> Iterator[list[int]]:
    """Indices of the prompts in batches of similar length, the longest first.

    Args:
        prompts: token ids.
        batch: most prompts of a batch.
        max_tokens: of a batch with its padding, unless one prompt alone has more; None: any.
    """
    indices = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    start = 0
    while start < len(indices):
        longest = max(1, len(prompts[indices[start]]))
        size = batch if max_tokens is None else max(1, min(batch, max_tokens // longest))
        yield indices[start : start + size]
        start += size


def left_padded(
    prompts: Sequence[list[int]], *, pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "question token"], Int[Tensor, "question token"]]:
    """Token ids, and a mask that is 0 on the padding before them."""
    longest = max(len(prompt) for prompt in prompts)
    gaps = [longest - len(prompt) for prompt in prompts]
    ids = [[pad_id] * gap + p for gap, p in zip(gaps, prompts, strict=True)]
    mask = [[0] * gap + [1] * len(p) for gap, p in zip(gaps, prompts, strict=True)]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def positions(mask: Int[Tensor, "question token"]) -> Int[Tensor, "question token"]:
    """Positions that count from a row's first real token."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)
