"""JSON values that follow each other in a file, each over as many lines as it likes."""

import json
import re
from typing import Any

_BLANK = re.compile(r"[\s,]*")


def json_values(text: str) -> list[Any]:
    """The values in a text, in order; none if any of it is not JSON."""
    decoder, values = json.JSONDecoder(), []
    end = _skip(text, 0)
    try:
        while end < len(text):
            value, end = decoder.raw_decode(text, end)
            values.append(value)
            end = _skip(text, end)
    except (ValueError, RecursionError):
        return []
    return values


def _skip(text: str, offset: int) -> int:
    """The offset of what follows blanks and commas."""
    blank = _BLANK.match(text, offset)
    return blank.end() if blank else offset
