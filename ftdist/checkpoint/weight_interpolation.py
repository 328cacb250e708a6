"""Base and tuned weights mixed: a model between the two.

Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT),
https://arxiv.org/abs/2109.01903.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ftdist.errors import ConfigError, ModelError
from ftdist.io.filesystem import storage_errors
from ftdist.zero.load import locate_tensors
from ftdist.zero.shard_files import write_tensors


def write_merged_model(base: Path, tuned: Path, out: Path, *, alpha: float) -> None:
    """Write the model whose every weight is base + alpha (tuned - base), in the tuned one's files.

    One file of weights stands in memory at a time; sums are taken in float32 and rounded once.

    Args:
        base: folder of the model that training began with.
        tuned: folder of an export.
        out: folder of files, made where it is not there; those in it go.
        alpha: 0 is the base, 1 the tuned model.

    Raises:
        ConfigError: `alpha` lies outside [0, 1].
        ModelError: a weight is missing in the base, or has another shape there.
        StorageError: the disk does not take it.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(
            f"alpha={alpha:g} is not between 0 and 1.",
            remedy="choose alphas from 0 (the base) to 1 (the tuned model).",
        )
    of_base = locate_tensors(base)
    with storage_errors("write", out):
        out.mkdir(parents=True, exist_ok=True)
        for file in out.iterdir():
            file.unlink()
        for file in sorted(tuned.iterdir()):
            if file.suffix != ".safetensors":
                if file.is_file():
                    shutil.copyfile(file, out / file.name)
                continue
            with safe_open(file, framework="pt") as tensors:
                mixed = {
                    name: _mixed(tensors.get_tensor(name), name=name, of_base=of_base, alpha=alpha)
                    for name in tensors.keys()  # noqa: SIM118 - no mapping
                }
            write_tensors(mixed, out / file.name)


def _mixed(tuned: Tensor, *, name: str, of_base: dict[str, Path], alpha: float) -> Tensor:
    base = _base_tensor(name, of_base)
    if base is None or base.shape != tuned.shape:
        difference = "does not hold it" if base is None else f"has it as {list(base.shape)}"
        raise ModelError(
            f"The tuned model's {name} is {list(tuned.shape)}, and the base model {difference}.",
            remedy="merge a run with the model folder that it was trained from (model.path).",
        )
    return torch.lerp(base.float(), tuned.float(), alpha).to(tuned.dtype)


def _base_tensor(name: str, of_base: dict[str, Path]) -> Tensor | None:
    """Of that name; a bare backbone's files lack the name's first part."""
    known = next((n for n in (name, name.partition(".")[2]) if n in of_base), None)
    if known is None:
        return None
    opened: Any = safe_open(of_base[known], framework="pt")
    with opened as tensors:
        tensor: Tensor = tensors.get_tensor(known)
    return tensor
