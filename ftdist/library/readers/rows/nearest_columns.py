"""Rows of no known form: what their columns may mean, and how files of one source differ."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from ftdist.library.readers.records.read_records import read_records
from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.chats.messages import has_roles
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.readers.rows.values import is_empty, message_list, standard_key
from ftdist.library.schema import Note

UNKNOWN_FORM = "has none of the known formats"

_ASKED = (
    "input ask asked problem request task user human customer inquiry enquiry issue source title "
    "subject frage anfrage pregunta pergunta domanda vraag demande"
)
_ANSWERED = (
    "solution resolution target assistant bot agent gpt model label body result text explanation "
    "antwort respuesta resposta risposta antwoord réponse"
)
_MEANINGS = {
    "question": (*row_keys.QUESTIONS, *_ASKED.split()),
    "answer": (*row_keys.ANSWERS, *_ANSWERED.split()),
}
"""Words by which a column may be meant, the likeliest first."""

_MIN_SIMILARITY = 0.8
_MAX_DEPTH = 3
_MAX_COLUMNS = 20
_PLAIN = re.compile(r"[\w.]+")


class RowFile(NamedTuple):
    """A file of rows: what it is called in messages, where it is, and its kind."""

    name: str
    path: Path
    kind: str


def nearest_columns(row: Mapping[Any, Any]) -> str:
    """The value of `library.columns` that a row most probably needs, or ""."""
    paths = list(_paths(row))
    for path, value in paths:
        listed = message_list(value)
        if listed and all(map(has_roles, listed)):
            return _mapping({"messages": path})
    texts = [path for path, value in paths if isinstance(value, str) and not is_empty(value)]
    found: dict[str, str] = {}
    for meaning in ("answer", "question"):
        best = _nearest([path for path in texts if path not in found.values()], meaning)
        found |= {meaning: best} if best else {}
    others = [path for path in texts if path not in found.values()]
    if len(texts) == 2 and len(found) < 2:
        missing = [meaning for meaning in _MEANINGS if meaning not in found]
        found |= dict(zip(missing, others, strict=True))
    if len(texts) == 1 and not found:
        return _mapping({"text": texts[0]})
    return _mapping({key: found[key] for key in _MEANINGS}) if len(found) == 2 else ""


def column_names(row: Mapping[Any, Any]) -> str:
    """The keys of a row, as errors list them."""
    keys = sorted(str(key)[:40] for key in row)
    more = f" and {len(keys) - _MAX_COLUMNS} more" if len(keys) > _MAX_COLUMNS else ""
    return (", ".join(keys[:_MAX_COLUMNS]) or "none") + more


def describe_difference(files: Sequence[RowFile], *, bad: str, settings: RowSettings) -> str:
    """A sentence on how a file's columns differ from those of another; "" if they do not.

    Args:
        files: of one source.
        bad: name of the file whose rows have no known form.
        settings: of the source.
    """
    first = next((file for file in files if file.name == bad), None)
    other = next((file for file in files if file.name != bad), None)
    if first is None or other is None:
        return ""
    columns, others = (_first_columns(file, settings) for file in (first, other))
    if columns == others or not columns or not others:
        return ""
    return f" {first.name} has the columns {columns}, and {other.name} has {others}."


def _first_columns(file: RowFile, settings: RowSettings) -> str:
    notes: list[Note] = []
    try:
        _, row = next(read_records(file.path, kind=file.kind, settings=settings, notes=notes))
    except (StopIteration, OSError):
        return ""
    return column_names(row) if isinstance(row, dict) else ""


def _paths(row: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a row with their paths, but for identifiers and the like."""
    for key, value in row.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path.count(".") < _MAX_DEPTH - 1:
            yield from _paths(value, f"{path}.")
        elif not row_keys.is_metadata(standard_key(str(key)), value):
            yield path, value


def _nearest(paths: Sequence[str], meaning: str) -> str:
    """The path whose last key means a thing, by its words or nearly by its spelling; "": none."""
    words = {path: standard_key(path.rpartition(".")[2]).split("_") for path in paths}
    for known in _MEANINGS[meaning]:
        for path, of_path in words.items():
            if known in of_path:
                return path
    for path, of_path in words.items():
        if any(get_close_matches(word, _MEANINGS[meaning], 1, _MIN_SIMILARITY) for word in of_path):
            return path
    return ""


def _mapping(columns: Mapping[str, str]) -> str:
    listed = (
        f"{key}: {path if _PLAIN.fullmatch(path) else json.dumps(path, ensure_ascii=False)}"
        for key, path in columns.items()
    )
    return f"library.columns={{{', '.join(listed)}}}"
