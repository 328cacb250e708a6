"""Weights from a model folder into ZeRO-3 shards: each rank reads its own slices, no more."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ftdist.dist.world import World
from ftdist.errors import ModelError
from ftdist.zero.resharding import shard_range

PLAIN_DTYPES = ("F64", "F32", "F16", "BF16")
"""Dtypes, as safetensors names them, whose numbers are the weights themselves."""

COMPUTED_BUFFERS = (".inv_freq", ".masked_bias", ".attn.bias", ".attention.bias")
"""Endings of what older folders store and models compute by themselves."""


def read_weights(model: nn.Module, folder: Path, *, world: World) -> None:
    """Fill this rank's shard of every parameter from the folder's safetensors files.

    ZeRO-3 cuts a parameter, flattened and padded, into one contiguous slice a rank. A rank reads
    just the rows of the file that its slice lies in; ranks do not speak to each other.

    Args:
        model: made under `deepspeed.zero.Init`, so that each parameter has its shard `ds_tensor`.
        folder: `*.safetensors`, with `model.safetensors.index.json` where there are several.
        world: this rank.

    Raises:
        ModelError: a parameter is missing in the files, has another shape, or a file is damaged.
    """
    names = dict(model.named_parameters())
    files = locate_tensors(folder)
    prefix = _common_prefix(names, files)
    _refuse_leftovers(model, files, prefix=prefix, folder=folder)
    missing = sorted(name for name in names if name.removeprefix(prefix) not in files)
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of {len(names)} parameters, the first is {missing[0]}.",
            remedy="use a folder that transformers' `save_pretrained` wrote in this version.",
        )
    by_file: dict[Path, list[str]] = {}
    for name in names:
        by_file.setdefault(files[name.removeprefix(prefix)], []).append(name)
    for file, in_file in by_file.items():
        with _open(file) as tensors:
            for name in in_file:
                _read_shard(
                    tensors.get_slice(name.removeprefix(prefix)),
                    names[name],
                    name=name,
                    world=world,
                )
    _read_buffers(model, files, prefix=prefix)


def _refuse_leftovers(
    model: nn.Module, files: Mapping[str, Path], *, prefix: str, folder: Path
) -> None:
    """Refuse weights that the model has no place for: config.json describes another model."""
    known = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    known |= {name for name, _ in model.named_buffers()}
    extra = sorted(
        name for name in files if prefix + name not in known and not name.endswith(COMPUTED_BUFFERS)
    )
    if extra:
        raise ModelError(
            f"{folder} holds {len(extra)} tensors that its config.json has no place for, the "
            f"first is {extra[0]}.",
            remedy="use the config.json that belongs to these weights.",
        )


def locate_tensors(folder: Path) -> dict[str, Path]:
    """Which safetensors file of the folder holds each tensor.

    Raises:
        ModelError: there is no safetensors file, or one is damaged.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map: dict[str, str] = json.loads(index.read_text())["weight_map"]
        return {name: folder / file for name, file in weight_map.items()}
    located: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with _open(file) as tensors:
            located.update(dict.fromkeys(tensors.keys(), file))
    if not located:
        raise ModelError(
            f"{folder} holds no *.safetensors file.",
            remedy="convert the weights: load them with transformers and `save_pretrained`.",
        )
    return located


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except Exception as error:
        raise ModelError(
            f"{file} cannot be read: {error}.", remedy="copy or download the model folder again."
        ) from error


def _common_prefix(names: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """A bare backbone's files lack the causal LM's first name part (`model.` or the like)."""
    first = next(iter(names)).split(".", 1)[0] + "."
    has_prefix = any(name.startswith(first) for name in files)
    return "" if has_prefix else first


def _read_shard(source: Any, parameter: Any, *, name: str, world: World) -> None:
    shape = tuple(source.get_shape())
    if shape != tuple(parameter.ds_shape):
        raise ModelError(
            f"{name} has shape {list(shape)} in the file and {list(parameter.ds_shape)} by "
            "config.json.",
            remedy="use the config.json that belongs to these weights.",
        )
    if source.get_dtype() not in PLAIN_DTYPES:
        raise ModelError(
            f"{name} is stored as {source.get_dtype()}: quantised weights cannot be trained.",
            remedy="use the model's folder in bfloat16 or float32.",
        )
    shard: Tensor = parameter.ds_tensor
    shard.zero_()  # padding too: memory's leftovers there could be no numbers
    start, stop = shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)
    if stop > start:
        shard[: stop - start].copy_(read_flat(source, start=start, stop=stop))


def read_flat(source: Any, *, start: int, stop: int) -> Tensor:
    """Elements [start, stop) of a flattened safetensors slice, reading only the rows they lie in.

    Args:
        source: `safe_open(...).get_slice(name)`.
        start: first element.
        stop: one past the last; greater than `start`.
    """
    shape = tuple(source.get_shape())
    if len(shape) == 0:
        return torch.as_tensor(source[...]).reshape(1)
    row_elements = 1
    for size in shape[1:]:
        row_elements *= size
    first, last = start // row_elements, (stop - 1) // row_elements + 1
    rows: Tensor = source[first:last]
    return rows.reshape(-1)[start - first * row_elements : stop - first * row_elements]


def _read_buffers(model: nn.Module, files: Mapping[str, Path], *, prefix: str) -> None:
    for name, buffer in model.named_buffers():
        file = files.get(name.removeprefix(prefix))
        if file is not None:
            with _open(file) as tensors:
                buffer.copy_(tensors.get_tensor(name.removeprefix(prefix)))
