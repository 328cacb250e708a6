"""Columns of a file: renamed to the keys that are known, or left out."""

from collections.abc import Collection, Mapping
from typing import Any

from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.values import standard_key


def rename_keys(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with standard keys in place of its own; other keys do not decide its format then.

    Args:
        value: the row.
        columns: own keys by standard key; a row that has none of them is left unchanged.
    """
    if not columns or not isinstance(value, dict):
        return value
    members = {key: _get_path(value, own_key) for key, own_key in columns.items()}
    given = {key: member for key, member in members.items() if member is not None}
    if not given:
        return value
    mapped = {own_key.partition(".")[0] for own_key in columns.values()}
    others = {key: member for key, member in value.items() if key not in mapped}
    if {"question", "answer"} & members.keys():
        others = {
            f"_{key}" if standard_key(str(key)) in row_keys.FORMAT_KEYS else key: member
            for key, member in others.items()
        }
    return {key: member for key, member in others.items() if key not in members} | given


def _get_path(value: Any, path: str) -> Any:
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def drop_keys(value: Any, paths: Collection[str]) -> Any:
    """A row without some of its keys; dots lead into objects and lists of them."""
    if isinstance(value, list):
        return [drop_keys(item, paths) for item in value]
    if not isinstance(value, dict) or not paths:
        return value
    others = {key: member for key, member in value.items() if key not in paths}
    inner: dict[str, list[str]] = {}
    for path in paths:
        first, dot, rest = path.partition(".")
        if dot and first in others:
            inner.setdefault(first, []).append(rest)
    return others | {key: drop_keys(others[key], rest) for key, rest in inner.items()}
