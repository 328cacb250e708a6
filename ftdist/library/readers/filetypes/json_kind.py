"""Whether a file holds JSON: one value, lines of JSON, or a notebook."""

import json
from pathlib import Path
from typing import Any

from ftdist.io.compression import open_data
from ftdist.library.readers.records.json_values import json_values

_MAX_LINE = 8 * 2**20
_MAX_WHOLE = 64 * 2**20
_LINES = (".jsonl", ".ndjson")
_BY_SUFFIX = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".ipynb": "notebook"}


def json_kind(path: Path, head: bytes, *, suffix: str) -> str | None:
    """One of json (values over many lines), jsonl, notebook or probes; None: it is not JSON.

    A file that has a suffix of JSON is JSON even if it cannot be parsed; any other has to be
    valid, at least its first line.
    """
    by_suffix = _BY_SUFFIX.get(suffix)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return by_suffix
    if b'"cell_type"' in head and b'"cells"' in head:
        return "notebook"
    first, second = _first_lines(path)
    value, end = _parse(first)
    if _is_row(value):
        return _kind_of(value, has_more=bool(second), suffix=suffix)
    if len(first) >= _MAX_LINE:
        return by_suffix
    is_begun = first == "[" or (end >= len(first) - 1 and not _is_row(_parse(second)[0]))
    if is_begun and (by_suffix == "jsonl" or (by_suffix is None and _is_json(path))):
        return "json"
    return by_suffix


def _is_row(value: Any) -> bool:
    """Whether it may be a row or a list of rows; the number in "[1]" is neither."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, dict | list | str) for each in value)
    return isinstance(value, dict) and bool(value)


def _kind_of(value: Any, *, has_more: bool, suffix: str) -> str:
    """The kind of a file whose first line is a whole value."""
    if isinstance(value, dict) and {"cells", "nbformat"} <= value.keys():
        return "notebook"
    if isinstance(value, dict) and {"kind", "question", "keys"} <= value.keys():
        return "probes"
    if isinstance(value, list) and value and all(isinstance(each, dict | list) for each in value):
        return "json"
    return "jsonl" if has_more or suffix in _LINES else "json"


def _first_lines(path: Path) -> tuple[str, str]:
    """The first two lines that are not empty."""
    lines: list[str] = []
    with open_data(path) as file:
        while len(lines) < 2 and (line := file.readline(_MAX_LINE)):
            text = line.decode("utf-8-sig", "replace").strip("\r\n\t ")
            lines += [text] if text else []
    return (*lines, "", "")[0], (*lines, "", "")[1]


def _parse(line: str) -> tuple[Any, int]:
    """The value of a line, or None and how far it is JSON."""
    try:
        return json.loads(line), len(line)
    except json.JSONDecodeError as error:
        return None, error.pos
    except (ValueError, RecursionError):
        return None, 0


def _is_json(path: Path) -> bool:
    """Whether the whole file is JSON: one value after another."""
    with open_data(path) as file:
        data = file.read(_MAX_WHOLE + 1)
    return len(data) <= _MAX_WHOLE and bool(json_values(data.decode("utf-8-sig", "replace")))
