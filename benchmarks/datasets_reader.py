"""`datasets` as the independent reader: what it loads equals what ftdist reads, row for row.

    python -m benchmarks.datasets_reader [--rows 20000] [--processes 2] [--folder FOLDER]

Rows are made on the spot, as JSONL and as Parquet. `datasets` loads each file into its own cache;
workers of ftdist read the files portion by portion, as for training, and compare each row with the
one of the same number in the cache. The folder needs about four times the size of the JSONL.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet

from benchmarks.measure import MemorySampler
from ftdist.io.worker_pool import map_in_order
from ftdist.library.schema import Conversation
from ftdist.library.sources.reference import DataReference
from ftdist.prepare.data_files import find_files
from ftdist.prepare.portions import Part, parts_of

FORMATS = ("jsonl", "parquet")
_SCHEMA = pyarrow.schema(
    [("question", pyarrow.string()), ("answer", pyarrow.string()), ("system", pyarrow.string())]
)
_ROWS_AT_ONCE = 20_000
_PORTION_BYTES = 8 << 20
_COMPARED_AT_ONCE = 1000


class Compared(NamedTuple):
    """Rows of one part, as ftdist reads them and as `datasets` has them."""

    first: int
    rows: int
    differences: int
    example: str


class _Task(NamedTuple):
    part: Part
    cache: Path
    rows: int


def main() -> int:
    """Compare, print what was measured, and fail where a row differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the files; it is emptied of them")
    parser.add_argument("--formats", nargs="*", choices=FORMATS, default=FORMATS)
    args = parser.parse_args()
    differences = 0
    for form in args.formats:
        with tempfile.TemporaryDirectory(dir=args.folder, prefix="rows-") as folder:
            line = compare(Path(folder), form, rows=args.rows, processes=args.processes)
        sys.stdout.write(json.dumps(line) + "\n")
        differences += line["differences"]
    return int(differences > 0)


def compare(folder: Path, form: str, *, rows: int, processes: int) -> dict[str, Any]:
    """Write rows in one format, read them both ways, and compare; without workers if 0."""
    path = folder / f"rows.{form}"
    with MemorySampler(_family) as memory:
        began = time.perf_counter()
        WRITERS[form](path, make_rows(rows))
        written = time.perf_counter()
        assert len(load(path, folder / "cache")) == rows
        loaded = time.perf_counter()
        files = find_files(DataReference(path=str(path)), key="library.path")
        parts = parts_of(files, source="library", portion_bytes=_PORTION_BYTES)
        tasks = [_Task(part, folder / "cache", rows) for _, part in parts]
        compared = (
            list(map_in_order(compare_part, tasks, processes=processes, on_crash=_refuse))
            if processes
            else list(map(compare_part, tasks))
        )
        done = time.perf_counter()
    firsts = [part.first for part in compared]
    ends = [part.first + part.rows for part in compared]
    assert [1, *ends] == [*firsts, rows + 1], "parts overlap, or rows are missing"
    peaks = memory.peaks_gib(until=time.time())
    return {
        "format": form,
        "rows": rows,
        "mib": path.stat().st_size >> 20,
        "equal": sum(part.rows - part.differences for part in compared),
        "differences": sum(part.differences for part in compared),
        "example": next((part.example for part in compared if part.example), ""),
        "write_s": round(written - began),
        "datasets_loads_s": round(loaded - written),
        "ftdist_reads_and_compares_s": round(done - loaded),
        "parent_gib": round(peaks[0], 2),
        "largest_worker_gib": round(max(peaks[1:], default=0.0), 2),
        "disk_mib": sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) >> 20,
    }


def make_rows(number: int) -> Iterator[pyarrow.Table]:
    """Short rows; some with a system message, line breaks, or letters beyond the usual planes."""
    for start in range(0, number, _ROWS_AT_ONCE):
        at = np.arange(start, min(start + _ROWS_AT_ONCE, number))
        ends = np.where(at % 97 == 0, ' \U0001f4a1\n\tis "loose".', ".")
        system = _joined("Answer as page ", at % 300, ".")
        yield pyarrow.table(
            {
                "question": _joined("What does code ", at, " of the lamp mean?"),
                "answer": _joined("Part ", at * 7919 % 1013, ends),
                "system": pc.if_else(pyarrow.array(at % 1001 == 0), system, None),
            }
        )


def _joined(before: str, numbers: npt.NDArray[np.int64], after: Any) -> Any:
    texts = pc.cast(pyarrow.array(numbers), pyarrow.string())
    after = after if isinstance(after, str) else pyarrow.array(after, pyarrow.string())
    return pc.binary_join_element_wise(before, texts, after, "")


def write_jsonl(path: Path, tables: Iterable[pyarrow.Table]) -> None:
    """One row a line."""
    with path.open("w", encoding="utf-8") as file:
        for table in tables:
            frame = table.to_pandas()
            frame.to_json(file, orient="records", lines=True, force_ascii=False)


def write_parquet(path: Path, tables: Iterable[pyarrow.Table]) -> None:
    """Row groups of some thousand rows."""
    with pyarrow.parquet.ParquetWriter(path, _SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)


WRITERS = {"jsonl": write_jsonl, "parquet": write_parquet}


def load(path: Path, cache: Path) -> Any:
    """The table of a file, memory-mapped; a second call finds it in the cache."""
    import datasets

    datasets.disable_progress_bars()
    form = {".jsonl": "json"}.get(path.suffix, path.suffix[1:])
    return datasets.load_dataset(form, data_files=str(path), split="train", cache_dir=str(cache))


def compare_part(task: _Task) -> Compared:
    """Compare the rows of a part; the entry point of workers."""
    table = load(task.part.path, task.cache).with_format("arrow")
    first = number = differences = 0
    example = ""
    theirs: list[dict[str, Any]] = []
    for row in task.part.rows:
        assert row.location.row is not None
        first = first or row.location.row
        at = number % _COMPARED_AT_ONCE
        if at == 0:
            start = first - 1 + number
            end = min(start + _COMPARED_AT_ONCE, task.rows)
            theirs = table[start:end].to_pylist() if start < end else []
        expected = messages_of(theirs[at]) if at < len(theirs) else None
        ours = list(row.messages) if isinstance(row, Conversation) else row
        if ours != expected or row.location.row != first + number:
            differences += 1
            example = example or f"{row.location}: {ours!r}, not {expected!r}"
        number += 1
    return Compared(first, number, differences, example)


def messages_of(row: dict[str, Any]) -> list[dict[str, str]]:
    """What a row says."""
    pairs = zip(("system", "user", "assistant"), ("system", "question", "answer"), strict=True)
    return [{"role": role, "content": row[key]} for role, key in pairs if row[key] is not None]


def _refuse(task: _Task) -> Compared:
    raise AssertionError(f"the worker that reads {task.part} died")


def _family() -> list[int]:
    return [os.getpid(), *(child.pid or 0 for child in multiprocessing.active_children())]


if __name__ == "__main__":
    sys.exit(main())
