"""The summed losses, against plain torch in float64 and by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ftdist.nn.logits_chunk import logits_chunk_rows
from ftdist.nn.loss import ReferenceStates, summed_cross_entropy, summed_divergence


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
def test_loss_and_gradients_equal_the_unchunked_ones(
    dtype: torch.dtype, tolerance: float, gradients: float
) -> None:
    hidden, head, targets, bias = inputs(3000, dtype)
    loss, each = summed_cross_entropy(hidden, head, targets, bias)
    expected = exact(hidden, head, targets, bias)
    assert loss.dtype == each.dtype == torch.float32
    assert not each.requires_grad
    assert float(each.sum()) == pytest.approx(loss.item(), rel=1e-6)
    # Summed in bfloat16 it would be off by up to a percent.
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    for ours, theirs in zip(
        torch.autograd.grad(loss / 3000, (hidden, head, bias)),
        torch.autograd.grad(expected / 3000, (hidden, head, bias)),
        strict=True,
    ):
        error = (ours.double() - theirs.double()).norm() / theirs.double().norm()
        assert float(error) < gradients


def test_uniform_logits_give_log_vocabulary_loss() -> None:
    loss, each = summed_cross_entropy(torch.zeros(5, 16), torch.randn(600, 16), torch.arange(5))
    assert float(loss) == pytest.approx(5 * math.log(600))
    assert each.tolist() == pytest.approx([math.log(600)] * 5)


def test_loss_without_tokens_is_zero_and_reaches_every_input() -> None:
    hidden, head, targets, bias = inputs(0, torch.bfloat16)
    loss, each = summed_cross_entropy(hidden, head, targets, bias)
    assert loss.item() == 0.0
    assert each.shape == (0,)
    found = torch.autograd.grad(loss, (hidden, head, bias))
    assert [float(gradient.abs().sum()) for gradient in found] == [0.0, 0.0, 0.0]


def test_target_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="600 is out of bounds"):
        summed_cross_entropy(torch.zeros(1, 16), torch.zeros(600, 16), torch.tensor([600]))


def test_chunks_are_powers_of_two_that_fit_64_mib() -> None:
    assert logits_chunk_rows(49_152) == 256  # 256 x 49,152 x 4 = 48 MiB; 512 would be 96
    assert logits_chunk_rows(131_072) == 128  # exactly 64 MiB
    assert logits_chunk_rows(2_000_000) == 16  # never fewer


def base_rows(tokens: int, dtype: torch.dtype) -> ReferenceStates:
    torch.manual_seed(1)
    return ReferenceStates(
        hidden=torch.randn(tokens, 24, dtype=dtype),
        head=torch.randn(600, 24, dtype=dtype),
        bias=torch.randn(600, dtype=dtype),
    )


def exact_divergence(hidden: Tensor, head: Tensor, base: ReferenceStates, bias: Tensor) -> Tensor:
    assert base.bias is not None
    of_base = (base.hidden.double() @ base.head.double().T + base.bias.double()).log_softmax(-1)
    of_model = (hidden.double() @ head.double().T + bias.double()).log_softmax(-1)
    return functional.kl_div(of_model, of_base, log_target=True, reduction="none").sum(dim=-1)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "gradients"),
    [(torch.float32, 1e-6, 1e-5), (torch.bfloat16, 3e-3, 1e-2)],
)
def test_kl_and_its_gradients_equal_the_unchunked_ones(
    dtype: torch.dtype, tolerance: float, gradients: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist.nn.loss.logits_chunk_rows", lambda _: 128)  # 3 chunks, one short
    hidden, head, _, bias = inputs(300, dtype)
    base = base_rows(300, dtype)
    loss, each = summed_divergence(hidden, head, base, bias)
    expected = exact_divergence(hidden, head, base, bias)
    assert loss.item() == pytest.approx(expected.sum().item(), rel=tolerance)
    torch.testing.assert_close(each.double(), expected.detach(), rtol=0.1, atol=0.02)
    assert not each.requires_grad
    for ours, theirs in zip(
        torch.autograd.grad(loss / 300, (hidden, head, bias)),
        torch.autograd.grad(expected.sum() / 300, (hidden, head, bias)),
        strict=True,
    ):
        error = (ours.double() - theirs.double()).norm() / theirs.double().norm()
        assert float(error) < gradients


def test_kl_of_a_two_token_vocabulary() -> None:
    # Base: 3/4 and 1/4. Model: 1/2 each. KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    one = torch.ones(1, 1)
    base = ReferenceStates(hidden=one, head=torch.tensor([[math.log(3.0)], [0.0]]), bias=None)
    head = torch.zeros(2, 1).requires_grad_()
    loss, _ = summed_divergence(one, head, base)
    assert loss.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    (gradient,) = torch.autograd.grad(2 * loss, head)
    # Twice model - base, times the hidden state, which is 1.
    assert gradient.flatten().tolist() == pytest.approx([-0.5, 0.5])


def test_kl_of_a_model_to_itself_is_zero() -> None:
    hidden, head, _, bias = inputs(40, torch.float32)
    base = ReferenceStates(hidden=hidden.detach(), head=head.detach(), bias=bias.detach())
    loss, _ = summed_divergence(hidden, head, base, bias)
    assert abs(loss.item()) < 1e-5
    for gradient in torch.autograd.grad(loss, (hidden, head, bias)):
        assert float(gradient.abs().max()) < 1e-4


def test_kl_without_positions_is_zero() -> None:
    hidden, head, _, bias = inputs(0, torch.bfloat16)
    loss, each = summed_divergence(hidden, head, base_rows(0, torch.bfloat16), bias)
    assert loss.item() == 0.0
    assert each.shape == (0,)
    found = torch.autograd.grad(loss, (hidden, head, bias))
    assert [float(gradient.abs().sum()) for gradient in found] == [0.0, 0.0, 0.0]
