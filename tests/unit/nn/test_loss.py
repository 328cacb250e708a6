"""The summed losses, against plain torch in float64 and by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ftdist.nn import loss as loss_module
from ftdist.nn.logits_chunk import logits_chunk_rows
from ftdist.nn.loss import ReferenceStates, summed_loss

NO_TARGETS = torch.zeros(0, dtype=torch.int64)


def inputs(tokens: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(tokens, 16, dtype=dtype).requires_grad_()
    head = torch.randn(600, 16, dtype=dtype).requires_grad_()
    bias = torch.randn(600, dtype=dtype).requires_grad_()
    return hidden, head, torch.randint(0, 600, (tokens,)), bias


def exact(hidden: Tensor, head: Tensor, targets: Tensor, bias: Tensor) -> Tensor:
    logits = hidden.double() @ head.double().T + bias.double()
    return functional.cross_entropy(logits, targets, reduction="sum")


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


def chunks_of(rows: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loss_module, "logits_chunk_rows", lambda *_, **__: rows)


def assert_gradients(ours: Tensor, expected: Tensor, leaves: list[Tensor], within: float) -> None:
    for found, wanted in zip(
        torch.autograd.grad(ours, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        assert found.dtype == wanted.dtype
        error = (found.double() - wanted.double()).norm() / wanted.double().norm()
        assert float(error) < within


@pytest.mark.parametrize("rows", [128, 4096])
@pytest.mark.parametrize(
    ("dtype", "tolerance", "gradients"),
    [(torch.float32, 1e-6, 1e-5), (torch.bfloat16, 1e-3, 1e-2)],
)
def test_cross_entropy_and_gradients_equal_those_of_whole_logits_in_float64(
    dtype: torch.dtype,
    tolerance: float,
    gradients: float,
    rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks_of(rows, monkeypatch)  # 8 chunks, the last one short; or one
    hidden, head, targets, bias = inputs(1000, dtype)
    loss, each = summed_loss(hidden, head, targets, bias=bias)
    expected = exact(hidden, head, targets, bias)
    assert loss.dtype == each.dtype == torch.float32
    assert not each.requires_grad
    assert float(each.sum()) == pytest.approx(loss.item(), rel=1e-6)
    # Summed in bfloat16 it would be off by up to a percent.
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    assert_gradients(loss / 1000, expected / 1000, [hidden, head, bias], gradients)


def test_chunks_do_not_change_losses_or_gradients() -> None:
    found = []
    for rows in (7, 64, 300):
        with pytest.MonkeyPatch.context() as patch:
            chunks_of(rows, patch)
            hidden, head, targets, bias = inputs(300, torch.float32)
            base = base_rows(100, torch.float32)
            loss, each = summed_loss(hidden, head, targets[:200], bias=bias, reference=base)
            found.append((each, *torch.autograd.grad(loss, (hidden, head, bias))))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, same, rtol=1e-5, atol=1e-4)


def test_uniform_logits_give_log_vocabulary_loss() -> None:
    loss, each = summed_loss(torch.zeros(5, 16), torch.randn(600, 16), torch.arange(5))
    assert float(loss) == pytest.approx(5 * math.log(600))
    assert each.tolist() == pytest.approx([math.log(600)] * 5)


def test_cross_entropy_of_a_two_token_vocabulary() -> None:
    # Logits ln 3 and 0: probabilities 3/4 and 1/4. Loss of token 1: ln 4.
    hidden = torch.ones(1, 1).requires_grad_()
    head = torch.tensor([[math.log(3.0)], [0.0]]).requires_grad_()
    loss, _ = summed_loss(hidden, head, torch.tensor([1]))
    assert loss.item() == pytest.approx(math.log(4))
    of_hidden, of_head = torch.autograd.grad(2 * loss, (hidden, head))
    # Twice probability - target, (3/4, -3/4): times the hidden state, 1; times the head.
    assert of_head.flatten().tolist() == pytest.approx([1.5, -1.5])
    assert of_hidden.item() == pytest.approx(1.5 * math.log(3))


@pytest.mark.fault("D4")
@pytest.mark.parametrize("asks", [False, True])
def test_loss_without_tokens_is_zero_and_reaches_every_input(asks: bool) -> None:
    hidden, head, targets, bias = inputs(0, torch.bfloat16)
    reference = base_rows(0, torch.bfloat16) if asks else None
    loss, each = summed_loss(hidden, head, targets, bias=bias, reference=reference)
    assert loss.item() == 0.0
    assert each.shape == (0,)
    found = torch.autograd.grad(loss, (hidden, head, bias))
    assert [gradient.dtype for gradient in found] == [torch.bfloat16] * 3
    assert [float(gradient.abs().sum()) for gradient in found] == [0.0, 0.0, 0.0]


def test_evaluation_computes_no_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(*_: object) -> None:
        raise AssertionError("a gradient was computed")

    monkeypatch.setattr(loss_module._Gradients, "add", add)
    hidden, head, targets, bias = inputs(40, torch.float32)
    expected = exact(hidden, head, targets, bias).item()
    with torch.no_grad():
        assert summed_loss(hidden, head, targets, bias=bias)[0].item() == pytest.approx(expected)
    frozen = summed_loss(hidden.detach(), head.detach(), targets, bias=bias.detach())[0]
    assert frozen.item() == pytest.approx(expected)
    assert not frozen.requires_grad


def test_target_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="600 is out of bounds"):
        summed_loss(torch.zeros(1, 16), torch.zeros(600, 16), torch.tensor([600]))


def test_rows_without_a_target_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 rows for 2 targets and 0 reference states"):
        summed_loss(torch.zeros(3, 16), torch.zeros(600, 16), torch.tensor([1, 2]))


def test_chunks_are_powers_of_two_that_fit_64_mib_on_cpus_and_1_gib_on_gpus() -> None:
    assert logits_chunk_rows(49_152, device="cpu") == 256  # x 49,152 x 4 = 48 MiB; 512: 96
    assert logits_chunk_rows(131_072, device="cpu") == 128  # exactly 64 MiB
    assert logits_chunk_rows(2_000_000, device="cpu") == 16  # never fewer
    assert logits_chunk_rows(131_072, device="cuda") == 2048  # exactly 1 GiB
    assert logits_chunk_rows(262_144, device="cuda") == 1024


@pytest.mark.parametrize(
    ("dtype", "tolerance", "gradients"),
    [(torch.float32, 1e-6, 1e-5), (torch.bfloat16, 3e-3, 1e-2)],
)
def test_kl_and_its_gradients_equal_those_of_whole_logits_in_float64(
    dtype: torch.dtype, tolerance: float, gradients: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks_of(128, monkeypatch)  # 3 chunks, one short
    hidden, head, _, bias = inputs(300, dtype)
    base = base_rows(300, dtype)
    loss, each = summed_loss(hidden, head, NO_TARGETS, bias=bias, reference=base)
    expected = exact_divergence(hidden, head, base, bias)
    assert loss.item() == pytest.approx(expected.sum().item(), rel=tolerance)
    torch.testing.assert_close(each.double(), expected.detach(), rtol=0.1, atol=0.02)
    assert not each.requires_grad
    assert_gradients(loss / 300, expected.sum() / 300, [hidden, head, bias], gradients)


def test_rows_with_targets_come_before_those_that_follow_the_base(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks_of(64, monkeypatch)
    hidden, head, targets, bias = inputs(300, torch.float32)
    base = base_rows(190, torch.float32)
    loss, each = summed_loss(hidden, head, targets[:110], bias=bias, reference=base)
    of_targets = exact(hidden[:110], head, targets[:110], bias)
    of_base = exact_divergence(hidden[110:], head, base, bias).sum()
    assert each[:110].sum().item() == pytest.approx(of_targets.item(), rel=1e-6)
    assert each[110:].sum().item() == pytest.approx(of_base.item(), rel=1e-6)
    assert_gradients(loss, of_targets + of_base, [hidden, head, bias], 1e-5)


def test_kl_of_a_two_token_vocabulary() -> None:
    # Base: 3/4 and 1/4. Model: 1/2 each. KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    one = torch.ones(1, 1)
    base = ReferenceStates(hidden=one, head=torch.tensor([[math.log(3.0)], [0.0]]), bias=None)
    head = torch.zeros(2, 1).requires_grad_()
    loss, _ = summed_loss(one, head, NO_TARGETS, reference=base)
    assert loss.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    (gradient,) = torch.autograd.grad(2 * loss, head)
    # Twice model - base, times the hidden state, which is 1.
    assert gradient.flatten().tolist() == pytest.approx([-0.5, 0.5])


def test_a_weight_multiplies_the_loss_of_rows_without_a_target_and_their_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks_of(64, monkeypatch)
    hidden, head, targets, bias = inputs(300, torch.float32)
    base = replace(base_rows(190, torch.float32), weight=2.5)
    loss, each = summed_loss(hidden, head, targets[:110], bias=bias, reference=base)
    of_targets = exact(hidden[:110], head, targets[:110], bias)
    of_base = exact_divergence(hidden[110:], head, base, bias).sum()
    assert each[110:].sum().item() == pytest.approx(of_base.item(), rel=1e-6)
    assert loss.item() == pytest.approx((of_targets + 2.5 * of_base).item(), rel=1e-6)
    assert_gradients(loss, of_targets + 2.5 * of_base, [hidden, head, bias], 1e-5)


@pytest.mark.parametrize(("weight", "kl_weight"), [(0.3, 1.0), (1.0, 2.5)])
def test_distilled_rows_have_both_losses_and_the_gradient_of_their_weighted_sum(
    weight: float, kl_weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks_of(64, monkeypatch)
    hidden, head, targets, bias = inputs(300, torch.float32)
    # 110 rows with targets alone, 100 with both, 90 with the reference alone.
    base = replace(
        base_rows(190, torch.float32), weight=kl_weight, distilled=100, distillation=weight
    )
    loss, each = summed_loss(hidden, head, targets[:210], bias=bias, reference=base)
    hard = exact(hidden[:110], head, targets[:110], bias)
    both = exact(hidden[110:210], head, targets[110:210], bias)
    divergence = exact_divergence(hidden[110:], head, base, bias)
    expected = (
        hard + (1 - weight) * both + weight * divergence[:100].sum()
        + kl_weight * divergence[100:].sum()
    )  # fmt: skip
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    sums = [part.sum().item() for part in each.split([110, 100, 100, 90])]
    parts = [hard, both, divergence[:100].sum(), divergence[100:].sum()]
    assert sums == pytest.approx([part.item() for part in parts], rel=1e-6)
    assert_gradients(loss, expected, [hidden, head, bias], 1e-5)


def test_kl_of_a_model_to_itself_is_zero() -> None:
    hidden, head, _, bias = inputs(40, torch.float32)
    base = ReferenceStates(hidden=hidden.detach(), head=head.detach(), bias=bias.detach())
    loss, _ = summed_loss(hidden, head, NO_TARGETS, bias=bias, reference=base)
    assert abs(loss.item()) < 1e-5
    for gradient in torch.autograd.grad(loss, (hidden, head, bias)):
        assert float(gradient.abs().max()) < 1e-4
