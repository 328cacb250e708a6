"""Attention a sample at a time gives what masked attention over the whole row gives."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional

from ftdist.errors import ModelError
from ftdist.nn.varlen_attention import BORDERS, attend_by_sample, borders_of

LENGTHS = (5, 1, 9)
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
        sample_borders=[0, 5, 6, 15],
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


def test_sample_boundaries_are_where_positions_restart() -> None:
    positions = torch.cat([torch.arange(length) for length in LENGTHS])[None]
    assert borders_of(positions) == [0, 5, 6, 15]


@pytest.mark.parametrize(
    ("others", "said"),
    [({"softcap": 50.0, BORDERS: [0, 15]}, "soft cap"), ({}, "pass the borders")],
)
def test_unsupported_arguments_are_refused(others: dict[str, Any], said: str) -> None:
    row = torch.zeros(1, 1, 15, 8)
    with pytest.raises(ModelError, match=said):
        attend_by_sample(SimpleNamespace(), row, row, row, None, **others)
