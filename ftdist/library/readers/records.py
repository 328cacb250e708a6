"""Row readers: JSONL, JSON, CSV, Parquet and YAML files as numbered Python values."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet
import yaml

from ftdist.library.readers.encoding import decode
from ftdist.library.schema import BadRowError

MAX_LINE = 64 * 2**20
"""Bytes of the longest line that is read; longer ones are skipped."""

MAX_FILE = 512 * 2**20
"""Bytes of the largest JSON, YAML or CSV file, which are read whole; JSONL has no limit."""

_BOM = b"\xef\xbb\xbf"

Span = tuple[int, int]
"""First byte, and the one after the last."""


def read_records(
    path: Path, *, kind: str, span: Span | None = None, first_row: int = 1
) -> Iterator[tuple[int, Any]]:
    """Numbered rows; a row that cannot be read is replaced by a BadRowError.

    Args:
        path: of the file.
        kind: json, jsonl, csv, parquet or yaml.
        span: bytes of a JSONL file, starting at a line.
        first_row: number of the first line of the span.
    """
    if kind in ("json", "yaml", "csv") and path.stat().st_size > MAX_FILE:
        yield 1, BadRowError(f"is larger than {MAX_FILE >> 20} MiB", "Convert it to JSONL.")
        return
    try:
        match kind:
            case "parquet":
                yield from _read_parquet(path)
            case "json":
                yield from enumerate(_json_rows(path), start=1)
            case "csv":
                yield from _read_csv(path)
            case "yaml":
                yield from enumerate(_yaml_rows(path), start=1)
            case _:
                yield from _read_jsonl(path, span=span, first_row=first_row)
    except BadRowError as error:  # of the whole file
        yield 1, error


def split_jsonl(path: Path, *, span_bytes: int) -> list[tuple[Span, int]]:
    """Spans of a JSONL file that start at lines, each with the number of its first line."""
    size = path.stat().st_size
    spans: list[tuple[Span, int]] = []
    first, row = 0, 1
    with path.open("rb") as file:
        while first < size:
            end = _next_line(file, first + span_bytes, size=size)
            spans.append(((first, end), row))
            row += _count_lines(file, first, end)
            first = end
    return spans


def _next_line(file: BinaryIO, offset: int, *, size: int) -> int:
    """The first byte after the line that contains byte `offset`."""
    if offset >= size:
        return size
    file.seek(offset)
    while chunk := file.read(2**20):
        newline = chunk.find(b"\n")
        if newline >= 0:
            return file.tell() - len(chunk) + newline + 1
    return size


def _count_lines(file: BinaryIO, first: int, end: int) -> int:
    file.seek(first)
    lines, left = 0, end - first
    while left > 0 and (chunk := file.read(min(left, 2**20))):
        lines += chunk.count(b"\n")
        left -= len(chunk)
    return lines


def _read_jsonl(path: Path, *, span: Span | None, first_row: int) -> Iterator[tuple[int, Any]]:
    first, end = span or (0, path.stat().st_size)
    with path.open("rb") as file:
        file.seek(first)
        row = first_row
        while file.tell() < end:
            line = file.readline(MAX_LINE)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(2**20)) and not rest.endswith(b"\n"):
                    pass
                reason = f"is longer than {MAX_LINE >> 20} MiB"
                yield row, BadRowError(reason, "Split it, or remove it.")
            else:
                text = line.removeprefix(_BOM) if first == 0 and row == first_row else line
                if text.strip():
                    yield row, _parse_json(text)
            row += 1


def _json_rows(path: Path) -> list[Any]:
    value = _parse_json(path.read_bytes().removeprefix(_BOM))
    if isinstance(value, dict):
        lists = [member for member in value.values() if _is_list_of_objects(member)]
        # {"data": [row, row]}, but not a row that itself contains a list of messages
        if len(lists) == 1 and not value.keys() & {"messages", "conversations"}:
            value = lists[0]
        elif len(value) > 1 and all(isinstance(member, dict) for member in value.values()):
            value = list(value.values())  # {"id of a row": row, ...}
    return value if isinstance(value, list) else [value]


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    text, _ = decode(path.read_bytes())
    csv.field_size_limit(MAX_LINE)
    lines = text.splitlines(keepends=True)
    separator = max(",;\t|", key="".join(lines[:1]).count)
    reader = csv.DictReader(lines, delimiter=separator, restkey="")
    try:
        for number, row in enumerate(reader, start=1):
            if row.pop("", None):
                reason = "has more cells than the header"
                yield number, BadRowError(reason, "Quote cells that contain the separator.")
            elif any(row.values()):
                yield number, {key.strip(): value for key, value in row.items() if key}
    except csv.Error as error:
        yield reader.line_num, BadRowError(f"is not valid CSV ({error})", "Save it as CSV again.")


def _yaml_rows(path: Path) -> list[Any]:
    text, _ = decode(path.read_bytes())
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(text, Loader=loader)  # a safe loader: data only
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a 13th month
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else str(error)
        reason = f"is not valid YAML ({where})"
        raise BadRowError(reason, "Correct it, or convert it to JSONL.") from error
    if isinstance(value, dict) and isinstance(value.get("conversations"), list):
        value = value["conversations"]
    return value if isinstance(value, list) else [value]


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for value in batch.to_pylist():
                    number += 1
                    yield number, value
    except UnicodeDecodeError:
        yield number + 1, BadRowError("is not UTF-8 text", "Write it as UTF-8.")
    except (pyarrow.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        yield number + 1, BadRowError(f"cannot be read as Parquet: {first_line}")


def _parse_json(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadRowError(f"is not UTF-8 text (byte {error.start + 1})", "Save it as UTF-8.")
    except json.JSONDecodeError as error:
        return BadRowError(f"is not valid JSON ({error.msg} at character {error.pos + 1})")
    except (ValueError, RecursionError) as error:  # too many digits, too many brackets
        return BadRowError(f"is not JSON that can be read ({error})")


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
