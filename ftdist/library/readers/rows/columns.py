"""Columns of a file: renamed to the keys that are known, or left out."""

from collections.abc import Collection, Mapping
from typing import Any

from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.chats.messages import TEXTS, has_roles
from ftdist.library.readers.rows.chats.tools import TOOLS
from ftdist.library.readers.rows.values import from_json, from_pairs, standard_key

_OF_MESSAGES = {"role", "content", "sender", "time"}
"""Keys of each message of a row; with `thread`, a row is one message."""


def rename_keys(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with standard keys in place of its own; other keys do not decide its format then.

    Args:
        value: the row.
        columns: own keys by standard key; a row or message that has none of them is left unchanged.
    """
    if "thread" in columns:
        return _rename_row(value, columns)
    value = _rename_row(value, {key: columns[key] for key in columns.keys() - _OF_MESSAGES})
    of_messages = {key: columns[key] for key in columns.keys() & _OF_MESSAGES}
    if not of_messages:
        return value
    if not isinstance(value, dict):
        return _rename_messages(value, of_messages)
    return {
        key: member if standard_key(str(key)) in TOOLS else _rename_messages(member, of_messages)
        for key, member in value.items()
    }


def _rename_row(value: Any, columns: Mapping[str, str]) -> Any:
    if not isinstance(value, dict) or not (given := _given(value, columns)):
        return value
    others = _without(value, columns)
    if {"question", "answer"} & columns.keys():
        others = _hide(others, row_keys.FORMAT_KEYS)
    return {key: member for key, member in others.items() if key not in columns} | given


def _rename_messages(value: Any, columns: Mapping[str, str]) -> Any:
    """A message, an object of lists or a list of messages with standard keys, if it is one."""
    written = from_pairs(from_json(value))
    if isinstance(written, list):
        listed = [_rename_messages(message, columns) for message in written]
        return value if listed == written else listed
    if not isinstance(written, dict) or not (given := _given(written, columns)):
        return value
    others = _without(written, columns)
    others = _hide(others, TEXTS) if "content" in given else others
    message = {key: member for key, member in others.items() if key not in given} | given
    return message if has_roles(message) or "sender" in given else value


def _given(value: Mapping[Any, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    members = {key: _get_path(value, own_key) for key, own_key in columns.items()}
    return {key: member for key, member in members.items() if member is not None}


def _without(value: Mapping[Any, Any], columns: Mapping[str, str]) -> dict[Any, Any]:
    mapped = {own_key.partition(".")[0] for own_key in columns.values()}
    return {key: member for key, member in value.items() if key not in mapped}


def _hide(members: Mapping[Any, Any], keys: Collection[str]) -> dict[Any, Any]:
    return {
        f"_{key}" if standard_key(str(key)) in keys else key: member
        for key, member in members.items()
    }


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
