"""Values as users type them: numbers with a suffix, true, null."""

import re
from typing import Any

_SUFFIX = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SUFFIXED = re.compile(r"([+-]?\d[\d_]*(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?")


def read_integer(text: str) -> int | None:
    """A whole number with a suffix ("64k" is 64,000; "64Ki" is 65,536), or None."""
    match = _SUFFIXED.fullmatch(text.strip())
    if match is None:
        return None
    number = float(match[1]) if "." in match[1] else int(match[1])
    scaled = number * _SUFFIX.get(match[2] or "", 1)
    return int(scaled) if scaled == int(scaled) else None


def format_value(value: Any) -> str:
    """A value as a user types it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
