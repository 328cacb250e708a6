"""Overrides of notebooks and scripts: strings as on a command line, or a dict of values."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftdist.config.hydra_adapter import quoted
from ftdist.config.values import format_value

_PLAIN = re.compile(r"[A-Za-z_/.~][\w./:@~+-]*")
_WORDS = {"true", "false", "null", "nan", "inf"}


def as_overrides(*overrides: str | Mapping[str, Any]) -> list[str]:
    """Overrides as on a command line.

    Args:
        *overrides: "key=value", or a dict such as `{"optim.peak_lr": 1e-4}` or
            `{"optim": {"peak_lr": 1e-4}}`, whose texts are taken literally.
    """
    words: list[str] = []
    for each in overrides:
        words += [each] if isinstance(each, str) else _pairs(each)
    return words


def _pairs(values: Mapping[str, Any], *, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_value(each)}" for key, each in value.items()) + "}"
    if value is None or isinstance(value, bool | int | float):
        return format_value(value)
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else quoted(text)
