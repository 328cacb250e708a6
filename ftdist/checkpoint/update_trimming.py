"""Which elements of an update are left out of a merged model: the largest, or the smallest.

Sources: Sun et al. 2025, "How new data permeates LLM knowledge and how to dilute it",
https://arxiv.org/abs/2504.09522 (leaving the largest out); Yadav et al. 2023, "TIES-Merging",
https://arxiv.org/abs/2306.01708 (keeping only the largest).
"""

import torch
from torch import Tensor

_CHUNK = 2**22
"""Elements among which ties are counted at a time."""


def trim_mask(update: Tensor, *, largest: float, smallest: float) -> Tensor:
    """True where an element of the update is left out.

    Exactly `round(share * n)` of `n` elements are left out at each end. bfloat16 weights make many
    updates equally large: of those at the edge, evenly spaced ones are left out. Besides the update
    three copies of it are in memory.

    Args:
        update: tuned - base, float32, of any shape.
        largest: share of the elements, by magnitude.
        smallest: share of the elements; the two make less than 1.

    Returns:
        Of the update's shape.
    """
    magnitudes = update.abs().reshape(-1)
    left_out = _smallest_mask(-magnitudes, round(largest * update.numel()))
    magnitudes.masked_fill_(left_out, torch.inf)
    left_out |= _smallest_mask(magnitudes, round(smallest * update.numel()))
    return left_out.reshape(update.shape)


def _smallest_mask(values: Tensor, count: int) -> Tensor:
    """True at the `count` smallest of flat values."""
    if count == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    ordered = values.numpy().copy()
    ordered.partition(count - 1)  # selects in linear time, in place
    edge = float(ordered[count - 1])
    del ordered
    mask = values < edge
    num_ties = int((values == edge).sum())
    wanted = count - int(mask.sum())
    seen = 0
    for part, marks in zip(values.split(_CHUNK), mask.split(_CHUNK), strict=True):
        at_edge = part == edge
        ranks = torch.arange(seen, seen + int(at_edge.sum()))
        marks[at_edge] = (ranks + 1) * wanted // num_ties > ranks * wanted // num_ties
        seen += len(ranks)
    return mask
