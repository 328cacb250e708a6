"""A model folder loaded with plain transformers."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ftdist.dist.device import Device, Dtype, has_fast_bfloat16
from ftdist.errors import ModelError


def inference_dtype(folder: str | Path, *, device: Device) -> Dtype:
    """The dtype in which a model computes its answers.

    bfloat16 on GPUs, and for weights of bfloat16 on CPUs that are fast with it; else float32.

    Raises:
        ModelError: the folder's config.json cannot be read.
    """
    if device == "cuda":
        return "bfloat16"
    return "bfloat16" if has_fast_bfloat16() and _dtype_of(folder) == torch.bfloat16 else "float32"


def _dtype_of(folder: str | Path) -> torch.dtype | None:
    """The dtype of a model folder's weights, as its config.json says."""
    try:
        dtype: torch.dtype | None = AutoConfig.from_pretrained(
            folder, trust_remote_code=False
        ).dtype
    except (OSError, ValueError) as error:
        raise _cannot_load(folder, error) from error
    return dtype


def load_model(
    folder: str | Path, *, dtype: torch.dtype, device_map: str | dict[str, torch.device]
) -> tuple[Any, Any]:
    """The model in evaluation mode, and its tokenizer."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            device_map=device_map,
        )
    except (OSError, ValueError) as error:
        raise _cannot_load(folder, error) from error
    return model.eval(), tokenizer


def _cannot_load(folder: str | Path, error: Exception) -> ModelError:
    return ModelError(
        f"{folder} cannot be loaded: {str(error).strip().splitlines()[0]}",
        remedy="name a folder with config.json, tokenizer and *.safetensors that needs no "
        "custom code.",
    )
