"""A model folder loaded with plain transformers."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftdist.errors import ModelError


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
        raise ModelError(
            f"{folder} cannot be loaded: {str(error).strip().splitlines()[0]}",
            remedy="name a folder with config.json, tokenizer and *.safetensors that needs no "
            "custom code.",
        ) from error
    return model.eval(), tokenizer
