"""Summed token losses: cross-entropy, and KL divergence from a reference model."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ftdist.nn.logits_chunk import logits_chunk_rows

Loss = tuple[Float[Tensor, ""], Float[Tensor, " losses"]]
"""The weighted sum over the tokens, which is differentiable, and each token's losses, which are
detached and not weighted: of each target, then of each reference state.

float32, in nats. A sum, not a mean: micro-batches hold different numbers of loss tokens, so a mean
of their means would weigh short answers more. The caller divides by the step's count.
Source: https://huggingface.co/blog/gradient_accumulation.
"""


@dataclass(frozen=True)
class ReferenceStates:
    """The reference model's last hidden states at some positions, and its output embedding.

    Together they give its distribution over the next token there. They get no gradient.
    """

    hidden: Float[Tensor, "token reference_width"]
    head: Float[Tensor, "vocab reference_width"]
    bias: Float[Tensor, " vocab"] | None
    weight: float = 1.0
    """Factor on the loss of rows that have no target."""

    distilled: int = 0
    """How many of the first states are of rows that have a target too, the last ones that do."""

    distillation: float = 0.0
    """Weight w of the divergence in their loss, (1 - w) cross-entropy + w KL."""


def summed_loss(
    hidden: Float[Tensor, "token width"],
    head: Float[Tensor, "vocab width"],
    targets: Int[Tensor, " target"],
    *,
    bias: Float[Tensor, " vocab"] | None = None,
    reference: ReferenceStates | None = None,
) -> Loss:
    """Losses of the next token, without holding all logits.

    The first rows of `hidden` get the negative log-likelihood of `targets`, the last ones
    KL(reference || model), multiplied by `reference.weight` in the sum. The `reference.distilled`
    rows between get both, weighted by `reference.distillation`.

    Logits are computed in chunks, and with each chunk its gradient, in the forward pass: the
    backward pass needs neither logits nor either head again. That takes three matrix products of
    the head, the fewest possible. Logits and gradients have the dtype of `hidden`; losses, and the
    head's gradient over several chunks, are summed in float32. Inputs without `requires_grad`
    get no gradient computed, and none do without grad mode.

    Without tokens the sum is 0.0 and still depends on every input, so that a rank without loss
    tokens takes part in the backward pass, with gradients of zero. The backward pass runs once.

    Args:
        hidden: last hidden states of the loss tokens only, any float dtype.
        head: output embedding, of the same dtype; under ZeRO-3 the caller holds it gathered.
        targets: token ids in [0, vocab), at most as many as rows of `hidden`.
        bias: of the output embedding, where the model has one.
        reference: the reference model at the last rows; its width may differ.

    Raises:
        ValueError: there are more or fewer rows than targets and reference states.
        RuntimeError: on CPU, for a target outside [0, vocab). CUDA stops the process instead,
            with a device-side assert.
    """
    followed = 0 if reference is None else len(reference.hidden)
    both = 0 if reference is None else reference.distilled
    if len(hidden) != len(targets) + followed - both or both > min(len(targets), followed):
        raise ValueError(
            f"{len(hidden)} rows for {len(targets)} targets and {followed} reference states, "
            f"{both} of them distilled"
        )
    learns = torch.is_grad_enabled()  # always False inside a Function
    loss: Loss = _ChunkedLoss.apply(hidden, head, bias, targets, reference, learns)  # type: ignore[no-untyped-call]
    return loss


class _ChunkedLoss(torch.autograd.Function):
    """See `summed_loss`. The second result is marked as not differentiable."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        reference: ReferenceStates | None,
        learns: bool,
    ) -> tuple[Tensor, Tensor]:
        """The loss; stores the unscaled gradients of the inputs that need them."""
        both = 0 if reference is None else reference.distilled
        losses = torch.zeros(len(hidden) + both, dtype=torch.float32, device=hidden.device)
        rows = logits_chunk_rows(len(head), device=hidden.device.type)
        wanted = [learns and needed for needed in ctx.needs_input_grad[:3]]
        gradients = _Gradients(hidden, head, bias, wanted=wanted, sums_chunks=len(hidden) > rows)
        first = len(targets) - both
        for part in _chunks(len(hidden), rows, borders=(first, len(targets))):
            # In place from here on: log-probabilities become the gradient of the logits.
            scores = _log_probabilities(hidden[part], head, bias)
            after = slice(part.start - first, part.stop - first)
            moved = slice(part.start + both, part.stop + both)
            if part.start < first:
                losses[part] = _cross_entropy(scores, targets[part], learns=any(wanted))
            elif part.start < len(targets):
                assert reference is not None
                losses[part], losses[moved] = _distillation(
                    scores, targets[part], reference, after, learns=any(wanted)
                )
            else:
                assert reference is not None
                losses[moved] = _divergence(scores, reference, after, learns=any(wanted))
            if any(wanted):
                gradients.add(part, scores)
        ctx.dtype = hidden.dtype
        ctx.gradients = gradients.all
        ctx.mark_non_differentiable(losses)
        return _weighted_sum(losses, len(targets), reference), losses

    @staticmethod
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """The stored gradients, scaled; they are freed, since the graph may outlive this call."""
        gradients, ctx.gradients = ctx.gradients, None
        scaled = (None if g is None else g.mul_(scale).to(ctx.dtype) for g in gradients)
        return (*scaled, None, None, None)


class _Gradients:
    """Gradients of hidden states, head and bias, summed over chunks; None where not wanted."""

    def __init__(
        self,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        *,
        wanted: list[bool],
        sums_chunks: bool,
    ) -> None:
        self._inputs = hidden, head
        dtype = torch.float32 if sums_chunks else head.dtype
        self._hidden = torch.zeros_like(hidden) if wanted[0] else None
        self._head = torch.zeros_like(head, dtype=dtype) if wanted[1] else None
        self._bias = None
        if bias is not None and wanted[2]:
            self._bias = torch.zeros_like(bias, dtype=torch.float32)

    def add(self, part: slice, of_logits: Tensor) -> None:
        """Add those of the rows `part`, from the gradient of their logits in float32."""
        hidden, head = self._inputs
        if self._bias is not None:
            self._bias += of_logits.sum(dim=0)
        of_logits = of_logits.to(hidden.dtype)
        if self._hidden is not None:
            torch.mm(of_logits, head, out=self._hidden[part])
        if self._head is None:
            return
        if self._head.dtype == hidden.dtype:
            self._head.addmm_(of_logits.T, hidden[part])
        else:
            self._head += of_logits.T @ hidden[part]

    @property
    def all(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Of hidden states, head and bias."""
        return self._hidden, self._head, self._bias


def _chunks(total: int, rows: int, *, borders: tuple[int, ...]) -> Iterator[slice]:
    """Parts of at most `rows` of `total` rows; none reaches over a border."""
    for first, end in pairwise((0, *borders, total)):
        for start in range(first, end, rows):
            yield slice(start, min(start + rows, end))


def _cross_entropy(scores: Tensor, targets: Tensor, *, learns: bool) -> Tensor:
    """Losses of log-probabilities, which become their gradient, model - target, if it `learns`."""
    chosen = targets[:, None]
    losses = -scores.gather(1, chosen)[:, 0]
    if learns:
        scores.exp_().scatter_add_(1, chosen, scores.new_full((1, 1), -1.0).expand_as(chosen))
    return losses


def _divergence(scores: Tensor, reference: ReferenceStates, part: slice, *, learns: bool) -> Tensor:
    """Losses of log-probabilities, which become their gradient, model - reference."""
    log_reference = _log_probabilities(reference.hidden[part], reference.head, reference.bias)
    probabilities = log_reference.exp()
    losses = (log_reference.sub_(scores).mul_(probabilities)).sum(dim=-1)
    if learns:
        scores.exp_().sub_(probabilities)
        if reference.weight != 1:
            scores.mul_(reference.weight)
    return losses


def _distillation(
    scores: Tensor, targets: Tensor, reference: ReferenceStates, part: slice, *, learns: bool
) -> tuple[Tensor, Tensor]:
    """Cross-entropy and divergence of log-probabilities.

    These become the gradient of their weighted sum: model - (1 - w) target - w reference.
    """
    weight, chosen = reference.distillation, targets[:, None]
    log_reference = _log_probabilities(reference.hidden[part], reference.head, reference.bias)
    probabilities = log_reference.exp()
    cross_entropy = -scores.gather(1, chosen)[:, 0]
    divergence = (log_reference.sub_(scores).mul_(probabilities)).sum(dim=-1)
    if learns:
        of_target = scores.new_full((1, 1), weight - 1).expand_as(chosen)
        scores.exp_().sub_(probabilities.mul_(weight)).scatter_add_(1, chosen, of_target)
    return cross_entropy, divergence


def _weighted_sum(losses: Tensor, targets: int, reference: ReferenceStates | None) -> Tensor:
    if reference is None or (reference.weight == 1 and not reference.distilled):
        return losses.sum()
    both, weight = reference.distilled, reference.distillation
    hard, mixed, soft, rest = losses.split(
        [targets - both, both, both, len(losses) - targets - both]
    )
    loss: Tensor = hard.sum() + reference.weight * rest.sum()
    loss += (1 - weight) * mixed.sum() + weight * soft.sum()
    return loss


def _log_probabilities(hidden: Tensor, head: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(hidden, head, bias).log_softmax(dim=-1, dtype=torch.float32)
