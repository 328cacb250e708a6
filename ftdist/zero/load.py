"""Models in ZeRO-3 shards: each rank reads only its own slices of the weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ftdist.config.schema import ModelConfig
from ftdist.dist.device import TORCH_DTYPE, Device, Dtype
from ftdist.dist.world import World
from ftdist.errors import ModelError
from ftdist.nn.model import build_model
from ftdist.plan.output_head import differing_alias
from ftdist.zero.resharding import shard_range

PLAIN_DTYPES = ("F64", "F32", "F16", "BF16")
"""safetensors' names of dtypes that are not quantised."""

COMPUTED_BUFFERS = (".inv_freq", ".masked_bias", ".attn.bias", ".attention.bias")
"""Name endings of buffers that older folders store although models compute them."""


def load_sharded_model(
    config: ModelConfig,
    settings: dict[str, Any],
    *,
    world: World,
    device: Device,
    dtype: Dtype,
    activation_checkpointing: str,
) -> nn.Module:
    """The model of `config.path`, sharded unchanged built. Collective.

    Args:
        config: names the folder and the attention kernel.
        settings: DeepSpeed's.
        world: this rank.
        device: that it will run on.
        dtype: of the parameters.
        activation_checkpointing: layers that recompute their activations: none, selective or full.
    """
    from deepspeed import zero

    model = build_model(
        config.path,
        dtype=TORCH_DTYPE[dtype],
        attention=config.attention,
        device=device,
        activation_checkpointing=activation_checkpointing,
        # transformers applies the dtype to parameters alone; DeepSpeed would round the rotary
        # frequencies to it too.
        sharding=zero.Init(
            config_dict_or_path=settings,
            tensor_overrides=[zero.DeepSpeedTensorOverride.device],
        ),
    )
    read_weights(model, Path(config.path), world=world)
    return model


def read_weights(model: nn.Module, folder: Path, *, world: World) -> None:
    """Fill this rank's shard of every parameter from the folder's safetensors files.

    ZeRO-3 flattens and pads a parameter, and gives each rank one contiguous slice. A rank reads
    only the rows of the file that its slice is in, without communication.

    Args:
        model: built under `deepspeed.zero.Init`, so that each parameter has its shard `ds_tensor`.
        folder: `*.safetensors`, with `model.safetensors.index.json` if there are several.
        world: this rank.

    Raises:
        ModelError: a parameter is missing or has another shape, or a file is damaged.
    """
    names = dict(model.named_parameters())
    files = locate_tensors(folder)
    prefix = _common_prefix(names, files)
    _refuse_leftovers(model, files, prefix=prefix, folder=folder)
    missing = sorted(name for name in names if name.removeprefix(prefix) not in files)
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of {len(names)} parameters (first: {missing[0]}).",
            remedy="use a folder written by `save_pretrained` of this version of transformers.",
        )
    _refuse_differing_aliases(model, files, prefix=prefix, folder=folder, world=world)
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
                # hpZ's copy is of what stood there before; DeepSpeed makes a new one.
                vars(names[name])["ds_secondary_tensor"] = None
    _read_buffers(model, files, prefix=prefix)


def _refuse_leftovers(
    model: nn.Module, files: Mapping[str, Path], *, prefix: str, folder: Path
) -> None:
    """Refuse weights that the model does not have: config.json describes another model."""
    known = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    known |= {name for name, _ in model.named_buffers()}
    extra = sorted(
        name for name in files if prefix + name not in known and not name.endswith(COMPUTED_BUFFERS)
    )
    if extra:
        raise ModelError(
            f"{folder} holds {len(extra)} tensors that are not part of the model in its "
            f"config.json (first: {extra[0]}).",
            remedy="use the config.json that belongs to these weights.",
        )


def _refuse_differing_aliases(
    model: nn.Module, files: Mapping[str, Path], *, prefix: str, folder: Path, world: World
) -> None:
    """Refuse a stored tensor that differs from the parameter whose other name it has."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    parameter: Any
    for alias, parameter in model.named_parameters(remove_duplicate=False):
        name = names[id(parameter)]
        pair = [each.removeprefix(prefix) for each in (alias, name)]
        if alias == name or pair[0] not in files:
            continue
        sizes = shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)
        shards = [_read_range(files[each], each, *sizes) for each in pair]
        if not torch.equal(*shards):
            raise differing_alias(folder, pair[0], of=pair[1])


def _read_range(file: Path, name: str, start: int, stop: int) -> Tensor:
    with _open(file) as tensors:
        source = tensors.get_slice(name)
        if stop <= start:
            return torch.empty(0)
        return read_flat(source, start=start, stop=stop).float()


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
            remedy="convert the weights: load them with transformers and call `save_pretrained`.",
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
    """The prefix (such as `model.`) that names in the files of a bare backbone lack."""
    first = next(iter(names)).split(".", 1)[0] + "."
    has_prefix = any(name.startswith(first) for name in files)
    return "" if has_prefix else first


def _read_shard(source: Any, parameter: Any, *, name: str, world: World) -> None:
    shape = tuple(source.get_shape())
    if shape != tuple(parameter.ds_shape):
        raise ModelError(
            f"{name} has shape {list(shape)} in the file, but {list(parameter.ds_shape)} according "
            "to config.json.",
            remedy="use the config.json that belongs to these weights.",
        )
    if source.get_dtype() not in PLAIN_DTYPES:
        raise ModelError(
            f"{name} is stored as {source.get_dtype()}: quantised weights cannot be trained.",
            remedy="use the model's folder in bfloat16 or float32.",
        )
    shard: Tensor = parameter.ds_tensor
    shard.zero_()  # the padding too: uninitialised memory could hold NaN
    start, stop = shard_range(parameter.ds_numel, rank=world.rank, world_size=world.size)
    if stop > start:
        shard[: stop - start].copy_(read_flat(source, start=start, stop=stop))


def read_flat(source: Any, *, start: int, stop: int) -> Tensor:
    """Elements [start, stop) of a flattened safetensors slice; reads only the rows they are in.

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
