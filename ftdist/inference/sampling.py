"""Top-p sampling in which each text depends on its own seed and not on its batch."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor, TopPLogitsWarper

TOP_P = 0.95
"""Nucleus probability; the temperature is 1."""


class SeededTopPSampling(LogitsProcessor):  # type: ignore[misc] # transformers has no types
    """Turns greedy decoding into sampling, with one random generator per row of a batch.

    The token with the largest log-probability plus Gumbel noise is a sample of the distribution.
    Source: Gumbel, Statistical theory of extreme values (1954).

    Args:
        seeds: one per row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._top_p = TopPLogitsWarper(TOP_P)

    def __call__(
        self, input_ids: Int[Tensor, "text token"], scores: Float[Tensor, "text vocab"]
    ) -> Float[Tensor, "text vocab"]:
        """Scores whose largest is the sampled token."""
        nucleus: Tensor = self._top_p(input_ids, scores.float())
        exponentials = [
            torch.empty(scores.shape[1]).exponential_(generator=generator)
            for generator in self._generators
        ]
        return nucleus - torch.stack(exponentials).to(scores.device).log()
