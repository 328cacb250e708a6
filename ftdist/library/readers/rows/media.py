"""Pictures and sound in rows, of which only the text could be learned."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ftdist.library.readers.rows.row_keys import MEDIA, names
from ftdist.library.readers.rows.values import is_empty, standard_key
from ftdist.library.schema import BadRowError, Conversation

_MARKS = ("<image", "<audio", "<video", "<|image", "<|audio", "<|video", "<|vision", "[IMG]")
"""In texts: where a picture or sound belongs."""


def refuse_media(row: Mapping[Any, Any], *, parse: Callable[[dict[Any, Any]], object]) -> None:
    """Refuse a row with pictures or sound, by the names of their columns.

    Args:
        row: any.
        parse: reads a row, to see whether it is a conversation without them.

    Raises:
        BadRowError: it has some.
    """
    columns = [str(key) for key, value in row.items() if _is_media(str(key), value)]
    if not columns:
        return
    reason = f"has {names(columns)}, and only text is supported"
    try:
        rest = parse({key: value for key, value in row.items() if str(key) not in columns})
    except BadRowError:
        rest = None
    if isinstance(rest, Conversation) and not any(map(_is_marked, _texts(rest))):
        listed = ", ".join(columns)
        raise BadRowError(
            reason, f"Set library.drop_columns=[{listed}] to learn the text alone, or remove it."
        )
    raise BadRowError(reason, "Leave the row out: its text alone is no conversation.")


def _is_media(key: str, value: Any) -> bool:
    if is_empty(value) or isinstance(value, bool | int | float):
        return False
    return standard_key(key) in MEDIA or any(map(_is_encoded, _values(value)))


def _values(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else (value,)


def _is_encoded(value: Any) -> bool:
    """Whether a value is a picture or sound as `datasets` writes them."""
    if not isinstance(value, dict) or not value.keys() <= {
        "bytes",
        "path",
        "array",
        "sampling_rate",
    }:
        return False
    return isinstance(value.get("bytes"), bytes) or "array" in value


def _texts(row: Conversation) -> Iterator[str]:
    return (message["content"] for message in row.messages)


def _is_marked(text: str) -> bool:
    return any(mark in text for mark in _MARKS)
