"""Read the fields of a row of questions: texts and lists of texts."""

import json
from typing import Any

from ftdist.errors import DataError
from ftdist.text.matching import words


def reject_lone_surrogates(row: object, *, where: str) -> None:
    """Reject a row with a lone surrogate, which no tokenizer accepts.

    Raises:
        DataError: the row contains one.
    """
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where} contains half a character (a lone surrogate).",
            remedy="take it out, or write the whole character.",
        ) from error


def text_field(row: dict[str, Any], field: str, *, where: str) -> str:
    """A field that holds text, without the blanks around it.

    Raises:
        DataError: it is missing, empty or no text.
    """
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"{where} has no {field}."
            if value in (None, "")
            else f"{where}: its {field} is {value!r}, not text.",
            remedy=f'give it a non-empty "{field}".',
        )
    return value.strip()


def optional_field(row: dict[str, Any], field: str, *, where: str) -> str:
    """A field that may be missing or null, which gives an empty text.

    Raises:
        DataError: it is no text.
    """
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise DataError(
            f"{where}: its {field} is {value!r}, not text.",
            remedy=f'write "{field}" as text, or leave it out.',
        )
    return (value or "").strip()


def texts_field(row: dict[str, Any], field: str, *, where: str) -> tuple[str, ...]:
    """A field that holds a list of texts; () without it.

    Raises:
        DataError: it is no such list, or a text has no word.
    """
    value = row.get(field)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DataError(
            f"{where}: its {field} are {json.dumps(value)}, not a list of texts.",
            remedy=f'write "{field}" as a list of texts, such as ["green button", "9 seconds"].',
        )
    blank = [item for item in value if not words(item)]
    if blank:
        raise DataError(
            f"{where}: its {field} hold {blank[0]!r}, in which there is no word or number.",
            remedy=f'take it out of "{field}".',
        )
    return tuple(value)
