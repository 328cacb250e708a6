"""Values of rows: keys, flags, texts and lists of messages, however a file spells them."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ftdist.library.readers.encoding import decode
from ftdist.library.schema import BadRowError, Note

_MAX_SHOWN = 120
_TRUE = {"1", "1.0", "true", "yes", "on"}
_FALSE = {"0", "0.0", "false", "no", "off"}
_TEXT_PARTS = ("text", "input_text", "output_text")


def standard_keys(row: Mapping[Any, Any], *, of: str) -> dict[str, Any]:
    """A row's values under keys in snake case, without those that are missing.

    Raises:
        BadRowError: two keys differ in spelling only, and in their values.
    """
    values: dict[str, Any] = {}
    for own, value in row.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        key = standard_key(str(own))
        if values.setdefault(key, value) != value:
            raise BadRowError(f"has two keys {key} in {of}", "Remove or rename one of them.")
    return values


@lru_cache(maxsize=4096)
def standard_key(key: str) -> str:
    """A key in snake case: `System Prompt` and `systemPrompt` become `system_prompt`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key.strip())
    return re.sub(r"[\s-]+", "_", words).casefold()


def is_empty(value: Any) -> bool:
    """Whether a value is nothing, or a text, as one or in parts, without anything in it."""
    if isinstance(value, str):
        return value.strip() in ("", "[]", "{}", "null", "None")
    if isinstance(value, list | tuple):
        return all(map(_is_blank_part, value))
    return value is None or value == {}


def _is_blank_part(part: Any) -> bool:
    if isinstance(part, dict) and part.get("type", "text") in _TEXT_PARTS:
        others = (value for key, value in part.items() if key not in ("type", "text"))
        part = part.get("text") if all(map(is_empty, others)) else None
    return isinstance(part, str) and not part.strip()


def flag(value: Any) -> bool | None:
    """True or false as numbers and words write it; None: neither."""
    word = str(value).strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def shown(value: Any) -> str:
    """A value as a note shows it."""
    text = value if isinstance(value, str) else repr(value)
    line = " ".join(text.split())
    return line if len(line) <= _MAX_SHOWN else f"{line[: _MAX_SHOWN - 3]}..."


def merge_notes(notes: Sequence[Note]) -> tuple[Note, ...]:
    """One note per rule, with the first excerpt and the sum of the counts."""
    merged: dict[str, Note] = {}
    for note in notes:
        first = merged.get(note.rule)
        merged[note.rule] = (
            note if first is None else Note(note.rule, first.excerpt, first.count + note.count)
        )
    return tuple(merged.values())


def text_of(value: Any, *, of: str, notes: list[Note]) -> str:
    """A valid, non-empty text from a string or a list of text parts.

    Raises:
        BadRowError: it is something else.
    """
    value = join_parts(value, of=of, notes=notes)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"has no text in {of}")
    if not isinstance(value, str):
        raise BadRowError(f"has type {type(value).__name__} instead of text in {of}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRowError(f"contains half a character (a lone surrogate) in {of}") from error
    return value


def join_parts(value: Any, *, of: str, notes: list[Note]) -> Any:
    """Parts or bytes as one text, which may be empty; another value is unchanged.

    Raises:
        BadRowError: a part is no text.
    """
    if isinstance(value, dict) and value.get("content_type", "text") == "text":
        value = value.get("parts", value)
    if isinstance(value, list | tuple):
        return _join([_part(part, of=of, notes=notes) for part in value])
    if isinstance(value, bytes):
        value, found = decode(value)
        notes += found
    return value


def _part(part: Any, *, of: str, notes: list[Note]) -> str:
    """The text of one part of a message."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise BadRowError(f"contains a part of type {type(part).__name__} in {of}")
    members = {str(key): value for key, value in part.items() if not is_empty(value)}
    kind = members.pop("type", "text")
    if kind not in _TEXT_PARTS:
        raise BadRowError(f"contains a part of type {kind!r} in {of}, and only text is supported")
    text = members.pop("text", "")
    if not isinstance(text, str):
        raise BadRowError(f"has type {type(text).__name__} instead of text in {of}")
    for key, value in members.items():
        if "image" in key or "audio" in key or "video" in key:
            raise BadRowError(f"contains {key} in {of}, and only text is supported")
        notes.append(Note(f"unused key of parts: {key}", shown(value)))
    return text


def _join(texts: Sequence[str]) -> str:
    """Parts as one text, with a blank where words would run together."""
    joined = ""
    for text in texts:
        is_glued = joined and text and not joined[-1].isspace() and not text[0].isspace()
        joined += f" {text}" if is_glued else text
    return joined


def message_list(value: Any) -> list[dict[str, Any]] | None:
    """The messages in a list, its JSON text, or an object of lists; None: it is none of these."""
    value = from_json(value)
    if isinstance(value, dict):
        value = _rows_of_columns(value)
    if not isinstance(value, list) or not value:
        return None
    if len(value) == 1 and isinstance(value[0], list):
        value = value[0] if all(isinstance(message, dict) for message in value[0]) else value
    messages = [from_pairs(message) for message in value]
    return messages if all(isinstance(message, dict) for message in messages) else None


def from_json(value: Any) -> Any:
    """The list or object that a text writes as JSON; otherwise the value itself."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _rows_of_columns(value: dict[Any, Any]) -> Any:
    """`{"role": [...], "content": [...]}` as a list of objects."""
    columns = [from_json(column) for column in value.values()]
    if not columns or not all(isinstance(column, list) for column in columns):
        return value
    if len({len(column) for column in columns}) > 1:
        return value
    return [dict(zip(value, members, strict=True)) for members in zip(*columns, strict=True)]


def from_pairs(value: Any) -> Any:
    """An object that Parquet holds as a list of pairs (a map)."""
    is_map = (
        isinstance(value, list)
        and value
        and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value)
        and all(isinstance(key, str) for key, _ in value)
    )
    return dict(value) if is_map else value
