"""Attention a sample at a time gives what masked attention over the whole row gives."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional

from ftdist.errors import ModelError
from ftdist.nn import by_sample_attention
from ftdist.nn.by_sample_attention import attend_by_sample

LENGTHS = (5, 1, 9)
BORDERS = torch.tensor([0, 5, 6, 15], dtype=torch.int32)
WINDOW = 4
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def mask(*, window: int | None) -> torch.Tensor:
    """True where a token sees another one: in its sample, not after it, not too long before it."""
    sample = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    place = torch.arange(sum(LENGTHS))
    back = place[:, None] - place[None]
    seen = (sample[:, None] == sample[None]) & (back >= 0)
    return seen if window is None else seen & (back < window)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("window", [None, WINDOW])
@pytest.mark.parametrize("key_heads", [4, 2])
def test_samples_attend_only_to_themselves_forward_and_backward(
    key_heads: int, window: int | None, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    shapes = ((4, 8), (key_heads, 8), (key_heads, 8))
    inputs = [
        torch.randn(1, heads, sum(LENGTHS), width, dtype=dtype, requires_grad=True)
        for heads, width in shapes
    ]
    query, key, value = inputs
    out, _ = attend_by_sample(
        SimpleNamespace(),
        *(query, key, value, None),
        scaling=0.3,
        sliding_window=window,
        cu_seq_lens_q=BORDERS,
    )
    weight = torch.randn_like(out)
    grads = torch.autograd.grad((out * weight).sum(), inputs)

    repeat = 4 // key_heads
    expected = functional.scaled_dot_product_attention(
        query,
        key.repeat_interleave(repeat, dim=1),
        value.repeat_interleave(repeat, dim=1),
        attn_mask=mask(window=window),
        scale=0.3,
    ).transpose(1, 2)
    expected_grads = torch.autograd.grad((expected * weight).sum(), inputs)
    for one, other in zip((out, *grads), (expected, *expected_grads), strict=True):
        torch.testing.assert_close(one, other, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def test_keys_repeated_for_gpus_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not by_sample_attention._repeats_keys("cpu")
    assert by_sample_attention._repeats_keys("cuda")
    torch.manual_seed(0)
    query, (key, value) = torch.randn(1, 4, 15, 8), torch.randn(2, 1, 2, 15, 8)
    for window in (None, WINDOW):
        options: dict[str, Any] = {"cu_seq_lens_q": BORDERS, "sliding_window": window}
        monkeypatch.setattr(by_sample_attention, "_repeats_keys", lambda _: False)
        shared, _ = attend_by_sample(SimpleNamespace(), query, key, value, None, **options)
        monkeypatch.setattr(by_sample_attention, "_repeats_keys", lambda _: True)
        repeated, _ = attend_by_sample(SimpleNamespace(), query, key, value, None, **options)
        torch.testing.assert_close(shared, repeated)


def test_samples_without_tokens_are_skipped() -> None:
    row = torch.randn(1, 2, 15, 8)
    cut = torch.tensor([0, 5, 6, 15, 15, 15], dtype=torch.int32)
    outs = [
        attend_by_sample(SimpleNamespace(), row, row, row, None, cu_seq_lens_q=borders)[0]
        for borders in (cut, BORDERS)
    ]
    torch.testing.assert_close(*outs, rtol=0, atol=0)


@pytest.mark.parametrize("window", [None, WINDOW])
def test_capped_scores_worked_in_float64(window: int | None) -> None:
    torch.manual_seed(0)
    query = torch.randn(1, 4, 15, 8)
    key, value = torch.randn(2, 1, 2, 15, 8)
    out, _ = attend_by_sample(
        SimpleNamespace(),
        *(query, key, value, None),
        scaling=2.0,
        sliding_window=window,
        softcap=3.0,
        cu_seq_lens_q=BORDERS,
    )
    key, value = (states.repeat_interleave(2, dim=1).double() for states in (key, value))
    scores = 3.0 * torch.tanh(2.0 * query.double() @ key.transpose(2, 3) / 3.0)
    weights = scores.masked_fill(~mask(window=window), float("-inf")).softmax(dim=-1)
    expected = (weights @ value).transpose(1, 2)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"s_aux": torch.zeros(1), "cu_seq_lens_q": BORDERS}, "attention sinks"),
        ({}, "pass the borders"),
    ],
)
def test_unsupported_arguments_are_refused(others: dict[str, Any], said: str) -> None:
    row = torch.zeros(1, 1, 15, 8)
    with pytest.raises(ModelError, match=said):
        attend_by_sample(SimpleNamespace(), row, row, row, None, **others)
