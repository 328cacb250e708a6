"""What is proven of the model at hand before its first step, on one short row.

1. The chunked head gives the loss that the model's own forward gives. Families differ in
   soft-capping, logit scale and head bias; where they disagree, the model's own head is used.
2. A sample's logits in a packed row are those it has alone. A model whose attention (or
   recurrence) crosses a sample's border is refused.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from ftdist.data.collate import Batch, build_batch
from ftdist.data.packed_dataset import PackedSequence
from ftdist.dist.collectives import max_over_ranks
from ftdist.errors import ConfigError, ModelError
from ftdist.nn.model import Head
from ftdist.plan.plan import Plan
from ftdist.train.dataloader import PADDING
from ftdist.zero.engine import Zero3Engine

RELATIVE_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
"""How far two ways to the same loss may lie apart by rounding alone."""

LEAK_SHARE = 0.25
"""Share of a deliberate leak's effect that rounding may reach."""

SAMPLE_TOKENS = (9, 14)
"""Lengths of the two samples in the row; unequal, so that swapped borders show."""


@dataclass(frozen=True, kw_only=True)
class HeadCheck:
    """Outcome of the comparison of heads."""

    head: Head
    """The head that is used from now on."""

    difference: float
    """Relative difference between the two heads' losses; NaN where only one exists."""

    @property
    def told(self) -> str:
        """Both, for the log."""
        return f"{self.head} head (relative difference {self.difference:.1e})"


def check_model(engine: Zero3Engine, *, vocab_size: int, dtype: str, wanted_head: str) -> HeadCheck:
    """Choose the head and prove that samples in a row do not see each other. Collective.

    Args:
        engine: freshly built.
        vocab_size: of the model.
        dtype: "float32" or "bfloat16", which sets the tolerance between heads.
        wanted_head: `model.head` of the config.

    Raises:
        ModelError: the chunked head was asked for and gives another loss, or packing leaks.
    """
    samples = [_sample(tokens, vocab_size=vocab_size) for tokens in SAMPLE_TOKENS]
    row = _row(samples, engine)
    check = _check_head(engine, row, wanted=wanted_head, tolerance=RELATIVE_TOLERANCE[dtype])
    _check_borders(engine, samples)
    return check


def refuse_base_without_chunks(check: HeadCheck, plan: Plan) -> None:
    """Refuse sources that follow the base where the model's own head computes the loss.

    Raises:
        ConfigError: they do.
    """
    followers = [source.name for source in plan.library.sources if source.kl_to_base]
    if followers and check.head != "chunked":
        raise ConfigError(
            f"library.kl_to_base ({', '.join(followers)}) compares two models chunk by chunk, "
            "and this model's logits are capped, scaled or asked for whole (model.head).",
            remedy="leave library.kl_to_base empty: such sources are learned word by word then.",
        )


def frozen_told(engine: Zero3Engine) -> str:
    """What is trained and what is not, for people; a parameter with several names is named."""
    whole = sum(int(parameter.ds_numel) for _, parameter in engine.named_parameters())
    trained = engine.trained_parameters
    shared = [" and ".join(names) for names in engine.frozen.values() if len(names) > 1]
    one = "".join(f"; {names} are one parameter, and frozen" for names in shared)
    return (
        f"{trained:,} of {whole:,} parameters are trained ({trained / whole:.1%}); "
        f"optim.freeze_params keeps {len(engine.frozen)} tensors as the base has them{one}"
    )


def _check_borders(engine: Zero3Engine, samples: list[PackedSequence]) -> None:
    """Compare the second sample's logits in the row with those it has alone.

    The measure is a leak made on purpose, both samples joined into one: rounding is far smaller
    than that in any dtype, and a leak is about as large.
    """
    first, second = samples
    joined = PackedSequence(
        input_ids=np.concatenate([first.input_ids, second.input_ids]),
        loss=np.concatenate([first.loss, second.loss]),
        lengths=np.array([sum(SAMPLE_TOKENS)]),
    )
    inside = torch.arange(SAMPLE_TOKENS[1], device=engine.device)
    alone = engine.logits(_row([second], engine), inside)
    packed = engine.logits(_row(samples, engine), inside + SAMPLE_TOKENS[0])
    leaking = engine.logits(_row([joined], engine), inside + SAMPLE_TOKENS[0])
    share = max_over_ranks(float((packed - alone).norm() / (leaking - alone).norm()))
    if not share <= LEAK_SHARE:
        raise ModelError(
            f"Samples packed into one row see each other with this model: logits move by "
            f"{share:.0%} of what they move when the samples are joined.",
            remedy="choose model.attention=sdpa or eager, or a model whose attention respects "
            "position ids.",
        )


def _check_head(engine: Zero3Engine, row: Batch, *, wanted: str, tolerance: float) -> HeadCheck:
    if wanted == "chunked" and not engine.can_chunk:
        raise ModelError(
            "model.head=chunked does not fit this model: its output layer is not linear, or caps "
            "its logits.",
            remedy="set model.head=auto or model.head=model.",
        )
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
    return float(engine.evaluate(row)[0])


def _relative(one: float, other: float) -> float:
    # Two losses that are no numbers differ: NaN would pass every comparison.
    difference = abs(one - other) / max(abs(other), 1e-12)
    return difference if math.isfinite(difference) else math.inf
