"""Tools that a row gives the assistant: a list of function schemas, in one form."""

import json
from collections.abc import Mapping
from typing import Any

from ftdist.data.messages import is_text
from ftdist.library.readers.rows.values import is_empty, shown
from ftdist.library.schema import BadRowError

TOOLS = ("tools", "functions")
_REMEDY = "Write a JSON list of function schemas, or set library.drop_columns=[{}]."


def read_tools(row: Mapping[str, Any]) -> str:
    """The tools of a row as JSON text, each as `{"type": "function", "function": {...}}`.

    Args:
        row: has a list, or its JSON text, under `tools` or `functions`, or neither.

    Raises:
        BadRowError: they are no list of function schemas, or there are two lists.
    """
    listed = {key: _schemas(row[key], key=key) for key in TOOLS if not is_empty(row.get(key))}
    first = next(iter(listed.values()), [])
    if any(schemas != first for schemas in listed.values()):
        raise BadRowError("has tools and functions, which differ", "Keep one of them.")
    return to_json(first, of="its tools") if first else ""


def tool_names(tools: str) -> list[str]:
    """The names of the functions in a list that `read_tools` gave."""
    return [schema["function"]["name"] for schema in json.loads(tools)] if tools else []


def _schemas(value: Any, *, key: str) -> list[dict[str, Any]]:
    value = parse_json_value(value)
    values = [value] if isinstance(value, dict) else value
    if not isinstance(values, list):
        raise BadRowError(f"has {key} that are no list of function schemas", _REMEDY.format(key))
    schemas = [_schema(parse_json_value(schema), key=key) for schema in values]
    names = [schema["function"]["name"] for schema in schemas]
    if double := [name for at, name in enumerate(names) if name in names[:at]]:
        raise BadRowError(f"has two {key} of the name {double[0]}", "Keep one of them.")
    return schemas


def _schema(tool: Any, *, key: str) -> dict[str, Any]:
    """A tool in OpenAI's nested form; a bare function schema is put into it."""
    kind = tool.get("type", "function") if isinstance(tool, dict) else None
    function = parse_json_value(tool.get("function", tool)) if isinstance(tool, dict) else None
    if isinstance(kind, str) and kind != "function" and "name" not in tool:
        raise BadRowError(
            f"has a tool of type {shown(kind)}, and only functions are supported",
            "Leave the row out, or the tool if it is not called.",
        )
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or is_empty(name):
        raise BadRowError(f"has {key} that are no list of function schemas", _REMEDY.format(key))
    schema = {member: value for member, value in function.items() if member != "type"}
    if isinstance(schema.get("parameters"), str):
        schema["parameters"] = parse_json_value(schema["parameters"])
    return {"type": "function", "function": schema}


def parse_json_value(value: Any) -> Any:
    """The value that a text writes as JSON; otherwise, or if it is none, the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def to_json(value: Any, *, of: str) -> str:
    """A value as JSON text.

    Raises:
        BadRowError: JSON cannot hold it, or it contains half a character.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRowError(f"has values in {of} that JSON cannot hold") from error
    if not is_text(text):
        raise BadRowError(f"contains half a character (a lone surrogate) in {of}")
    return text
