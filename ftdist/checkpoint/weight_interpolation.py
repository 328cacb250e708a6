"""Base and tuned weights mixed: a model between the two, or the update on another model.

Sources: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT),
https://arxiv.org/abs/2109.01903; Ilharco et al. 2023, "Editing models with task arithmetic",
https://arxiv.org/abs/2212.04089.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ftdist.checkpoint.merge_setting import MergeSetting
from ftdist.checkpoint.update_trimming import trim_mask
from ftdist.errors import ConfigError, ModelError
from ftdist.inference.model_folder import CHAT_TEMPLATE, has_template
from ftdist.io.filesystem import storage_errors
from ftdist.zero.load import locate_tensors
from ftdist.zero.shard_files import write_tensors

_INDEX = "model.safetensors.index.json"
_SUFFIXES = (".json", ".jinja", ".model", ".txt")
"""Of the files beside the weights that a model needs."""


def write_merged_model(
    base: Path,
    tuned: Path,
    out: Path,
    *,
    setting: MergeSetting,
    factors: Mapping[str, float] | None = None,
    onto: Path | None = None,
) -> None:
    """Write the model whose every weight is base + alpha (tuned - base), in the tuned one's files.

    One file of weights stands in memory at a time; sums are taken in float32 and rounded once.

    Args:
        base: folder of the model that training began with.
        tuned: folder of an export.
        out: folder of files, made where it is not there; those in it go.
        setting: alpha, and what of the update is left out.
        factors: of alpha, by the tuned model's names; 1 where a name is missing.
        onto: folder of a model to which the update is added in place of the base. The result has
            its dtype, tokenizer, template and config.

    Raises:
        ConfigError: alpha lies outside [0, 1].
        ModelError: a weight is missing in a model, or has another shape there.
        StorageError: the disk does not take it.
    """
    _check_alpha(setting.alpha)
    of_base = locate_tensors(base)
    of_onto = None if onto is None else locate_tensors(onto)
    factors = factors or {}
    with storage_errors("write", out):
        _write_files_beside_weights(tuned, onto, out=out)
        for file in sorted(tuned.glob("*.safetensors")):
            with safe_open(file, framework="pt") as tensors:
                mixed = {
                    name: _mixed(
                        tensors.get_tensor(name),
                        base=_same_tensor(tensors, name, of_base, model="base model"),
                        onto=None
                        if of_onto is None
                        else _same_tensor(tensors, name, of_onto, model="model of merge.onto"),
                        alpha=setting.alpha * factors.get(name, 1.0),
                        setting=setting,
                    )
                    for name in tensors.keys()  # noqa: SIM118 - no mapping
                }
            write_tensors(mixed, out / file.name)


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise ConfigError(
            f"alpha={alpha:g} is not between 0 and 1.",
            remedy="choose alphas from 0 (the base) to 1 (the tuned model).",
        )


def _write_files_beside_weights(tuned: Path, onto: Path | None, *, out: Path) -> None:
    """Replace what is in the folder `out` by the files that a model has beside its weights."""
    out.mkdir(parents=True, exist_ok=True)
    for file in out.iterdir():
        file.unlink()
    for file in _files_beside_weights(tuned, onto):
        shutil.copyfile(file, out / file.name)


def _files_beside_weights(tuned: Path, onto: Path | None) -> Iterator[Path]:
    """The model card, and the list of the weights' files, are always the tuned model's."""
    for file in sorted(tuned.iterdir()):
        is_own = onto is None or file.name in ("README.md", _INDEX)
        if file.is_file() and file.suffix != ".safetensors" and is_own:
            yield file
    if onto is None:
        return
    for file in sorted(onto.iterdir()):
        if file.is_file() and file.suffix in _SUFFIXES and file.name != _INDEX:
            yield file
    if (tuned / CHAT_TEMPLATE).is_file() and not has_template(onto):
        yield tuned / CHAT_TEMPLATE


def _mixed(
    tuned: Tensor, *, base: Tensor, onto: Tensor | None, alpha: float, setting: MergeSetting
) -> Tensor:
    dtype = tuned.dtype if onto is None else onto.dtype
    tuned, base = tuned.float(), base.float()
    if onto is None:
        start, mixed = base, torch.lerp(base, tuned, alpha)
    else:
        start = onto.float()
        mixed = start + alpha * (tuned - base)
    if setting.trims:
        left_out = trim_mask(
            tuned - base, largest=setting.trim_largest, smallest=setting.trim_smallest
        )
        mixed = torch.where(left_out, start, mixed)
    return mixed.to(dtype)


def _same_tensor(tuned: Any, name: str, located: Mapping[str, Path], *, model: str) -> Tensor:
    """The tensor that another model has under a name, of the tuned model's shape.

    The files of a bare backbone lack the name's first part.
    """
    shape = list(tuned.get_slice(name).get_shape())
    known = next((n for n in (name, name.partition(".")[2]) if n in located), None)
    tensor: Tensor | None = None
    if known is not None:
        opened: Any = safe_open(located[known], framework="pt")
        with opened as tensors:
            tensor = tensors.get_tensor(known)
    if tensor is None or list(tensor.shape) != shape:
        difference = "does not hold it" if tensor is None else f"has it as {list(tensor.shape)}"
        raise ModelError(
            f"The tuned model's {name} is {shape}, and the {model} {difference}.",
            remedy="merge a run with the model folder that it was trained from (model.path), onto "
            "a model of the same family and size.",
        )
    return tensor
