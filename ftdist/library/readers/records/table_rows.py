"""Rows of Parquet and Arrow files, a batch at a time: also of `datasets` (streams) and Feather."""

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from ftdist.io.compression import DAMAGED, decompressed_file, is_compressed
from ftdist.library.schema import BadRowError

_BATCH = 256
_ARROW_FILE = b"ARROW1"
_NAMES = {"parquet": "Parquet", "arrow": "an Arrow file"}


def read_table(
    path: Path, *, kind: str, groups: range | None = None, drop: Collection[str] = ()
) -> Iterator[tuple[int, Any]]:
    """Numbered rows of a table; after the first that cannot be read, a BadRowError ends them.

    Args:
        path: of the file.
        kind: parquet or arrow.
        groups: of the row groups or record batches of the file; None: all.
        drop: columns to leave out; they are not read.
    """
    number = 0
    try:
        with decompressed_file(path) as file:
            number = sum(islice(_group_sizes(file, kind=kind), groups.start)) if groups else 0
            batches = _parquet_batches if kind == "parquet" else _arrow_batches
            for batch in batches(file, groups, drop=drop):
                nested = [field.name for field in batch.schema if _depth(field.type) > 1]
                for first in range(0, batch.num_rows, _BATCH):
                    for value in batch.slice(first, _BATCH).to_pylist():
                        number += 1
                        yield number, value | {at: without_nulls(value[at]) for at in nested}
    except MemoryError:  # pyarrow's is an ArrowException too
        raise
    except UnicodeDecodeError:
        yield number + 1, BadRowError("is not UTF-8 text", "Write it as UTF-8.")
    except DAMAGED as error:
        yield number + 1, damaged(error)
    except (pyarrow.ArrowException, OSError) as error:
        reason = f"cannot be read as {_NAMES[kind]}: {str(error).partition(chr(10))[0]}"
        remedy = "Copy or download it again: it may be cut off." if number == 0 else _REMEDY
        yield number + 1, BadRowError(reason.rstrip("."), remedy)


_REMEDY = "Copy, download or write it again."


def damaged(error: Exception) -> BadRowError:
    """Why a compressed file cannot be read."""
    return BadRowError(f"cannot be decompressed: {error}", "Copy, download or compress it again.")


def _depth(kind: Any) -> int:
    """How deep objects are nested in a type."""
    if pyarrow.types.is_struct(kind):
        return 1 + max((_depth(field.type) for field in kind), default=0)
    is_list = pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)
    return _depth(kind.value_type) if is_list else 0


def without_nulls(value: Any) -> Any:
    """A value without the members that only other rows of its table have, such as arguments."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def split_table(path: Path, *, kind: str, group_bytes: int) -> list[range | None]:
    """Ranges of row groups or record batches of about so many bytes; None: the whole file.

    A file that is compressed, small or damaged is not split.
    """
    size = path.stat().st_size
    if size <= group_bytes or is_compressed(path):
        return [None]
    try:
        groups = sum(1 for _ in _group_sizes(path, kind=kind))
    except (pyarrow.ArrowException, OSError):
        return [None]  # its reader says what is wrong with it
    step = max(1, groups * group_bytes // size)
    return [range(first, min(first + step, groups)) for first in range(0, groups, step)] or [None]


def _group_sizes(path: Path, *, kind: str) -> Iterator[int]:
    """The number of rows of each row group or record batch; no row is read."""
    if kind == "parquet":
        with pyarrow.parquet.ParquetFile(path) as file:
            for group in range(file.metadata.num_row_groups):
                yield file.metadata.row_group(group).num_rows
        return
    for batch in _arrow_batches(path, None, drop=()):
        yield batch.num_rows


def _parquet_batches(path: Path, groups: range | None, *, drop: Collection[str]) -> Iterator[Any]:
    with pyarrow.parquet.ParquetFile(path) as file:
        columns = [name for name in file.schema_arrow.names if name not in drop]
        for group in range(file.num_row_groups) if groups is None else groups:  # one in memory
            yield from file.iter_batches(batch_size=_BATCH, row_groups=[group], columns=columns)


def _arrow_batches(path: Path, groups: range | None, *, drop: Collection[str]) -> Iterator[Any]:
    """The record batches of an Arrow file or stream, mapped into memory."""
    for batch in _all_columns(path, groups):
        dropped = [name for name in batch.schema.names if name in drop]
        yield batch.drop_columns(dropped) if dropped else batch


def _all_columns(path: Path, groups: range | None) -> Iterator[Any]:
    if path.stat().st_size == 0:
        raise pyarrow.ArrowInvalid("the file is empty")
    with pyarrow.memory_map(str(path)) as file:
        if file.read(len(_ARROW_FILE)) == _ARROW_FILE:
            file.seek(0)
            with pyarrow.ipc.open_file(file) as reader:
                for index in range(reader.num_record_batches) if groups is None else groups:
                    yield reader.get_batch(index)
            return
        file.seek(0)
        with pyarrow.ipc.open_stream(file) as stream:
            first, end = (groups.start, groups.stop) if groups else (0, None)
            yield from islice(stream, first, end)
