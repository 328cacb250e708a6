"""Threads of people who write to each other, as conversations: sender, text, time."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.schema import BadRowError

_SENDERS = ("sender", "author", "user", "name", "by")
_TEXTS = ("text", "body", "message", "content")
_TIMES = ("time", "timestamp", "date", "created_at")


def is_thread(values: Any) -> bool:
    """Whether messages are of senders, not of roles; lists in the list may be nested once."""
    messages = _flat(values)
    return bool(messages) and all(
        isinstance(said, dict)
        and "role" not in said
        and "from" not in said
        and any(name in said for name in _SENDERS)
        and any(name in said for name in _TEXTS)
        for said in messages
    )


def thread_messages(values: Any, *, assistant: Collection[str]) -> list[Message]:
    """The messages of a thread, by time, with roles.

    Several in a row by one sender are one message. Of two senders of whom none is known, the one
    who did not begin answers. What follows the last answer is left out.

    Raises:
        BadRowError: nobody answers, or who does cannot be told.
    """
    said = _flat(values)
    if all(_field(each, _TIMES) is not None for each in said):
        said = sorted(said, key=lambda each: _sortable(_field(each, _TIMES)))
    senders = list(dict.fromkeys(str(_field(each, _SENDERS)) for each in said))
    answers = _answering(senders, assistant=assistant)
    messages: list[Message] = []
    for each in said:
        text = _field(each, _TEXTS)
        if not isinstance(text, str) or not text.strip():
            continue
        role = "assistant" if str(_field(each, _SENDERS)) in answers else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append(Message(role=role, content=text))
    while messages and messages[-1]["role"] == "user":
        messages.pop()
    if messages and messages[0]["role"] == "assistant":
        messages.pop(0)  # a greeting before anything was asked
    if not messages:
        raise BadRowError("has no answer: nobody answers in this thread", "Leave it out.")
    return messages


def threads_of(rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Rows of one message each, put together by their `thread`; rows of a thread are neighbours."""
    number, thread, messages = 0, None, list[dict[str, Any]]()
    for row, value in chain(rows, [(0, None)]):
        key = value.get("thread") if isinstance(value, dict) else None
        if messages and (key is None or key != thread):
            yield number, {"messages": messages}
            messages = []
        if key is not None:
            if not messages:
                number, thread = row, key
            messages.append(value)
        elif value is not None:
            yield row, BadRowError("has no thread") if isinstance(value, dict) else value


def _answering(senders: Sequence[str], *, assistant: Collection[str]) -> set[str]:
    known = {name.casefold() for name in assistant}
    answers = {sender for sender in senders if sender.casefold() in known}
    if answers:
        return answers
    if len(senders) == 2:
        return {senders[1]}
    raise BadRowError(
        f"has {len(senders)} senders, none of whom is known to answer",
        "Name those who answer in library.assistant_senders.",
    )


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        return []
    return [said for each in values for said in (each if isinstance(each, list) else [each])]


def _field(said: dict[str, Any], names: Sequence[str]) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def _sortable(time: Any) -> tuple[int, float, str]:
    if isinstance(time, int | float):
        return 0, float(time), ""
    return 1, 0.0, str(time)
