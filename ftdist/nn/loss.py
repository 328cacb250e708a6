"""Summed token losses: cross-entropy, and KL divergence from a reference model."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions, functional

from ftdist.nn.logits_chunk import logits_chunk_rows

Loss = tuple[Float[Tensor, ""], Float[Tensor, " loss_token"]]
"""The sum over the tokens, which is differentiable, and the loss of each token, which is detached.

float32, in nats. A sum, not a mean: micro-batches hold different numbers of loss tokens, so a mean
of their means would weigh short answers more. The caller divides by the step's count.
Source: https://huggingface.co/blog/gradient_accumulation.
"""


def summed_cross_entropy(
    hidden: Float[Tensor, "token width"],
    head: Float[Tensor, "vocab width"],
    targets: Int[Tensor, " token"],
    bias: Float[Tensor, " vocab"] | None = None,
) -> Loss:
    """Negative log-likelihood of `targets`, without materialising all logits.

    Args:
        hidden: last hidden states of the loss tokens only, any float dtype.
        head: output embedding; under ZeRO-3 the caller holds it gathered.
        targets: token ids in [0, vocab).
        bias: of the output embedding, where the model has one.

    Returns:
        sum and parts. Summed here: `reduction="sum"` of the chunked torch function returns the
        input's dtype, which in bfloat16 is off by a percent. Without tokens the sum is 0.0 and
        still depends on every input, so that a rank without loss tokens takes part in the
        backward pass, with gradients of zero.

    Raises:
        RuntimeError: on CPU, for a target outside [0, vocab). CUDA stops the process instead,
            with a device-side assert.
    """
    if targets.numel() == 0:
        nothing = 0.0 * hidden.float().sum() + 0.0 * head[0].float().sum()
        nothing = nothing if bias is None else nothing + 0.0 * bias.float().sum()
        return nothing, nothing.detach().expand(0)
    chunked = LinearCrossEntropyOptions(batch_chunk_size=logits_chunk_rows(len(head)))
    losses = functional.linear_cross_entropy(
        hidden, head, targets, linear_bias=bias, reduction="none", options=chunked
    ).float()
    return losses.sum(), losses.detach()


@dataclass(frozen=True)
class ReferenceStates:
    """The reference model's last hidden states at some positions, and its output embedding.

    Together they give its distribution over the next token there. They get no gradient.
    """

    hidden: Float[Tensor, "token reference_width"]
    head: Float[Tensor, "vocab reference_width"]
    bias: Float[Tensor, " vocab"] | None


def summed_divergence(
    hidden: Float[Tensor, "token width"],
    head: Float[Tensor, "vocab width"],
    reference: ReferenceStates,
    bias: Float[Tensor, " vocab"] | None = None,
) -> Loss:
    """KL(reference || model) of the next token's distribution, without materialising all logits.

    Torch's chunked head takes no distributions as targets. Here each chunk's gradient is computed
    with its loss (of the logits it is model - reference) and stored multiplied by the head, so that
    neither logits nor the reference's head are needed again in the backward pass.

    Args:
        hidden: last hidden states at the positions of `reference`, any float dtype.
        head: output embedding; under ZeRO-3 the caller holds it gathered.
        reference: the same of the reference model; its width may differ.
        bias: of the output embedding, where the model has one.
    """
    learns = torch.is_grad_enabled()  # always False inside a Function
    loss: Loss = _Divergence.apply(hidden, head, bias, reference, learns)  # type: ignore[no-untyped-call]
    return loss


class _Divergence(torch.autograd.Function):
    """See `summed_divergence`. The second result is marked as not differentiable."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        reference: ReferenceStates,
        learns: bool,
    ) -> tuple[Tensor, Tensor]:
        """The loss; stores the unscaled gradients of the inputs that need them."""
        each = torch.zeros(len(hidden), dtype=torch.float32, device=hidden.device)
        needs = [learns and needed for needed in ctx.needs_input_grad[:3]]
        of_hidden = torch.zeros_like(hidden) if needs[0] else None
        of_head = torch.zeros_like(head, dtype=torch.float32) if needs[1] else None
        of_bias = None
        if bias is not None and needs[2]:
            of_bias = torch.zeros_like(bias, dtype=torch.float32)
        rows = logits_chunk_rows(len(head))
        for first in range(0, len(hidden), rows):
            part = slice(first, first + rows)
            log_reference = _log_probabilities(
                reference.hidden[part], reference.head, reference.bias
            )
            log_model = _log_probabilities(hidden[part], head, bias)
            of_logits = log_reference.exp()
            each[part] = (of_logits * (log_reference - log_model)).sum(dim=-1)
            if not any(needs):
                continue
            of_logits = log_model.exp_().sub_(of_logits)
            if of_bias is not None:
                of_bias += of_logits.sum(dim=0)
            of_logits = of_logits.to(hidden.dtype)
            if of_hidden is not None:
                of_hidden[part] = of_logits @ head
            if of_head is not None:
                of_head += of_logits.T @ hidden[part]
        ctx.dtype = hidden.dtype
        ctx.gradients = of_hidden, of_head, of_bias
        ctx.mark_non_differentiable(each)
        return each.sum(), each

    @staticmethod
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """The stored gradients, scaled; they are freed, since the graph may outlive this call."""
        gradients, ctx.gradients = ctx.gradients, None
        scaled = (None if g is None else g.mul_(scale).to(ctx.dtype) for g in gradients)
        return (*scaled, None, None)


def _log_probabilities(hidden: Tensor, head: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(hidden, head, bias).float().log_softmax(dim=-1)
