"""Checks of a conversation with tools: each result answers a call, each call is of a known tool."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows.chats.tools import tool_names
from ftdist.library.readers.rows.row_keys import names
from ftdist.library.readers.rows.values import flag, shown
from ftdist.library.schema import BadRowError, Note

_CALL_IN_TEXT = re.compile(
    r"<\|?(?:tool|function|python)|\[TOOL_CALL|\bAction\s*:|functioncall|\"name\"\s*:|```"
)
"""Calls that a model writes as text, which stays text."""

_SCHEMA = re.compile(r"""<tools>|["']parameters["']\s*:""")
"""What a text has that lists tools, and does not only speak of them."""

_MAX_NAMES = 5


def check_tool_turns(
    messages: Sequence[Message], *, tools: str, row: Mapping[str, Any], notes: list[Note]
) -> None:
    """Refuse calls and results that would teach nonsense; what is merely odd is noted.

    Args:
        messages: of a conversation.
        tools: as a `Conversation` has them.
        row: that it was read from.
        notes: receives the notes.

    Raises:
        BadRowError: a result without a call, or a learned call of a tool that there is not.
    """
    if all("tool_calls" not in message and message["role"] != "tool" for message in messages):
        return
    known = tool_names(tools)
    open_calls: list[str] = []
    all_ids: set[str] = set()
    last: Message | None = None
    for number, message in enumerate(messages, start=1):
        if message["role"] == "tool":
            _check_result(message, number=number, last=last, ids=all_ids)
            _close(open_calls, message)
            continue
        if open_calls:
            notes.append(Note("call without a result", open_calls[0], len(open_calls)))
            open_calls = []
        last = message
        calls = message.get("tool_calls", [])
        for call in calls:
            _check_known(call["function"]["name"], message, number=number, known=known, notes=notes)
        open_calls = [call.get("id", "") or call["function"]["name"] for call in calls]
        all_ids |= {call["id"] for call in calls if "id" in call}
        if len(calls) > 1 and flag(row.get("parallel_tool_calls")) is False:
            rule = "several calls at once, although the row says parallel_tool_calls false"
            notes.append(Note(rule, shown(open_calls)))


def _check_result(message: Message, *, number: int, last: Message | None, ids: set[str]) -> None:
    """Refuse a result that no call asks for.

    Raises:
        BadRowError: it is one.
    """
    is_asked = last is not None and last["role"] == "assistant"
    if not is_asked or not last:
        raise BadRowError(
            f"has a tool's result in message {number}, which no call asks for", _RESULT_REMEDY
        )
    if "tool_calls" not in last and not _CALL_IN_TEXT.search(last["content"]):
        raise BadRowError(
            f"has a tool's result in message {number}, and the answer before it calls no tool",
            _RESULT_REMEDY,
        )
    own = message.get("tool_call_id")
    if own is not None and ids and own not in ids:
        raise BadRowError(
            f"has a result of the call {shown(own)} in message {number}, and no call before it has "
            "that id",
            "Correct the tool_call_id, or leave the row out.",
        )


_RESULT_REMEDY = "Add the call to the answer before it, or leave the row out."


def _close(open_calls: list[str], message: Message) -> None:
    """Take a result's call from those that wait for one; without an id it is the first."""
    own = message.get("tool_call_id")
    if own in open_calls:
        open_calls.remove(own)
    elif open_calls:
        open_calls.pop(0)


def _check_known(
    name: str, message: Message, *, number: int, known: Sequence[str], notes: list[Note]
) -> None:
    """Refuse a learned call of a tool that is not among the row's.

    Raises:
        BadRowError: it is one.
    """
    if name in known:
        return
    if not known:
        notes.append(Note("call in a conversation that defines no tools", name))
    elif "weight" in message:
        notes.append(Note("call of a tool that is not among the row's, not learned", name))
    else:
        listed = names(known[:_MAX_NAMES]) if len(known) <= _MAX_NAMES else f"{len(known)} others"
        raise BadRowError(
            f"calls {name} in message {number}, and its tools are {listed}",
            "Add the tool, or leave the row out.",
        )


def listed_in_system(messages: Sequence[Message], tools: str) -> bool:
    """Whether the system message has the schemas of all tools, and answers call them in text."""
    text = messages[0]["content"] if messages[0]["role"] in ("system", "developer") else ""
    if not _SCHEMA.search(text) or any("tool_calls" in message for message in messages):
        return False
    known = tool_names(tools)
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    return all(
        re.search(rf"""["']name["']\s*:\s*["']{re.escape(name)}["']""", text) for name in known
    ) and any(
        _CALL_IN_TEXT.search(answer) and any(name in answer for name in known) for answer in answers
    )
