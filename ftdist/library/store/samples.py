"""Files of samples: Parquet in row groups of bounded size, read portion by portion.

Fields of tools, reasoning and context are columns of a library only if some sample of it uses them:
in a file with a column `tool_calls` every message has one, null or not, and chat templates take a
null for a call. Within a curation, files have all columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow
from pyarrow import parquet

from ftdist.errors import DataError
from ftdist.library.readers.records.table_rows import without_nulls
from ftdist.library.schema import WITHOUT_NEW_FACT, Conversation, Location, Passage, Sample

SUFFIX = ".parquet"
GROUP_SAMPLES = 4096
GROUP_BYTES = 8 << 20
"""Limits of a row group; a longer sample has one of its own."""

_BATCH = 256
_NO_LABELS: Mapping[str, str] = MappingProxyType({})
_BATCH_CHARACTERS = 1 << 20

_TEXT = pyarrow.string()
_CALL = pyarrow.struct(
    [
        ("type", _TEXT),
        ("function", pyarrow.struct([("name", _TEXT), ("arguments", _TEXT)])),
        ("id", _TEXT),
    ]
)
_MESSAGE = pyarrow.struct(
    [
        ("role", _TEXT),
        ("content", _TEXT),
        ("reasoning_content", _TEXT),
        ("tool_calls", pyarrow.list_(_CALL)),
        ("tool_call_id", _TEXT),
        ("name", _TEXT),
        ("weight", pyarrow.int8()),
    ]
)
SCHEMA = pyarrow.schema(
    [
        ("messages", pyarrow.list_(_MESSAGE)),
        ("tools", _TEXT),
        ("text", _TEXT),
        ("location", _TEXT),
        ("section", _TEXT),
        ("context", _TEXT),
        ("made_by", _TEXT),
        ("doc_id", _TEXT),
    ]
)
"""A row is a conversation where `messages` is not empty, else a passage."""

_NEEDED = (
    "messages.list.element.role",
    "messages.list.element.content",
    *("text", "location", "section", "made_by", "doc_id"),
)

_OPTIONAL = ("tools", "context")
"""Columns that a library has only if some sample uses them; null in the others."""


class Written(NamedTuple):
    """What a file of samples holds."""

    samples: int
    size: int
    """Bytes in memory, as Arrow holds them."""


def write_samples(
    path: Path,
    samples: Iterable[Sample],
    *,
    schema: pyarrow.Schema = SCHEMA,
    labels: Mapping[str, str] = _NO_LABELS,
) -> Written:
    """Write samples to a file.

    Args:
        path: of the file.
        samples: all of whose fields are columns.
        schema: its columns.
        labels: further columns of the schema, each with one value in all rows.
    """
    return _write(path, _batches(samples, schema=schema, labels=labels), schema=schema)


def used_columns(paths: Iterable[Path]) -> tuple[str, ...]:
    """The columns that hold something in any of these files, and those that all samples have.

    Columns within messages are named as Parquet names them: `messages.list.element.weight`.
    """
    used = set(_NEEDED)
    known: tuple[str, ...] = ()
    for path in paths:
        metadata = _open(path).metadata
        known = tuple(metadata.schema.column(at).path for at in range(metadata.num_columns))
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            columns = (group.column(at) for at in range(metadata.num_columns))
            used |= {c.path_in_schema for c in columns if c.statistics.num_values}
    return tuple(name for name in known or _NEEDED if name in used)


def join_samples(
    path: Path,
    parts: Iterable[Path],
    *,
    columns: Sequence[str],
    labels: Mapping[str, str],
    more: Iterable[Sample] = (),
) -> Written:
    """Join files of samples into one of a library.

    Args:
        path: of the new file.
        parts: written by `write_samples`.
        columns: the result of `used_columns` for the whole library.
        labels: further columns, each with one value in all rows.
        more: samples of messages that come after those of the parts.
    """
    schema = library_schema(columns, labels)
    batches = (
        _labelled(batch, labels)
        for part in parts
        for batch in _open(part).iter_batches(batch_size=_BATCH, columns=list(columns))
    )
    added = _batches(more, schema=schema, labels=labels)
    return _write(path, chain(batches, added), schema=schema)


def library_schema(columns: Sequence[str], labels: Iterable[str]) -> pyarrow.Schema:
    """The columns of a library's files; all of them have the same."""
    fields = (_narrowed(field, field.name, columns) for field in SCHEMA)
    return pyarrow.schema(
        [*(field for field in fields if field is not None), *((name, _TEXT) for name in labels)]
    )


def samples_of_groups(path: Path) -> list[int]:
    """How many samples each row group of a file of samples holds.

    Raises:
        DataError: it is no such file.
    """
    metadata = _open(path).metadata
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def read_samples(path: Path, *, groups: range | None = None) -> Iterator[Sample]:
    """The samples of such a file, in order.

    Args:
        path: of the file.
        groups: the row groups to read; None: all.

    Raises:
        DataError: it is no such file.
    """
    file = _open(path)
    names = set(SCHEMA.names)
    wanted = range(file.metadata.num_row_groups) if groups is None else groups
    try:
        for batch in file.iter_batches(batch_size=_BATCH, row_groups=list(wanted)):
            for row in batch.to_pylist():
                values = {name: value for name, value in row.items() if name in names}
                values["messages"] = tuple(map(without_nulls, row["messages"]))
                values |= {name: values.get(name) or "" for name in _OPTIONAL}
                yield Sample(**values)
    except (OSError, pyarrow.ArrowException, TypeError, KeyError) as error:
        raise _damaged(path, error) from error


def read_rows(path: Path, *, groups: range | None = None) -> Iterator[Conversation | Passage]:
    """The samples of such a file as rows, named by where they come from."""
    for sample in read_samples(path, groups=groups):
        location = Location(sample.location)
        if sample.messages:
            yield Conversation(
                sample.messages,
                location,
                tools=sample.tools,
                context=sample.context,
                has_new_fact=sample.made_by not in WITHOUT_NEW_FACT,
            )
        else:
            yield Passage(sample.text, location)


def _open(path: Path) -> Any:
    try:
        return parquet.ParquetFile(path, memory_map=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).partition("\n")[0].rstrip(".")
    return DataError(
        f"{path} is not a file of samples: {reason}.", remedy="curate the library again."
    )


def _batches(
    samples: Iterable[Sample], *, schema: pyarrow.Schema, labels: Mapping[str, str]
) -> Iterator[pyarrow.RecordBatch]:
    waiting: list[dict[str, Any]] = []
    characters = 0
    for sample in samples:
        optional = {name: getattr(sample, name) or None for name in _OPTIONAL}
        waiting.append({**vars(sample), **optional, **labels})
        characters += len(sample.text) + len(sample.context)
        characters += sum(len(message["content"]) for message in sample.messages)
        if len(waiting) >= _BATCH or characters >= _BATCH_CHARACTERS:
            yield pyarrow.RecordBatch.from_pylist(waiting, schema=schema)
            waiting, characters = [], 0
    if waiting:
        yield pyarrow.RecordBatch.from_pylist(waiting, schema=schema)


def _write(
    path: Path, batches: Iterable[pyarrow.RecordBatch], *, schema: pyarrow.Schema
) -> Written:
    """Write batches in row groups, which do not depend on where the batches end."""
    number = size = 0
    waiting = schema.empty_table()
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def write_group() -> pyarrow.Table:
            nonlocal size
            rows = GROUP_SAMPLES
            while rows > 1 and waiting.slice(0, rows).nbytes > GROUP_BYTES:
                rows //= 2
            group = waiting.slice(0, rows).combine_chunks()
            writer.write_table(group)
            size += group.nbytes
            return waiting.slice(rows)

        for batch in batches:
            number += batch.num_rows
            new = pyarrow.Table.from_batches([batch]).cast(schema)
            waiting = pyarrow.concat_tables([waiting, new])
            while waiting.num_rows >= GROUP_SAMPLES or waiting.nbytes > GROUP_BYTES:
                waiting = write_group()
        while waiting.num_rows:
            waiting = write_group()
    return Written(number, size)


def _labelled(batch: pyarrow.RecordBatch, labels: Mapping[str, str]) -> pyarrow.RecordBatch:
    for name, value in labels.items():
        values = pyarrow.repeat(pyarrow.scalar(value), batch.num_rows)
        batch = batch.append_column(name, values)
    return batch


def _narrowed(field: pyarrow.Field, path: str, columns: Sequence[str]) -> pyarrow.Field | None:
    """A field with only those of its parts that are among the columns; None: without any."""
    kind = field.type
    if pyarrow.types.is_list(kind):
        element = _narrowed(kind.value_field, f"{path}.list.element", columns)
        return None if element is None else field.with_type(pyarrow.list_(element))
    if pyarrow.types.is_struct(kind):
        parts = (_narrowed(part, f"{path}.{part.name}", columns) for part in kind)
        fields = [part for part in parts if part is not None]
        return field.with_type(pyarrow.struct(fields)) if fields else None
    return field if path in columns else None
