"""Sizes of a base model, read from config.json and the safetensors headers, without torch."""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftdist.errors import ModelError

_MAX_HEADER = 100 * 2**20
_HEADER_LENGTH = struct.Struct("<Q")

_HIDDEN = ("hidden_size", "n_embd", "d_model")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx")

_EXPERTS = (
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_num_experts",
    "n_experts",
    "num_routed_experts",
)
_FLOATS = ("F32", "F16", "BF16", "F64")
_INTEGERS = frozenset({"BOOL", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"})


def model_name(folder: str) -> str:
    """The usual name of the model in a folder: `owner/name` for one from the hub."""
    parts = Path(folder).parts
    if len(parts) > 2 and parts[-2] == "snapshots" and parts[-3].startswith("models--"):
        return parts[-3].removeprefix("models--").replace("--", "/")
    return Path(folder).name


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """Sizes of a base model."""

    parameters: int
    """All elements in its files; a tied head counts once."""

    largest_parameter: int
    """Elements of the largest single parameter."""

    hidden_size: int
    layers: int
    vocab_size: int

    max_position: int | None
    """Its maximum position count; None: the config does not set one."""

    model_type: str
    tied: bool
    """Whether the output head is the input embedding."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of the tensors in its files, by name."""


def read_model_info(path: Path) -> ModelInfo:
    """Sizes of the model in the folder `path`.

    Raises:
        ModelError: no such folder, no config.json, no safetensors, or a damaged header.
    """
    if not path.is_dir():
        raise ModelError(
            f"There is no model folder {path}.",
            remedy="set model.path to a folder with config.json and *.safetensors.",
        )
    config = _read_config(path)
    shapes = dict(shape for file in _weight_files(path) for shape in _tensor_shapes(file))
    if not shapes:
        raise ModelError(
            f"The safetensors files in {path} hold no tensors.",
            remedy="download the model again.",
        )
    sizes = [math.prod(shape) for shape in shapes.values()]
    has_head = any(name.endswith("lm_head.weight") for name in shapes)
    return ModelInfo(
        parameters=sum(sizes),
        largest_parameter=max(sizes),
        hidden_size=_size(config, _HIDDEN, path=path),
        layers=_size(config, _LAYERS, path=path),
        vocab_size=_size(config, ("vocab_size",), path=path),
        max_position=_optional_size(config, _POSITIONS, path=path),
        model_type=str(config.get("model_type", "unknown")),
        tied=bool(config.get("tie_word_embeddings", not has_head)),
        shapes=shapes,
    )


def untrainable(path: Path) -> Iterator[ModelError]:
    """The reasons in config.json why ftdist cannot train a model; none if it cannot be read."""
    try:
        config = _read_config(path)
    except ModelError:
        return
    kind = config.get("model_type", "this model")
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    counts = [(name, part.get(name)) for part in parts for name in _EXPERTS]
    experts = {n: c for n, c in counts if isinstance(c, int) and c > 1}
    for name, count in list(experts.items())[:1]:
        yield ModelError(
            f"{kind} is a mixture of {count} experts ({name} in {path / 'config.json'}), which "
            "ftdist does not train yet: ranks would gather different experts and wait for each "
            "other.",
            remedy="choose a model without experts (a dense one).",
        )
    if any(part.get("quantization_config") for part in parts):
        yield ModelError(
            f"{path / 'config.json'} has a quantization_config: ftdist trains all weights, and "
            "quantised ones cannot be trained.",
            remedy="take the model's unquantised weights.",
        )


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path} has no config.json, so it is not a Hugging Face model folder.",
            remedy="set model.path to the folder that holds config.json and *.safetensors.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}.", remedy="download it again.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{file} is not a JSON object.", remedy="download it again.")
    inner = config.get("text_config")  # the language model of a multimodal model
    return {**config, **inner} if isinstance(inner, dict) else config


def _weight_files(path: Path) -> list[Path]:
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            placed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            names = sorted({_file_name(name) for name in placed.values()})
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ModelError(
                f"{index} is not a table of tensors and the files that hold them.",
                remedy="download it again.",
            ) from None
        files = [path / name for name in names]
        absent = [file.name for file in files if not file.is_file()]
        if absent:
            raise ModelError(
                f"{path} lacks {len(absent)} of {len(files)} weight files: {', '.join(absent)}.",
                remedy="download the model again.",
            )
        return files
    files = sorted(path.glob("*.safetensors"))
    if not files:
        others = sorted(file.name for file in (*path.glob("*.bin"), *path.glob("*.pt*")))
        contents = f"only {', '.join(others)}, which hold pickled code" if others else "no weights"
        raise ModelError(
            f"{path} has {contents}; ftdist reads *.safetensors.",
            remedy="take the model's safetensors files, or save it again with transformers.",
        )
    return files


def _tensor_shapes(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes in a safetensors header: 8 bytes of length, little-endian, then JSON."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(_HEADER_LENGTH.size)
        length = _HEADER_LENGTH.unpack(start)[0] if len(start) == _HEADER_LENGTH.size else -1
        whole = 0 <= length <= min(_MAX_HEADER, size - _HEADER_LENGTH.size)
        try:
            header: Any = json.loads(stream.read(length)) if whole else None
            header.pop("__metadata__", None)
            shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in header.items()}
            dtypes = {name: str(tensor["dtype"]) for name, tensor in header.items()}
            end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise ModelError(
                f"{file} is not a whole safetensors file.", remedy="download it again."
            ) from None
    expected = _HEADER_LENGTH.size + length + end
    if size < expected:
        raise ModelError(
            f"{file} is {size} bytes long and should be {expected}.", remedy="download it again."
        )
    _refuse_quantised(dtypes, file=file)
    yield from shapes.items()


def _refuse_quantised(dtypes: Mapping[str, str], *, file: Path) -> None:
    """Weights must be plain floats; buffers such as counters and masks may be integers."""
    for name, dtype in dtypes.items():
        is_integer = dtype in _INTEGERS and not name.endswith("weight")
        if dtype not in _FLOATS and not is_integer:
            raise ModelError(
                f"{file} holds {name} as {dtype}; ftdist trains weights of {', '.join(_FLOATS)}.",
                remedy="take the model's unquantised weights.",
            )


def _file_name(name: Any) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise TypeError(name)
    return name


def _size(config: dict[str, Any], names: tuple[str, ...], *, path: Path) -> int:
    """The first of some keys of config.json that is set; one of them must be."""
    size = _optional_size(config, names, path=path)
    if size is None:
        raise ModelError(
            f"{path / 'config.json'} says no {names[0]}.",
            remedy="take a causal language model in Hugging Face format.",
        )
    return size


def _optional_size(config: dict[str, Any], names: tuple[str, ...], *, path: Path) -> int | None:
    for name in names:
        value = config.get(name)
        if value is None or value == 0:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ModelError(
                f"{path / 'config.json'} says {name}={str(value)[:40]!r}, which is no whole number "
                "above 0.",
                remedy="correct it, or download the model again.",
            )
        return value
    return None
