"""Checks of the loaded model before its first step, on one short row.

1. The chunked head gives the same loss as the model's own forward. Families differ in
   soft-capping, logit scale and head bias; where the losses differ, the model's own head is used.
2. A sample's logits in a packed row are those it has alone. A model whose attention (or
   recurrence) crosses sample boundaries is refused.
3. Where ranks share their rows, they get the losses that one rank gets alone. A model of which not
   every layer that mixes tokens is attention is refused.
"""

import math
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ftdist.data.collate import PAD_MULTIPLE, Batch, build_batch
from ftdist.data.packing import PackedSequence
from ftdist.dist.collectives import max_over_ranks, sum_over_ranks
from ftdist.errors import ConfigError, ModelError
from ftdist.nn.loss import Loss
from ftdist.nn.model import Head
from ftdist.plan.plan import Plan
from ftdist.zero.engine import Zero3Engine

RELATIVE_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
"""Largest difference between two computations of the same loss by rounding alone."""

LEAK_SHARE = 0.25
"""Largest effect of rounding, as a share of the effect of a deliberate leak."""

SAMPLE_TOKENS = (9, 14)
"""Lengths of the two samples in the row; unequal, so that swapped boundaries show."""


@runtime_checkable
class CheckedModel(Protocol):
    """What the checks need of a model: an engine, or a whole model in one process."""

    device: torch.device

    @property
    def head(self) -> Head:
        """The output head that computes the loss."""

    @property
    def can_chunk(self) -> bool:
        """Whether the chunked head fits the model's output embedding."""

    def use_head(self, head: Head) -> None:
        """Compute the loss with this output head from now on."""

    def evaluate(self, batch: Batch) -> Loss:
        """Summed loss of a row, without gradients or dropout. Collective."""

    def logits(self, batch: Batch, positions: Tensor) -> Tensor:
        """Logits at `positions` of a row by the model's own forward, in float32. Collective."""


def choose_head(engine: CheckedModel, *, vocab_size: int, dtype: str, wanted_head: str) -> float:
    """Choose the head, and check that samples in a row do not attend to each other. Collective.

    Args:
        engine: freshly built.
        vocab_size: of the model.
        dtype: "float32" or "bfloat16"; sets the tolerance between heads.
        wanted_head: `model.head` of the config.

    Returns:
        relative difference between the losses of the two heads; NaN where only one exists.

    Raises:
        ModelError: the chunked head was requested and gives another loss, or packing leaks.
    """
    samples = [_sample(tokens, vocab_size=vocab_size) for tokens in SAMPLE_TOKENS]
    row = _row(samples, engine)
    difference = _choose(engine, row, wanted=wanted_head, tolerance=RELATIVE_TOLERANCE[dtype])
    _check_boundaries(engine, samples)
    return difference


def check_shared_rows(engine: Zero3Engine, *, vocab_size: int) -> None:
    """Check that ranks that share a row get the losses of one rank alone. Collective.

    The difference is measured against that of parts that see nothing of each other.

    Raises:
        ModelError: they do not.
    """
    parts, number = engine.world.sequence_parallel_size, engine.world.sequence_parallel_rank
    if parts == 1:
        return
    samples = [_sample(tokens, vocab_size=vocab_size) for tokens in SAMPLE_TOKENS]
    row = build_batch(samples, pad_multiple=PAD_MULTIPLE * parts)
    row = replace(row, sources=torch.arange(len(row.targets))).to(engine.device)
    part = row.part(number, of=parts)
    alone = engine.evaluate(row)[1][part.sources]
    differences = [
        float((engine.evaluate(batch)[1] - alone).pow(2).sum())
        for batch in (part, _apart(part, first=number * part.input_ids.shape[1]))
    ]
    together, apart = sum_over_ranks(differences)
    if not math.sqrt(together) <= LEAK_SHARE * math.sqrt(apart):
        raise ModelError(
            f"{parts} ranks that share a row get other losses than one rank with this model: some "
            "of its layers mix tokens outside of attention.",
            remedy="set batch.sequence_parallel_size=1, or choose a model with attention alone.",
        )


def _apart(part: Batch, *, first: int) -> Batch:
    """A part of a row, from its token `first` on, as a row of its own."""
    tokens = part.input_ids.shape[1]
    borders = (part.cu_seqlens - first).clamp(min=0, max=tokens)
    return replace(part, cu_seqlens=borders, max_seqlen=tokens, parts=1)


def refuse_kl_without_chunked_head(engine: Zero3Engine, plan: Plan) -> None:
    """Refuse KL to the base and to a teacher where the model's own head computes the loss.

    Raises:
        ConfigError: a source is trained by KL or distilled, and the head is not the chunked one.
    """
    if any(source.distilled_tokens for source in plan.library.sources) and engine.head != "chunked":
        raise ConfigError(
            "library.context_distillation needs the chunked head, which does not fit this model "
            "(capped or scaled logits, or model.head=model).",
            remedy="set library.context_distillation=0: answers are trained with cross-entropy "
            "then.",
        )
    kl_sources = [source.name for source in plan.library.sources if source.kl_to_base]
    if kl_sources and engine.head != "chunked":
        raise ConfigError(
            f"library.kl_to_base ({', '.join(kl_sources)}) needs the chunked head, which does "
            "not fit this model (capped or scaled logits, or model.head=model).",
            remedy="leave library.kl_to_base empty: these sources are trained with "
            "cross-entropy then.",
        )


def describe_frozen(engine: Zero3Engine) -> str:
    """How much is trained and how much is frozen; names parameters that have several names."""
    parameters = sum(int(parameter.ds_numel) for _, parameter in engine.named_parameters())
    trained = engine.trained_parameters
    tied = [" and ".join(names) for names in engine.frozen.values() if len(names) > 1]
    tied_note = "".join(f"; {names} are tied, and frozen" for names in tied)
    return (
        f"{trained:,} of {parameters:,} parameters are trained ({trained / parameters:.1%}); "
        f"optim.freeze_params freezes {len(engine.frozen)} tensors{tied_note}"
    )


def _check_boundaries(engine: CheckedModel, samples: list[PackedSequence]) -> None:
    """Compare the second sample's logits in the row with those it has alone.

    The difference is measured against a deliberate leak, both samples joined into one: rounding
    is far smaller than that in any dtype, and a leak is about as large.
    """
    first, second = samples
    joined = PackedSequence.of_sample([*first.input_ids, *second.input_ids], loss=True)
    inside = torch.arange(SAMPLE_TOKENS[1], device=engine.device)
    alone = engine.logits(_row([second], engine), inside)
    packed = engine.logits(_row(samples, engine), inside + SAMPLE_TOKENS[0])
    leaking = engine.logits(_row([joined], engine), inside + SAMPLE_TOKENS[0])
    share = max_over_ranks(float((packed - alone).norm() / (leaking - alone).norm()))
    if not share <= LEAK_SHARE:
        raise ModelError(
            "Samples packed into one row attend to each other with this model: logits change by "
            f"{share:.0%} of their change when the samples are joined.",
            remedy="choose model.attention=sdpa or eager, or a model whose attention respects "
            "position ids.",
        )


def _choose(engine: CheckedModel, row: Batch, *, wanted: str, tolerance: float) -> float:
    if wanted == "chunked" and not engine.can_chunk:
        raise ModelError(
            "model.head=chunked does not fit this model: its output layer is not linear, or its "
            "logits are capped.",
            remedy="set model.head=auto or model.head=model.",
        )
    engine.use_head("model")
    if not engine.can_chunk or wanted == "model":
        return math.nan
    own = _loss(engine, row)
    engine.use_head("chunked")
    difference = max_over_ranks(_relative(_loss(engine, row), own))
    if difference <= tolerance:
        return difference
    if wanted == "chunked":
        raise ModelError(
            f"model.head=chunked gives another loss than the model's own head (relative "
            f"difference {difference:.1e}, tolerance {tolerance:.0e}): its logits are capped or "
            "scaled.",
            remedy="set model.head=auto or model.head=model.",
        )
    engine.use_head("model")
    return difference


def _sample(tokens: int, *, vocab_size: int) -> PackedSequence:
    ids = np.random.default_rng(tokens).integers(0, vocab_size, size=tokens, dtype=np.uint32)
    return PackedSequence.of_sample(ids, loss=True)


def _row(samples: list[PackedSequence], engine: CheckedModel) -> Batch:
    return build_batch(samples).to(engine.device)


def _loss(engine: CheckedModel, row: Batch) -> float:
    return float(engine.evaluate(row)[0])


def _relative(one: float, other: float) -> float:
    # Two NaN losses differ: NaN would pass every comparison.
    difference = abs(one - other) / max(abs(other), 1e-12)
    return difference if math.isfinite(difference) else math.inf
