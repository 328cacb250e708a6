"""The texts of conversations: all that a message holds, calls and thoughts included."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import count
from typing import Any

from ftdist.data.messages import FunctionCall, Message, ToolCall
from ftdist.library.schema import Conversation

_LONG_NUMBER = 1_000_000


def message_texts(message: Message) -> Iterator[str]:
    """A message's thought, text and calls; ids are left out."""
    if thought := message.get("reasoning_content"):
        yield thought
    if message["content"] or "tool_calls" not in message:
        yield message["content"]
    for call in message.get("tool_calls", ()):
        yield f"{call['function']['name']} {call['function']['arguments']}"


def conversation_text(messages: Sequence[Message], *, without: Collection[str] = ()) -> str:
    """The texts of a conversation's messages, without those of some roles."""
    return "\n".join(
        text
        for message in messages
        if message["role"] not in without
        for text in message_texts(message)
    )


def conversation_key(row: Conversation) -> str:
    """Words that differ where two conversations of the same words are not the same sample.

    They have other tools, or other answers of theirs are learned; "" without tools and weights.
    """
    unlearned = [str(at) for at, message in enumerate(row.messages) if "weight" in message]
    tools = blake2b(row.tools.encode(), digest_size=8).hexdigest() if row.tools else ""
    return f"{tools} {'-'.join(unlearned)}".strip()


def map_texts(
    row: Conversation,
    change: Callable[[str], str],
    *,
    in_json: Callable[[str, str], str] | None = None,
) -> Conversation:
    """A conversation with all its texts changed; calls and schemas stay valid JSON.

    Args:
        row: any.
        change: of a text.
        in_json: of a key and its text or long number in JSON: the new text. With it, keys of JSON
            are changed as texts are, and so are schemas. None: `change` of texts.
    """
    messages = tuple(_mapped(each, change, in_json=in_json) for each in row.messages)
    tools = _map_json(row.tools, change, in_json=in_json) if row.tools and in_json else row.tools
    return replace(row, messages=messages, tools=tools)


def _mapped(
    message: Message, change: Callable[[str], str], *, in_json: Callable[[str, str], str] | None
) -> Message:
    content = message["content"]
    is_json = in_json and message["role"] == "tool" and content.lstrip()[:1] in ("{", "[")
    mapped = message.copy()
    mapped["content"] = _map_json(content, change, in_json=in_json) if is_json else change(content)
    if "reasoning_content" in message:
        mapped["reasoning_content"] = change(message["reasoning_content"])
    if "tool_calls" in message:
        mapped["tool_calls"] = [
            ToolCall(
                **{
                    **call,
                    "function": FunctionCall(
                        name=call["function"]["name"],
                        arguments=_map_json(call["function"]["arguments"], change, in_json=in_json),
                    ),
                }
            )
            for call in message["tool_calls"]
        ]
    return mapped


def _map_json(
    text: str, change: Callable[[str], str], *, in_json: Callable[[str, str], str] | None
) -> str:
    """JSON text with the texts in it changed; unchanged if none does, or if it is no JSON."""
    try:
        value = json.loads(text)
        mapped = _map_value(value, change, key="", in_json=in_json)
    except (ValueError, RecursionError):
        return change(text)
    return text if mapped == value else json.dumps(mapped, ensure_ascii=False)


def _map_value(
    value: Any,
    change: Callable[[str], str],
    *,
    key: str,
    in_json: Callable[[str, str], str] | None,
) -> Any:
    if isinstance(value, dict):
        members: dict[str, Any] = {}
        for own, member in value.items():
            name = _free(change(own), members) if in_json else own
            members[name] = _map_value(member, change, key=name, in_json=in_json)
        return members
    if isinstance(value, list):
        return [_map_value(member, change, key=key, in_json=in_json) for member in value]
    is_long = type(value) is int and abs(value) >= _LONG_NUMBER
    if in_json and (isinstance(value, str) or is_long):
        mapped = in_json(key, str(value))
        return value if mapped == str(value) else mapped
    return change(value) if isinstance(value, str) else value


def _free(name: str, members: Collection[str]) -> str:
    """The name, with a number if another member has it."""
    numbered = (f"{name} {number}" for number in count(2))
    return name if name not in members else next(each for each in numbered if each not in members)
