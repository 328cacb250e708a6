"""Drawing a token by chance, so that a text depends on its own seed and not on its batch."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor, TopPLogitsWarper

TOP_P = 0.95
"""Drawn from are the likeliest tokens that together have this probability, at temperature 1."""


class Draw(LogitsProcessor):  # type: ignore[misc] # transformers has no types
    """Makes the greedy choice of a token a draw, each row of a batch by a generator of its own.

    The token of the largest log-probability plus Gumbel noise is one drawn by its probability.
    Source: Gumbel, Statistical theory of extreme values (1954).

    Args:
        seeds: one a row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._likeliest = TopPLogitsWarper(TOP_P)

    def __call__(
        self, input_ids: Int[Tensor, "text token"], scores: Float[Tensor, "text vocab"]
    ) -> Float[Tensor, "text vocab"]:
        """Scores of which the largest is the one drawn."""
        likely: Tensor = self._likeliest(input_ids, scores.float())
        waits = [
            torch.empty(scores.shape[1]).exponential_(generator=generator)
            for generator in self._generators
        ]
        return likely - torch.stack(waits).to(scores.device).log()
