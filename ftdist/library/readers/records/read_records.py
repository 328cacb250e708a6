"""Row readers: JSONL, JSON, CSV, Parquet, Arrow and YAML files as numbered Python values."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ftdist.io.compression import DAMAGED, open_data
from ftdist.library.readers.encoding import decode
from ftdist.library.readers.records.csv_rows import read_csv
from ftdist.library.readers.records.json_values import json_values
from ftdist.library.readers.records.jsonl_rows import Span, parse_json, read_jsonl
from ftdist.library.readers.records.table_rows import damaged, read_table
from ftdist.library.readers.rows.columns import drop_keys
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.library.schema import BadRowError, Note

MAX_FILE = 512 * 2**20
"""Bytes of the largest JSON, YAML or CSV file, decompressed, which are read whole; others have no
limit.
"""


def read_records(
    path: Path,
    *,
    kind: str,
    span: Span | None = None,
    first_row: int = 1,
    groups: range | None = None,
    settings: RowSettings = BY_FORM,
    header: Collection[str] = (),
    notes: list[Note],
) -> Iterator[tuple[int, Any]]:
    """Numbered rows without dropped keys; a row that cannot be read is replaced by a BadRowError.

    Args:
        path: of the file.
        kind: json, jsonl, csv, parquet, arrow or yaml.
        span: bytes of a JSONL file, starting at a line.
        first_row: number of the first line of the span.
        groups: row groups or record batches of a Parquet or Arrow file; None: all.
        settings: of the source: its encoding, and the keys to leave out.
        header: names of columns, in snake case, by which the header of a CSV file is recognised.
        notes: receives what holds for the file, before the row where it was noticed.
    """
    encoding, drop = settings.encoding, settings.drop_columns
    records: Iterable[tuple[int, Any]]
    try:
        match kind:
            case "arrow" | "parquet":
                records = read_table(path, kind=kind, groups=groups, drop=drop)
            case "json" | "yaml" | "csv":
                text, found = decode(_read_whole(path), encoding=encoding)
                notes += found
                if kind == "csv":
                    records = read_csv(text, header=header, notes=notes)
                else:
                    rows = _json_rows(text) if kind == "json" else _yaml_rows(text)
                    records = enumerate(rows, start=1)
            case _:
                records = read_jsonl(
                    path, span=span, first_row=first_row, encoding=encoding, notes=notes
                )
        for number, value in records:
            yield number, drop_keys(value, drop)
    except BadRowError as error:  # of the whole file
        yield 1, error
    except DAMAGED as error:
        yield 1, damaged(error)


def _read_whole(path: Path) -> bytes:
    with open_data(path) as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise BadRowError(f"is larger than {MAX_FILE >> 20} MiB", "Convert it to JSONL or Parquet.")
    return data


def _json_rows(text: str) -> list[Any]:
    value = parse_json(text)
    if isinstance(value, BadRowError):
        lines = [parse_json(line) for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and not isinstance(lines[0], BadRowError):
            return lines  # rows, one per line
        if values := json_values(text):
            return [row for each in values for row in (each if isinstance(each, list) else [each])]
    if isinstance(value, dict):
        lists = [member for member in value.values() if _is_list_of_objects(member)]
        # {"data": [row, row]}, but not a row that itself contains a list of messages
        if len(lists) == 1 and not value.keys() & {"messages", "conversations"}:
            value = lists[0]
        elif len(value) > 1 and all(isinstance(member, dict) for member in value.values()):
            value = list(value.values())  # {"id of a row": row, ...}
    return value if isinstance(value, list) else [value]


def _yaml_rows(text: str) -> list[Any]:
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


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
