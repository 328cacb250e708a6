"""One message of a conversation and its text; by itself, so that readers need no tokenizer.

Names and nesting are those of OpenAI's chat format, which chat templates take as well.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, NotRequired, TypedDict

INSTRUCTIONS = ("system", "developer")
"""Roles of messages that may come before the first question."""


class FunctionCall(TypedDict):
    """A function that the assistant calls."""

    name: str
    arguments: str
    """A JSON object, as text."""


class ToolCall(TypedDict):
    """A call of a tool."""

    type: Literal["function"]
    function: FunctionCall
    id: NotRequired[str]
    """What the tool's message refers to by its `tool_call_id`."""


class Message(TypedDict):
    """Who speaks (system, developer, user, assistant or tool), and what."""

    role: str
    content: str
    """The text; "" of an assistant that only calls tools."""

    reasoning_content: NotRequired[str]
    """What the assistant thought before its answer."""

    tool_calls: NotRequired[list[ToolCall]]
    """Calls of the assistant, after its text."""

    tool_call_id: NotRequired[str]
    """Of a tool's message: the call that it answers."""

    name: NotRequired[str]
    """Of a tool's message: the function that it is the result of."""

    weight: NotRequired[Literal[0, 1]]
    """Of an assistant's message: 0 if it is only context and not learned; absent means 1."""


class Chat(NamedTuple):
    """A conversation as a model sees it."""

    messages: Sequence[Message]
    tools: str = ""
    """The tools that the assistant may call: a JSON list of function schemas; "" without any."""


def is_text(text: str) -> bool:
    """Whether a string is valid Unicode: undecodable bytes become lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
