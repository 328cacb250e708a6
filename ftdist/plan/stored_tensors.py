"""Where the tensors of a model are stored, read from safetensors headers, without torch."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.errors import ModelError

_MAX_HEADER = 100 * 2**20
_HEADER_LENGTH = struct.Struct("<Q")

_FLOATS = ("F32", "F16", "BF16", "F64")
_INTEGERS = frozenset({"BOOL", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"})


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """Where a tensor is stored."""

    file: Path
    dtype: str
    """In the names of safetensors."""

    shape: tuple[int, ...]
    start: int
    """First byte in the file."""

    end: int


def locate_tensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors in the safetensors files of a model folder, by name.

    Raises:
        ModelError: there are no such files, or one is damaged or quantised.
    """
    return {
        name: tensor for file in weight_files(path) for name, tensor in read_header(file).items()
    }


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one safetensors file, by name, from its header.

    That is 8 bytes of length, little-endian, then JSON.

    Raises:
        ModelError: it is damaged or quantised.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(_HEADER_LENGTH.size)
        length = _HEADER_LENGTH.unpack(start)[0] if len(start) == _HEADER_LENGTH.size else -1
        whole = 0 <= length <= min(_MAX_HEADER, size - _HEADER_LENGTH.size)
        data = _HEADER_LENGTH.size + length
        try:
            header: Any = json.loads(stream.read(length)) if whole else None
            header.pop("__metadata__", None)
            tensors = {
                name: StoredTensor(
                    file=file,
                    dtype=str(tensor["dtype"]),
                    shape=tuple(map(int, tensor["shape"])),
                    start=data + tensor["data_offsets"][0],
                    end=data + tensor["data_offsets"][1],
                )
                for name, tensor in header.items()
            }
        except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
            raise ModelError(
                f"{file} is not a whole safetensors file.", remedy="download it again."
            ) from None
    expected = max((tensor.end for tensor in tensors.values()), default=data)
    if size < expected:
        raise ModelError(
            f"{file} is {size} bytes long and should be {expected}.", remedy="download it again."
        )
    _refuse_quantised({name: tensor.dtype for name, tensor in tensors.items()}, file=file)
    return tensors


def _refuse_quantised(dtypes: Mapping[str, str], *, file: Path) -> None:
    """Weights must be plain floats; buffers such as counters and masks may be integers."""
    for name, dtype in dtypes.items():
        is_integer = dtype in _INTEGERS and not name.endswith("weight")
        if dtype not in _FLOATS and not is_integer:
            raise ModelError(
                f"{file} holds {name} as {dtype}; ftdist trains weights of {', '.join(_FLOATS)}.",
                remedy="take the model's unquantised weights.",
            )


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a model folder.

    Raises:
        ModelError: there are none, or one is missing.
    """
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


def _file_name(name: Any) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise TypeError(name)
    return name
