"""Batches of token id rows of similar length, padded on the left."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor


def by_length(prompts: Sequence[list[int]], *, batch: int) -> Iterator[list[int]]:
    """Indices of the prompts in batches of similar length, the longest first."""
    indices = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    for start in range(0, len(indices), batch):
        yield indices[start : start + batch]


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
