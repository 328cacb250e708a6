"""One optimizer step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ftdist.data.collate import Batch
from ftdist.zero.engine import Zero3Engine


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one step measured."""

    loss_sums: Float[Tensor, " source"]
    """Loss of this rank's loss tokens, summed for each source, in nats, not weighted; float32.

    Those of distilled tokens are not among them."""

    distilled_sums: Float[Tensor, "2 source"]
    """Cross-entropy of this rank's distilled tokens, and KL(teacher || model), likewise."""

    grad_norm: Float[Tensor, ""]
    """L2 norm of the whole gradient before clipping; on the device."""

    skipped: bool
    """Whether the update was skipped because a gradient is not finite."""


def train_step(
    engine: Zero3Engine, micro_batches: Sequence[Batch], *, loss_tokens: int, sources: int = 1
) -> StepResult:
    """Update the parameters once, giving every loss token of every rank the same weight.

    A token's loss is its negative log-likelihood, or KL(reference || model) times
    `library.kl_to_base_weight` where its source is trained by KL, or of an answer with a teacher
    both, weighted by `library.context_distillation`.

    Collective: every rank calls it, with equally many micro-batches (an empty one has no loss
    tokens).

    Args:
        engine: holds the parameters.
        micro_batches: this rank's part of the global batch.
        loss_tokens: of the whole global batch; arithmetic on the packed index, no all-reduce.
        sources: number of sources.
    """
    sums = torch.zeros(3 * sources, dtype=torch.float32, device=engine.device)
    for number, batch in enumerate(micro_batches, start=1):
        loss_sum, losses = engine.forward(batch)
        engine.backward(loss_sum / loss_tokens, is_last=number == len(micro_batches))
        sums.index_add_(0, _groups(batch, sources), losses)
    grad_norm, skipped = engine.step()
    return StepResult(
        loss_sums=sums[:sources],
        distilled_sums=sums[sources:].view(2, sources),
        grad_norm=grad_norm,
        skipped=skipped,
    )


def _groups(batch: Batch, sources: int) -> Tensor:
    """Which sum each loss of a batch belongs to: its source's; from `sources` on if distilled."""
    if not batch.distilled:
        return batch.sources
    targets = len(batch.targets)
    hard, both, rest = batch.sources.tensor_split([targets - batch.distilled, targets])
    return torch.cat([hard, both + sources, both + 2 * sources, rest])


def seed_step(seed: int, *, step: int, rank: int) -> None:
    """Make a step's random draws (dropout) a function of (seed, step, rank): no state to save."""
    (state,) = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))
