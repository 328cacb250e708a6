"""Which attention kernel `model.attention` means; the table is in docs/explanation/attention.md."""

from importlib.util import find_spec
from typing import Any

import torch

from ftdist.errors import ModelError
from ftdist.nn.attention_device import check_kernel_device, unusable_kernel
from ftdist.nn.by_sample_attention import BY_SAMPLE, attend_by_sample
from ftdist.nn.varlen_attention import MAX_WIDTH, VARLEN, attend_varlen, varlen_attn

MASKED = ("eager", "sdpa")
"""Kernels for which transformers makes a mask of T x T; they take no borders."""

OWN_KERNELS = {"by_sample": BY_SAMPLE, "varlen": VARLEN}
"""Transformers' names of ours."""

_PACKAGES = {
    "flash_attention_2": ("flash_attn", "flash-attn"),
    "flash_attention_3": ("flash_attn_interface", "flash-attn-3"),
}
"""Module and distribution of the kernels that are packages of their own."""

_AMPERE = (8, 0)
"""The oldest GPUs with flash attention, by compute capability."""


def attention_kernel(choice: str, config: Any, *, device: str, dtype: torch.dtype) -> str:
    """The kernel that `model.attention` means for a model, by the names of the config.

    auto: by_sample on CPUs. On GPUs varlen, where torch has it and it fits the model; otherwise
    flash_attention_2, where it is installed and fits; otherwise by_sample.

    Args:
        choice: `model.attention`.
        config: the model's, of transformers.
        device: "cpu" or "cuda".
        dtype: of the model.
    """
    if choice != "auto":
        return choice
    if device == "cpu":
        return "by_sample"
    if _misfit_of_varlen(config, dtype) is None:
        return "varlen"
    if _misfit_of_flash(config, dtype) is None and _is_installed("flash_attention_2"):
        return "flash_attention_2"
    return "by_sample"


def check_kernel(kernel: str, config: Any, *, device: str, dtype: torch.dtype) -> None:
    """Raise `ModelError` if a kernel cannot run here, with this model.

    Without it transformers would fetch a kernel that is not installed from the Hub.
    """
    problem = None
    if kernel in ("by_sample", *MASKED):
        return
    check_kernel_device(kernel, device=device)
    if kernel == "varlen":
        problem = _misfit_of_varlen(config, dtype)
    elif kernel in _PACKAGES:
        problem = _misfit_of_flash(config, dtype)
        if problem is None and not _is_installed(kernel):
            problem = f"the package {_PACKAGES[kernel][1]} is not installed"
    elif find_spec("kernels") is None:
        raise ModelError(
            f"model.attention={kernel} is a kernel of the Hub, and the package kernels, which "
            "loads those, is not installed.",
            remedy="pip install kernels, or set model.attention=auto.",
        )
    if problem is not None:
        raise unusable_kernel(kernel, problem)


def register_own_kernels() -> None:
    """Register ours with transformers, which makes no mask for kernels that it does not know."""
    from transformers import AttentionInterface

    AttentionInterface.register(BY_SAMPLE, attend_by_sample)
    AttentionInterface.register(VARLEN, attend_varlen)


def _misfit_of_varlen(config: Any, dtype: torch.dtype) -> str | None:
    """Why torch's varlen_attn cannot run a model; None: it can."""
    if varlen_attn() is None:
        return f"torch {torch.__version__} has no varlen_attn with windows; 2.11 has"
    text = config.get_text_config()
    if getattr(text, "attn_logit_softcapping", None) is not None:
        return "it has no soft cap of scores, which this model has"
    if any(getattr(text, name, 0.0) for name in ("attention_dropout", "attn_pdrop")):
        return "it has no dropout, which this model has"
    return _misfit_of_flash(config, dtype)


def _misfit_of_flash(config: Any, dtype: torch.dtype) -> str | None:
    """Why flash attention, torch's or the package's, cannot run a model; None: it can."""
    if dtype not in (torch.bfloat16, torch.float16):
        return f"it computes in 16 bit, and the model's dtype is {str(dtype).split('.')[1]}"
    if (width := _head_width(config.get_text_config())) > MAX_WIDTH:
        return f"its heads are at most {MAX_WIDTH} wide, and this model's are {width}"
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < _AMPERE:
        return f"it needs an Ampere GPU or newer, not {torch.cuda.get_device_name()}"
    return None


def _head_width(config: Any) -> int:
    """Width of the widest heads that a model's config names."""
    names = ("head_dim", "global_head_dim", "qk_head_dim", "v_head_dim")
    named = [width for name in names if isinstance(width := getattr(config, name, None), int)]
    return max(named) if named else int(config.hidden_size // config.num_attention_heads)


def _is_installed(kernel: str) -> bool:
    return find_spec(_PACKAGES[kernel][0]) is not None
