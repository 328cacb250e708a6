"""Read Weights & Biases' transaction log (`run-ID.wandb`) back.

The frame is LevelDB's log format, begun by a header of 7 bytes; each record is one of wandb's own
protobuf messages. A tail cut off by a killed writer ends the log; a wrong checksum is an error.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

_BLOCK = 32768
_HEADER = struct.Struct("<IHB")  # crc32, length, kind
_FILE_HEADER = struct.Struct("<4sHB")  # name, magic, version
_WHOLE, _FIRST, _LAST = 1, 2, 4


def find_logs(folder: Path) -> list[Path]:
    """The transaction logs of all attempts below a run's `wandb` folder, oldest first."""
    return sorted(folder.glob("*run-*/run-*.wandb"))


def records(path: Path) -> Iterator[Any]:
    """Every whole record of a log.

    Raises:
        ValueError: this is no such log, or a checksum is wrong.
    """
    data = path.read_bytes()
    if data[: _FILE_HEADER.size] != _FILE_HEADER.pack(b":W&B", 0xBEE1, 0):
        raise ValueError(f"{path} is not a .wandb file")
    position, parts = _FILE_HEADER.size, b""
    while position + _HEADER.size <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEADER.size:
            position += left  # too short for a header: padding up to the next block
            continue
        checksum, length, kind = _HEADER.unpack_from(data, position)
        start = position + _HEADER.size
        part = data[start : start + length]
        if kind == 0 or len(part) < length:
            return
        if zlib.crc32(bytes([kind]) + part) != checksum:
            raise ValueError(f"{path}: wrong checksum at byte {position}")
        parts = part if kind in (_WHOLE, _FIRST) else parts + part
        if kind in (_WHOLE, _LAST):
            yield Record.FromString(parts)
        position = start + length


def history(path: Path) -> list[dict[str, Any]]:
    """The rows that were logged, wandb's own columns (`_step`, ...) included."""
    return [_items(record.history.item) for record in _of_kind(path, "history")]


def config(path: Path) -> dict[str, Any]:
    """The run's config, later updates over earlier ones."""
    shown: dict[str, Any] = {}
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                shown |= _items(record.run.config.update)
            case "config":
                shown |= _items(record.config.update)
    return shown


def metric_axes(path: Path) -> dict[str, str]:
    """Which metrics (or globs of them) are drawn over which other metric."""
    return {
        record.metric.name or record.metric.glob_name: record.metric.step_metric
        for record in _of_kind(path, "metric")
    }


def run_id(path: Path) -> str:
    """The id of the run that the log is a part of."""
    return next(str(record.run.run_id) for record in _of_kind(path, "run"))


def host(path: Path) -> str:
    """The host's name in W&B's files."""
    return next(str(record.run.host) for record in _of_kind(path, "run"))


def exit_code(path: Path) -> int | None:
    """The exit code it was finished with; None for a log that was cut off."""
    return next((int(record.exit.exit_code) for record in _of_kind(path, "exit")), None)


def _of_kind(path: Path, kind: str) -> Iterator[Any]:
    return (record for record in records(path) if record.WhichOneof("record_type") == kind)


def _items(items: Iterable[Any]) -> dict[str, Any]:
    return {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for item in items
        if item.value_json
    }
