"""The loss: negative log-likelihood of the loss tokens, summed."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions, functional

from ftdist.config.memory import logits_chunk_rows


def summed_cross_entropy(
    hidden: Float[Tensor, "token width"],
    head: Float[Tensor, "vocab width"],
    targets: Int[Tensor, " token"],
    bias: Float[Tensor, " vocab"] | None = None,
) -> Float[Tensor, ""]:
    """Negative log-likelihood of `targets`, summed, in nats, without ever holding all logits.

    A sum, not a mean: micro-batches hold different numbers of loss tokens, so a mean of their
    means would weigh short answers more. The caller divides by the step's count.
    Source: https://huggingface.co/blog/gradient_accumulation.

    Args:
        hidden: last hidden states of the loss tokens only, any float dtype.
        head: output embedding; under ZeRO-3 the caller holds it gathered.
        targets: token ids in [0, vocab).
        bias: of the output embedding, where the model has one.

    Returns:
        float32 scalar. Summed here: `reduction="sum"` of the chunked torch function answers in
        the input's dtype, which in bfloat16 is off by a percent. For no tokens it is 0.0 and
        still reaches every input, so that a rank without loss tokens takes part in the
        backward pass, with gradients of zero.

    Raises:
        RuntimeError: on CPU, for a target outside [0, vocab). CUDA stops the process instead,
            with a device-side assert.
    """
    if targets.numel() == 0:
        nothing = 0.0 * hidden.float().sum() + 0.0 * head[0].float().sum()
        return nothing if bias is None else nothing + 0.0 * bias.float().sum()
    chunked = LinearCrossEntropyOptions(batch_chunk_size=logits_chunk_rows(len(head)))
    losses = functional.linear_cross_entropy(
        hidden, head, targets, linear_bias=bias, reduction="none", options=chunked
    )
    return losses.float().sum()
