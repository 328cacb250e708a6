"""What is proven of the model at hand before its first step, on one short row.

1. The chunked head gives the loss that the model's own forward gives. Families differ in
   soft-capping, logit scale and head bias; where they disagree, the model's own head is used.
2. A packed row's loss is the sum of its samples' losses alone. A model whose attention (or
   recurrence) crosses a sample's border is refused.
"""

import math
from dataclasses import dataclass

import numpy as np

from ftdist.data.batch import Batch, build_batch
from ftdist.data.packed import PackedSequence
from ftdist.dist.collectives import max_over_ranks
from ftdist.errors import ModelError
from ftdist.model import Head
from ftdist.train.batches import PADDING
from ftdist.zero.engine import Zero3Engine

RELATIVE_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
"""How far two ways to the same loss may lie apart by rounding alone."""

SAMPLE_TOKENS = (9, 14)
"""Lengths of the two samples in the row; unequal, so that swapped borders show."""


@dataclass(frozen=True, kw_only=True)
class HeadCheck:
    """Outcome of the comparison of heads."""

    head: Head
    """The head that is used from now on."""

    difference: float
    """Relative difference between the two heads' losses; NaN where only one exists."""


def check_model(engine: Zero3Engine, *, vocab_size: int, dtype: str, wanted_head: str) -> HeadCheck:
    """Choose the head and prove that samples in a row do not see each other. Collective.

    Args:
        engine: freshly built.
        vocab_size: of the model.
        dtype: "float32" or "bfloat16", which sets the tolerance.
        wanted_head: `model.head` of the config.

    Raises:
        ModelError: the chunked head was asked for and gives another loss, or packing leaks.
    """
    tolerance = RELATIVE_TOLERANCE[dtype]
    samples = [_sample(tokens, vocab_size=vocab_size) for tokens in SAMPLE_TOKENS]
    row = _row(samples, engine)
    check = _check_head(engine, row, wanted=wanted_head, tolerance=tolerance)
    packed = _loss(engine, row)
    alone = sum(_loss(engine, _row([sample], engine)) for sample in samples)
    leak = max_over_ranks(_relative(packed, alone))
    if not leak <= tolerance:
        raise ModelError(
            f"Samples packed into one row change each other's loss with this model: {packed:.4f} "
            f"together, {alone:.4f} apart (relative difference {leak:.1e}, tolerance "
            f"{tolerance:.0e}).",
            remedy="choose model.attention=sdpa, or a model whose attention respects position ids.",
        )
    return check


def _check_head(engine: Zero3Engine, row: Batch, *, wanted: str, tolerance: float) -> HeadCheck:
    if not engine.can_chunk or wanted == "model":
        engine.use_head("model")
        return HeadCheck(head="model", difference=float("nan"))
    engine.use_head("model")
    own = _loss(engine, row)
    engine.use_head("chunked")
    difference = max_over_ranks(_relative(_loss(engine, row), own))
    if difference <= tolerance:
        return HeadCheck(head="chunked", difference=difference)
    if wanted == "chunked":
        raise ModelError(
            f"model.head=chunked gives another loss than the model's own head (relative "
            f"difference {difference:.1e}, tolerance {tolerance:.0e}): its logits are capped or "
            "scaled.",
            remedy="set model.head=auto or model.head=model.",
        )
    engine.use_head("model")
    return HeadCheck(head="model", difference=difference)


def _sample(tokens: int, *, vocab_size: int) -> PackedSequence:
    ids = np.random.default_rng(tokens).integers(0, vocab_size, size=tokens, dtype=np.uint32)
    return PackedSequence(
        input_ids=ids, loss=np.ones(tokens, dtype=bool), lengths=np.array([tokens])
    )


def _row(samples: list[PackedSequence], engine: Zero3Engine) -> Batch:
    return build_batch(samples, pad_token_id=PADDING).to(engine.device)


def _loss(engine: Zero3Engine, row: Batch) -> float:
    return float(engine.evaluate(row))


def _relative(one: float, other: float) -> float:
    # Two losses that are no numbers differ: NaN would pass every comparison.
    difference = abs(one - other) / max(abs(other), 1e-12)
    return difference if math.isfinite(difference) else math.inf
