"""Packed sequences made of numbers alone, and plain torch's answer for them."""

from collections.abc import Sequence

import numpy as np

from ftdist.data.packing import PackedSequence
from tests.support.models.tiny_models import VOCAB


def sequences(count: int, *, seed: int = 0) -> list[PackedSequence]:
    """`count` packed sequences of two samples each; the fourth has no loss tokens at all."""
    draw = np.random.default_rng(seed)
    made = []
    for number in range(count):
        lengths = np.array([7 + number, 12])
        tokens = int(lengths.sum())
        learned = draw.random(tokens) < 0.6
        learned[[1, int(lengths[0]) + 1]] = True
        if number == 3:
            learned[:] = False
        made.append(
            PackedSequence(
                input_ids=draw.integers(1, VOCAB, size=tokens, dtype=np.uint32),
                loss=learned,
                lengths=lengths,
            )
        )
    return made


def loss_tokens(rows: Sequence[PackedSequence]) -> int:
    """Learned tokens that something in their sample predicts."""
    total = 0
    for row in rows:
        learned = row.loss.copy()
        learned[np.cumsum(row.lengths) - row.lengths] = False
        total += int(learned.sum())
    return total
