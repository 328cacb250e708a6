"""Calls of tools in messages: OpenAI's, its older `function_call`, Hugging Face's, ShareGPT's."""

import re
from collections.abc import Mapping
from typing import Any

from ftdist.data.messages import FunctionCall, ToolCall
from ftdist.library.readers.rows.chats.tools import parse_json_value, to_json
from ftdist.library.readers.rows.values import is_empty, shown, text_of
from ftdist.library.schema import BadRowError, Note

CALLS = ("tool_calls", "function_call")
_MEMBERS = {"id", "type", "index", "name", "arguments", "function"}
_THOUGHT = re.compile(r"\s*(<think>.*?</think>)\s*(?=[\[{])", re.DOTALL)
_REMEDY = 'Write {"name": ..., "arguments": {...}}, or leave the row out.'


def read_calls(members: Mapping[str, Any], *, where: str, notes: list[Note]) -> list[ToolCall]:
    """The calls under a message's keys, with their arguments as JSON text.

    Args:
        members: of the message.
        where: the message, as errors name it.
        notes: receives the notes.

    Raises:
        BadRowError: there is one without a name, or its arguments are no JSON object.
    """
    given = {key: members[key] for key in CALLS if not is_empty(members.get(key))}
    if len(given) > 1:
        raise BadRowError(f"has tool_calls and function_call{where}", "Keep one of them.")
    for key, value in given.items():
        return _calls(value, of=f"{key}{where}", notes=notes)
    return []


def read_call_text(value: Any, *, where: str, notes: list[Note]) -> tuple[str, list[ToolCall]]:
    """The thought and the calls in a message that is a call, as ShareGPT writes them.

    Raises:
        BadRowError: it is not a call, or a list of them, as JSON.
    """
    thought = _THOUGHT.match(value) if isinstance(value, str) else None
    rest = value[thought.end() :] if thought else value
    return thought[1] if thought else "", _calls(rest, of=f"the call{where}", notes=notes)


def are_calls(value: Any) -> bool:
    """Whether a value is a list of calls, or its JSON text."""
    value = parse_json_value(value)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(call, dict) and call.keys() <= _MEMBERS for call in value)
        and all({"name", "arguments"} <= call.keys() or "function" in call for call in value)
    )


def _calls(value: Any, *, of: str, notes: list[Note]) -> list[ToolCall]:
    value = parse_json_value(value)
    values = [value] if isinstance(value, dict) else value
    if not isinstance(values, list) or not values:
        raise BadRowError(f"has no name and arguments in {of}", _REMEDY)
    return [_call(parse_json_value(call), of=of, notes=notes) for call in values]


def _call(value: Any, *, of: str, notes: list[Note]) -> ToolCall:
    function = parse_json_value(value.get("function", value)) if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or is_empty(name):
        raise BadRowError(f"has no name and arguments in {of}", _REMEDY)
    kind = value.get("type")
    if kind not in (None, "function"):
        raise BadRowError(f"has a call of type {shown(kind)} in {of}, not of a function")
    name = text_of(name, of=of, notes=[])
    arguments = _arguments(function.get("arguments"), name=name, of=of, notes=notes)
    call = ToolCall(type="function", function=FunctionCall(name=name, arguments=arguments))
    if not is_empty(value.get("id")):
        call["id"] = text_of(str(value["id"]), of=of, notes=[])
    return call


def _arguments(value: Any, *, name: str, of: str, notes: list[Note]) -> str:
    """Arguments as the JSON text of an object; a text that is one stays unchanged.

    Raises:
        BadRowError: they are something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return "{}"
    parsed = parse_json_value(value)
    if isinstance(value, str) and isinstance(parsed, str):
        inner = parse_json_value(parsed)
        if inner is parsed or not isinstance(inner, dict):
            raise BadRowError(
                f"calls {name} with arguments that are not JSON in {of}",
                "Write the arguments as a JSON object.",
            )
        notes.append(Note("arguments that are JSON in JSON read as their object", shown(value)))
        value, parsed = parsed, inner
    if not isinstance(parsed, dict):
        kind = type(parsed).__name__
        raise BadRowError(
            f"calls {name} with arguments of type {kind}, not an object, in {of}",
            "Write the arguments as a JSON object.",
        )
    text = to_json(parsed, of=f"the arguments of {name} in {of}")
    return value if isinstance(value, str) else text
