"""Rows as read and cleaned, kept in Arrow files between the stages of a curation."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow

from ftdist.library.schema import Block, Conversation, Document, Location, Passage, Row

_SCHEMA = pyarrow.schema([("kind", pyarrow.string()), ("body", pyarrow.large_binary())])
_ROWS_AT_ONCE = 1024


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to an Arrow file, a batch at a time."""
    with (
        pyarrow.OSFile(str(path), "wb") as file,
        pyarrow.ipc.new_file(file, _SCHEMA) as writer,
    ):
        kinds: list[str] = []
        bodies: list[bytes] = []

        def flush() -> None:
            if kinds:
                writer.write_batch(pyarrow.record_batch([kinds, bodies], schema=_SCHEMA))
                kinds.clear()
                bodies.clear()

        for row in rows:
            kinds.append(type(row).__name__.lower())
            bodies.append(json.dumps(row, default=vars, ensure_ascii=False).encode())
            if len(kinds) >= _ROWS_AT_ONCE:
                flush()
        flush()


def read_row_cache(path: Path) -> Iterator[Row]:
    """The rows of such a file, in order; a batch of them is in memory at a time."""
    with (
        pyarrow.memory_map(str(path)) as file,
        pyarrow.ipc.open_file(file) as reader,
    ):
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            for kind, body in zip(*batch.to_pydict().values(), strict=True):
                yield _row(kind, json.loads(body))


def _row(kind: str, values: dict[str, Any]) -> Row:
    location = Location(**values["location"])
    match kind:
        case "conversation":
            return Conversation(
                tuple(values["messages"]),
                location,
                tools=values["tools"],
                context=values["context"],
            )
        case "passage":
            return Passage(values["text"], location)
    blocks = (
        Block(**{**block, "rows": tuple(map(tuple, block["rows"]))}) for block in values["blocks"]
    )
    return Document(title=values["title"], blocks=tuple(blocks), location=location)
