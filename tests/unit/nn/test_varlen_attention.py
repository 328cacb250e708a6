"""Torch's varlen_attn gets what makes it equal masked attention: a stand-in computes the same.

The kernel itself runs on GPUs only: tests/gpu/test_attention.py.
"""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ftdist.errors import ModelError
from ftdist.nn import attention_kernel as choice_module
from ftdist.nn import varlen_attention
from ftdist.nn.attention_arguments import attention_arguments
from ftdist.nn.attention_kernel import attention_kernel, check_kernel
from ftdist.nn.by_sample_attention import attend_by_sample
from ftdist.nn.varlen_attention import attend_varlen, varlen_attn

BORDERS = torch.tensor([0, 5, 6, 15], dtype=torch.int32)
LONGEST = 9


def of_torch_2_13(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
) -> Tensor:
    """What torch documents: tokens first; windows count the tokens before and after one's own."""
    assert query.shape[1] == key.shape[1] or enable_gqa
    assert query.shape[2] == key.shape[2] == value.shape[2]
    assert query.shape[2] % 8 == 0
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
    assert max_q == max_k == int(cu_seq_q.diff().max())
    before, after = window_size
    assert after == 0
    outs = []
    for start, end in pairwise(cu_seq_q.tolist()):
        back = torch.arange(end - start)[:, None] - torch.arange(end - start)[None]
        seen = (back >= 0) & ((back <= before) if before >= 0 else True)
        q, k, v = (states[start:end].transpose(0, 1) for states in (query, key, value))
        outs.append(
            functional.scaled_dot_product_attention(
                q, k, v, attn_mask=seen, scale=scale, enable_gqa=enable_gqa
            ).transpose(0, 1)
        )
    return torch.cat(outs)


def of_torch_2_11(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
) -> Tensor:
    return of_torch_2_13(
        query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale=scale, window_size=window_size
    )


def use(kernel: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(varlen_attention, "varlen_attn", lambda: kernel)
    patch.setattr(choice_module, "varlen_attn", lambda: kernel)


@pytest.mark.parametrize(
    ("key_heads", "window", "widths"), [(4, None, (8, 8)), (2, 4, (12, 5)), (2, 9, (8, 8))]
)
@pytest.mark.parametrize("kernel", [of_torch_2_11, of_torch_2_13])
def test_a_row_in_one_launch_equals_attention_a_sample_at_a_time(
    kernel: Any,
    key_heads: int,
    window: int | None,
    widths: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(kernel, monkeypatch)
    torch.manual_seed(0)
    shapes = ((4, widths[0]), (key_heads, widths[0]), (key_heads, widths[1]))
    row = tuple(torch.randn(1, heads, 15, width, requires_grad=True) for heads, width in shapes)
    borders = attention_arguments(BORDERS, LONGEST)
    found = []
    attend: Any
    for attend in (attend_varlen, attend_by_sample):
        for scaling in (None, 0.3):
            out, _ = attend(
                SimpleNamespace(), *row, None, scaling=scaling, sliding_window=window, **borders
            )
            found.append((out, *torch.autograd.grad(out.square().sum(), row)))
    for ours, expected in zip(found[:2], found[2:], strict=True):
        for one, other in zip(ours, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"softcap": 50.0}, "has no soft cap of scores"),
        ({"dropout": 0.1}, "has no dropout of attention"),
        ({"s_aux": torch.zeros(1)}, "has no attention sinks"),
        ({"cu_seq_lens_q": None}, "does not pass the borders"),
    ],
)
def test_what_the_kernel_lacks_is_refused(options: dict[str, Any], said: str) -> None:
    row = torch.zeros(1, 1, 15, 8)
    arguments = {**attention_arguments(BORDERS, LONGEST), **options}
    with pytest.raises(ModelError, match=said):
        attend_varlen(SimpleNamespace(), row, row, row, None, **arguments)


def test_this_torch_has_the_kernel_with_the_arguments_that_are_passed() -> None:
    kernel = varlen_attn()
    assert kernel is not None
    names = varlen_attention._parameters(kernel)
    assert {"scale", "window_size", "enable_gqa", "cu_seq_q", "max_q"} <= names


def model_config(**values: Any) -> Any:
    settings = {"hidden_size": 4096, "num_attention_heads": 32, "attention_dropout": 0.0, **values}
    config = SimpleNamespace(**settings)
    config.get_text_config = lambda: config
    return config


@pytest.mark.parametrize(
    ("device", "dtype", "settings", "kernel"),
    [
        ("cpu", torch.float32, {}, "by_sample"),
        ("cpu", torch.bfloat16, {"attn_logit_softcapping": 50.0}, "by_sample"),
        ("cuda", torch.bfloat16, {}, "varlen"),
        ("cuda", torch.float32, {}, "by_sample"),
        ("cuda", torch.bfloat16, {"head_dim": 512}, "by_sample"),
        ("cuda", torch.bfloat16, {"attn_logit_softcapping": 50.0}, "flash_attention_2"),
        ("cuda", torch.bfloat16, {"attention_dropout": 0.1}, "flash_attention_2"),
    ],
)
def test_auto_never_means_a_mask_of_the_whole_row(
    device: str,
    dtype: torch.dtype,
    settings: dict[str, Any],
    kernel: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(of_torch_2_13, monkeypatch)
    config = model_config(**settings)
    monkeypatch.setattr(choice_module, "find_spec", lambda name: name == "flash_attn" or None)
    assert attention_kernel("auto", config, device=device, dtype=dtype) == kernel
    monkeypatch.setattr(choice_module, "find_spec", lambda _: None)
    without = "by_sample" if kernel == "flash_attention_2" else kernel
    assert attention_kernel("auto", config, device=device, dtype=dtype) == without


def test_auto_without_varlen_attn_is_flash_attn_or_by_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(None, monkeypatch)
    for installed, kernel in ((True, "flash_attention_2"), (None, "by_sample")):
        monkeypatch.setattr(choice_module, "find_spec", lambda _, found=installed: found)
        found = attention_kernel("auto", model_config(), device="cuda", dtype=torch.bfloat16)
        assert found == kernel


@pytest.mark.parametrize(
    ("kernel", "device", "dtype", "settings", "said"),
    [
        ("varlen", "cpu", torch.bfloat16, {}, "it runs on GPUs only"),
        ("flash_attention_3", "cpu", torch.bfloat16, {}, "it runs on GPUs only"),
        ("varlen", "cuda", torch.float32, {}, "16 bit, and the model's dtype is float32"),
        ("varlen", "cuda", torch.bfloat16, {"attn_logit_softcapping": 1.0}, "no soft cap"),
        ("varlen", "cuda", torch.bfloat16, {"head_dim": 320}, "at most 256 wide, and .* are 320"),
        ("flash_attention_2", "cuda", torch.bfloat16, {}, "flash-attn is not installed"),
        ("flash_attention_3", "cuda", torch.bfloat16, {}, "flash-attn-3 is not installed"),
        ("kernels-community/x", "cuda", torch.bfloat16, {}, "pip install kernels"),
    ],
)
def test_a_kernel_that_cannot_run_is_named_with_the_reason(
    kernel: str,
    device: str,
    dtype: torch.dtype,
    settings: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(of_torch_2_13, monkeypatch)
    monkeypatch.setattr(choice_module, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=said):
        check_kernel(kernel, model_config(**settings), device=device, dtype=dtype)


def test_an_older_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use(None, monkeypatch)
    with pytest.raises(ModelError, match=r"torch 2\..* has no varlen_attn"):
        check_kernel("varlen", model_config(), device="cuda", dtype=torch.bfloat16)
