"""Rows that hold a conversation as a list: of messages, of posts in a thread, of texts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.chats.messages import has_roles, is_dialogue, read_messages
from ftdist.library.readers.rows.chats.threads import is_thread, thread_messages
from ftdist.library.readers.rows.pairs import answer_messages, has_tools, read_answer, read_pair
from ftdist.library.readers.rows.values import (
    from_json,
    is_empty,
    message_list,
    shown,
    standard_keys,
    text_of,
)
from ftdist.library.schema import BadRowError, Note


def read_dialogue(lines: Sequence[str], *, notes: list[Note]) -> list[Message]:
    """Alternating texts of user and assistant."""
    if len(lines) < 2:
        raise BadRowError("has a single message and no answer")
    messages = [
        Message(
            role=("user", "assistant")[at % 2],
            content=text_of(text, of=("the question", "the answer")[at % 2], notes=notes),
        )
        for at, text in enumerate(lines)
    ]
    if len(messages) % 2:
        last = messages.pop()["content"]
        notes.append(Note("message after the last answer left out", shown(last)))
    return messages


def find_messages(
    row: dict[str, Any], *, assistant: Collection[str], notes: list[Note]
) -> tuple[list[Message], set[str]] | None:
    """The conversation in a list of the row, with the answer beside it; None: there is no list.

    Raises:
        BadRowError: there are several, or the answer is not clear.
    """
    read: dict[str, list[Message]] = {}
    for key in list(row):
        if key in row:  # reading takes flags of messages out of it
            messages = _read_list(row, key, assistant=assistant, notes=notes)
            read |= {key: messages} if messages else {}
    if not read:
        return None
    longest = max(read.values(), key=len)
    for messages in read.values():
        if longest[: len(messages)] != messages:
            raise BadRowError(f"has {row_keys.names(read)}, which differ", "Keep one of them.")
    used = set(read)
    answers = {
        key: row[key]
        for key in row_keys.ANSWERS
        if key not in used and not is_empty(row.get(key)) and not isinstance(row[key], bool)
    }
    if answers and longest[-1]["role"] != "assistant":
        answer = read_answer(answers, has_tools=has_tools(row), notes=notes)
        return [*longest, *answer], used | {*answers}
    chosen = answers.get("chosen")
    if chosen and not ends_with(longest, chosen, key="chosen", row=row):
        raise BadRowError("has chosen and messages, whose answers differ", "Keep one of them.")
    contexts = () if row_keys.is_of_library(row) else row_keys.CONTEXTS
    for key in contexts:
        value = row.get(key)
        text = value.strip() if isinstance(value, str) and not is_empty(value) else ""
        if text and not any(text in message["content"] for message in longest):
            raise BadRowError(
                f"has {key} beside messages, and it is not clear where it belongs",
                "Put it into a message, or remove it.",
            )
    return longest, used


def ends_with(
    messages: Sequence[Message], answer: Any, *, key: str, row: Mapping[str, Any]
) -> bool:
    """Whether messages end with a row's answer."""
    steps = answer_messages(answer, key=key, has_tools=has_tools(row), notes=[])
    return list(messages[-len(steps) :]) == steps


def _read_list(
    row: dict[str, Any], key: str, *, assistant: Collection[str], notes: list[Note]
) -> list[Message] | None:
    """The messages under a key; None: it holds no conversation."""
    if key in ("rejected", "history"):
        return None
    value = from_json(row[key])
    if isinstance(value, list):
        value = [from_json(item) for item in value]
    if key in row_keys.MESSAGES and is_thread(value):
        return thread_messages(value, assistant=assistant, notes=notes)
    if key in row_keys.MESSAGES and (lines := _lines(value)):
        return read_dialogue(lines, notes=notes)
    listed = message_list(value)
    if not listed or not all(map(has_roles, listed)):
        if key not in row_keys.MESSAGES or not listed:
            return None
        if turns := _read_turns(listed, notes=notes):
            return turns
        return read_messages(listed, notes=notes)  # says what is wrong with them
    if key in row_keys.ANSWERS and read_messages(listed, notes=[])[0]["role"] == "assistant":
        return None
    learned = row_keys.per_message(row, number=len(listed))
    return read_messages(listed, learned=learned, notes=notes)


def _lines(value: Any) -> list[str]:
    """The texts of a list of texts, or of lists of question and answer."""
    if isinstance(value, list) and value and all(map(is_dialogue, value)):
        value = [text for pair in value for text in pair]
    return value if is_dialogue(value) and len(value) > 1 else []


def _read_turns(listed: Sequence[dict[str, Any]], *, notes: list[Note]) -> list[Message] | None:
    """Exchanges that are objects with a question and an answer; None: one of them is not."""
    messages: list[Message] = []
    for number, turn in enumerate(listed, start=1):
        members = standard_keys(turn, of=f"message {number}")
        pair = read_pair(members, notes=notes)
        if pair is None:
            return None
        row_keys.note_unused(members, used=pair[1], kind="key of messages", notes=notes)
        messages += pair[0]
    return messages
