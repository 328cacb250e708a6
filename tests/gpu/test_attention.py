"""Attention kernels on a GPU, in bfloat16, against by_sample in float32 on the CPU."""

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from ftdist.nn.attention_arguments import attention_arguments
from ftdist.nn.by_sample_attention import attend_by_sample
from ftdist.nn.varlen_attention import attend_varlen, varlen_attn

LENGTHS = (500, 1, 37, 1024, 486)
TOLERANCE = 2e-2
"""Of the largest value: bfloat16 rounds to 0.4 %, inputs, outputs and gradients alike."""


def states(heads: int, key_heads: int, widths: tuple[int, int]) -> list[Tensor]:
    """Query, key and value in float32, of numbers that bfloat16 has exactly."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((heads, widths[0]), (key_heads, widths[0]), (key_heads, widths[1]))
    return [
        torch.randn(1, count, sum(LENGTHS), width, generator=generator).bfloat16().float()
        for count, width in shapes
    ]


def computed(
    attend: Any, row: list[Tensor], device: str, dtype: torch.dtype, **options: Any
) -> list[Tensor]:
    """Outputs and gradients, in float32 on the CPU."""
    borders = torch.tensor([0, *LENGTHS], device=device).cumsum(0).int()
    leaves = [part.to(device, dtype).requires_grad_() for part in row]
    arguments = attention_arguments(borders, max(LENGTHS))
    out, _ = attend(SimpleNamespace(is_causal=True), *leaves, None, **options, **arguments)
    gradients = torch.autograd.grad(out.float().square().sum(), leaves)
    return [part.float().cpu() for part in (out.detach(), *gradients)]


def assert_equal(ours: list[Tensor], exact: list[Tensor]) -> None:
    for one, other in zip(ours, exact, strict=True):
        assert one.shape == other.shape
        assert float((one - other).abs().max() / other.abs().max()) < TOLERANCE


@pytest.mark.parametrize(
    ("heads", "key_heads", "window", "widths", "scaling"),
    [
        (8, 8, None, (64, 64), None),
        (32, 8, None, (128, 128), 0.1),
        (8, 2, 100, (128, 128), None),
        (8, 2, 1024, (128, 128), None),  # no sample is longer
        (4, 1, 33, (256, 256), None),
        (4, 4, None, (96, 60), None),  # other widths of values, and no multiple of 8
    ],
)
def test_varlen_equals_samples_in_float32(
    heads: int, key_heads: int, window: int | None, widths: tuple[int, int], scaling: float | None
) -> None:
    if varlen_attn() is None:
        pytest.skip(f"torch {torch.__version__} has no varlen_attn with windows")
    row = states(heads, key_heads, widths)
    options: dict[str, Any] = {"sliding_window": window, "scaling": scaling}
    ours = computed(attend_varlen, row, "cuda", torch.bfloat16, **options)
    assert_equal(ours, computed(attend_by_sample, row, "cpu", torch.float32, **options))


@pytest.mark.parametrize("softcap", [None, 20.0])
def test_by_sample_equals_itself_on_the_cpu(softcap: float | None) -> None:
    row = states(8, 2, (64, 64))
    options: dict[str, Any] = {"sliding_window": 100, "softcap": softcap}
    ours = computed(attend_by_sample, row, "cuda", torch.bfloat16, **options)
    assert_equal(ours, computed(attend_by_sample, row, "cpu", torch.float32, **options))


@pytest.mark.skipif(find_spec("flash_attn") is None, reason="flash-attn is not installed")
def test_flash_attn_equals_samples_in_float32() -> None:
    from transformers.integrations.flash_attention import flash_attention_forward

    def attend(_: Any, *row: Any, **options: Any) -> Any:
        kernel = SimpleNamespace(_attn_implementation="flash_attention_2")
        layer: Any = SimpleNamespace(is_causal=True, config=kernel)
        return flash_attention_forward(layer, *row, **options)

    row = states(8, 2, (128, 128))
    for window in (None, 100):
        ours = computed(attend, row, "cuda", torch.bfloat16, sliding_window=window)
        exact = computed(attend_by_sample, row, "cpu", torch.float32, sliding_window=window)
        assert_equal(ours, exact)
