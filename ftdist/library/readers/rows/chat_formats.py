"""Conversations from rows of JSONL, JSON, CSV, Parquet and YAML, in the usual chat formats.

| format | keys of a row |
| --- | --- |
| OpenAI | `messages`: list of `role`, `content` |
| ShareGPT | `conversations`: list of `from`, `value` |
| Alpaca | `instruction`, `input` (optional), `output` |
| questions | `question`, `answer` and other words for them, `context`, `choices` |
| prompt and answer | `prompt`: text or messages, `completion` or `chosen` |
| text | `text`: a passage, not a conversation |
| dialogue | a list of texts, alternately question and answer |
| thread | `messages`: list of `sender`, `text`, `time` |

A row may also contain `system`, a system message. A row that cannot be read becomes a `BadRow`;
what was left out or guessed is noted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftdist.library.readers.records.jsonl_rows import Span
from ftdist.library.readers.records.read_records import MAX_FILE, read_records
from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.chats.threads import group_threads
from ftdist.library.readers.rows.columns import rename_keys
from ftdist.library.readers.rows.parse_row import parse_row
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.library.readers.rows.values import merge_notes, standard_key
from ftdist.library.schema import (
    BadRow,
    BadRowError,
    Conversation,
    Location,
    Note,
    Passage,
    Row,
)

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

_MAX_UNUSED = 50
"""Keys of a file that are noted by name; of more, only the number."""


def read_conversations(
    path: Path,
    *,
    name: str,
    kind: str | None = None,
    settings: RowSettings = BY_FORM,
    span: Span | None = None,
    first_row: int = 1,
    groups: range | None = None,
) -> Iterator[Row]:
    """Read the rows of a file, in order, one at a time.

    Args:
        path: of the file.
        name: of the file in messages.
        kind: json, jsonl, csv, parquet, arrow or yaml; None: by the suffix.
        settings: what the file's keys mean.
        span: bytes of a JSONL file, starting at a line.
        first_row: number of the first line of the span.
        groups: row groups or record batches of a Parquet or Arrow file; None: all.
    """
    columns = settings.columns
    of_file: list[Note] = []
    kind = kind or {".parquet": "parquet", ".json": "json"}.get(path.suffix.lower(), "jsonl")
    if "thread" in columns and path.stat().st_size > MAX_FILE:
        reason = f"is larger than {MAX_FILE >> 20} MiB, too large to find the rows of its threads"
        yield BadRow(reason, Location(name), "Split it, each thread into one file.")
        return
    known = row_keys.FORMAT_KEYS | {standard_key(key) for key in columns.values()}
    records = read_records(
        path,
        kind=kind,
        span=span,
        first_row=first_row,
        groups=groups,
        settings=settings,
        header=known,
        notes=of_file,
    )
    renamed = ((row, rename_keys(value, columns)) for row, value in records)
    grouped = group_threads(renamed) if "thread" in columns else renamed
    parsed = (_parse(value, Location(name, row), settings=settings) for row, value in grouped)
    yield from _with_notes(parsed, of_file=of_file)


def _parse(
    value: Any, location: Location, *, settings: RowSettings
) -> Conversation | Passage | Note | BadRow:
    """One row, or a note that says why it is left out."""
    try:
        if isinstance(value, BadRowError):
            raise value
        return parse_row(value, location, settings=settings)
    except BadRowError as error:
        return BadRow(str(error), location, error.remedy)


def _with_notes(
    rows: Iterable[Conversation | Passage | Note | BadRow], *, of_file: list[Note]
) -> Iterator[Row]:
    """The rows, each with the notes of its file and of rows left out that nobody has taken yet."""
    unused: set[str] = set()
    waiting: Conversation | Passage | None = None
    """The last good row; it takes the notes of rows after it that are left out."""
    for parsed in rows:
        if isinstance(parsed, Note):
            of_file.append(parsed)
            continue
        if waiting:
            yield waiting
        waiting = None
        if isinstance(parsed, BadRow):
            yield parsed
            continue
        waiting = replace(parsed, notes=merge_notes([*of_file, *_limited(parsed.notes, unused)]))
        of_file.clear()
    if waiting:
        yield replace(waiting, notes=merge_notes([*waiting.notes, *of_file]))


def _limited(notes: Sequence[Note], unused: set[str]) -> Iterator[Note]:
    """Notes, with one rule for all unused keys after the first ones of a file."""
    for note in notes:
        if note.rule.startswith("unused") and note.rule not in unused:
            if len(unused) >= _MAX_UNUSED:
                yield Note("unused key: others", note.rule.partition(": ")[2], note.count)
                continue
            unused.add(note.rule)
        yield note
