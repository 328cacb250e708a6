"""Rows of probes and texts as lines of JSON, from JSONL or from a table."""

import json
from pathlib import Path

from ftdist.errors import DataError
from ftdist.io.compression import data_suffix, is_compressed

_TABLES = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
}


def has_rows(path: Path) -> bool:
    """Whether a file holds rows, not text."""
    return data_suffix(path) in (*_TABLES, ".jsonl", ".ndjson")


def row_lines(path: Path) -> list[tuple[str, str]]:
    """Where each row is, and its JSON; of a file that is no table, its lines that are not empty.

    Raises:
        DataError: a row of a table cannot be read.
        OSError: the file cannot be read.
        UnicodeDecodeError: it is not UTF-8 text.
    """
    kind = _TABLES.get(data_suffix(path))
    if kind is None and not is_compressed(path):
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
        return [(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    from ftdist.library.readers.records.read_records import (
        read_records,  # pyarrow is slow to import
    )
    from ftdist.library.schema import BadRowError

    rows = []
    for number, row in read_records(path, kind=kind or "jsonl", notes=[]):
        where = f"{path}, row {number}"
        if isinstance(row, BadRowError):
            raise DataError(f"{where} {row}.", remedy=row.remedy or "correct it.")
        rows.append((where, json.dumps(row, default=str)))
    return rows
