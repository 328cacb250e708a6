"""The summed loss, against plain torch in float64 and by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ftdist.config.memory import logits_chunk_rows
from ftdist.loss import summed_cross_entropy


def inputs(tokens: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(tokens, 16, dtype=dtype).requires_grad_()
    head = torch.randn(600, 16, dtype=dtype).requires_grad_()
    bias = torch.randn(600, dtype=dtype).requires_grad_()
    return hidden, head, torch.randint(0, 600, (tokens,)), bias


def exact(hidden: Tensor, head: Tensor, targets: Tensor, bias: Tensor) -> Tensor:
    logits = hidden.double() @ head.double().T + bias.double()
    return functional.cross_entropy(logits, targets, reduction="sum")


@pytest.mark.parametrize(
    ("dtype", "tolerance", "gradients"),
    [(torch.float32, 1e-6, 1e-5), (torch.bfloat16, 1e-3, 1e-2)],
)
def test_sum_and_gradients_are_those_of_whole_logits(
    dtype: torch.dtype, tolerance: float, gradients: float
) -> None:
    hidden, head, targets, bias = inputs(3000, dtype)
    loss = summed_cross_entropy(hidden, head, targets, bias)
    expected = exact(hidden, head, targets, bias)
    assert loss.dtype == torch.float32
    # Summed in bfloat16 it would be off by up to a percent.
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    for ours, theirs in zip(
        torch.autograd.grad(loss / 3000, (hidden, head, bias)),
        torch.autograd.grad(expected / 3000, (hidden, head, bias)),
        strict=True,
    ):
        error = (ours.double() - theirs.double()).norm() / theirs.double().norm()
        assert float(error) < gradients


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary() -> None:
    loss = summed_cross_entropy(torch.zeros(5, 16), torch.randn(600, 16), torch.arange(5))
    assert float(loss) == pytest.approx(5 * math.log(600))


def test_no_tokens_cost_nothing_and_reach_every_input() -> None:
    hidden, head, targets, bias = inputs(0, torch.bfloat16)
    loss = summed_cross_entropy(hidden, head, targets, bias)
    assert loss.item() == 0.0
    found = torch.autograd.grad(loss, (hidden, head, bias))
    assert [float(gradient.abs().sum()) for gradient in found] == [0.0, 0.0, 0.0]


def test_target_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="600 is out of bounds"):
        summed_cross_entropy(torch.zeros(1, 16), torch.zeros(600, 16), torch.tensor([600]))


def test_chunks_are_powers_of_two_that_fit_64_mib() -> None:
    assert logits_chunk_rows(49_152) == 256  # 256 x 49,152 x 4 = 48 MiB; 512 would be 96
    assert logits_chunk_rows(131_072) == 128  # exactly 64 MiB
    assert logits_chunk_rows(2_000_000) == 16  # never fewer
