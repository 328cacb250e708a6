"""Message threads of people (sender, text, time) as conversations."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.schema import BadRowError

_SENDERS = ("sender", "author", "user", "name", "by")
_TEXTS = ("text", "body", "message", "content")
_TIMES = ("time", "timestamp", "date", "created_at")


def is_thread(value: Any) -> bool:
    """Whether messages have senders instead of roles; they may be grouped in inner lists."""
    messages = _flatten(value)
    return bool(messages) and all(
        isinstance(message, dict)
        and not message.keys() & {"role", "from"}
        and any(name in message for name in _SENDERS)
        and any(name in message for name in _TEXTS)
        for message in messages
    )


def thread_messages(value: Any, *, assistant: Collection[str]) -> list[Message]:
    """The messages of a thread in order of time, with roles.

    Consecutive messages of one role are joined. If none of two senders is in `assistant`, the
    second to write is the assistant. Messages after the last answer are dropped.

    Raises:
        BadRowError: nobody answers, or the one who answers is not known.
    """
    thread = _flatten(value)
    if all(_field(message, _TIMES) is not None for message in thread):
        thread = sorted(thread, key=lambda message: _sort_key(_field(message, _TIMES)))
    senders = list(dict.fromkeys(str(_field(message, _SENDERS)) for message in thread))
    assistants = _assistants(senders, known=assistant)
    messages: list[Message] = []
    for message in thread:
        text = _field(message, _TEXTS)
        if not isinstance(text, str) or not text.strip():
            continue
        role = "assistant" if str(_field(message, _SENDERS)) in assistants else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append(Message(role=role, content=text))
    if messages and messages[-1]["role"] == "user":
        messages.pop()
    if messages and messages[0]["role"] == "assistant":
        messages.pop(0)  # a greeting before the first question
    if not messages:
        raise BadRowError("has no answer: nobody answers in this thread", "Remove it.")
    return messages


def group_threads(rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Join adjacent rows of one message each by their `thread`."""
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


def _assistants(senders: Sequence[str], *, known: Collection[str]) -> set[str]:
    names = {name.casefold() for name in known}
    matches = {sender for sender in senders if sender.casefold() in names}
    if matches:
        return matches
    if len(senders) == 2:
        return {senders[1]}
    raise BadRowError(
        f"has {len(senders)} sender{'s'[: len(senders) != 1]}, and none is known as the assistant",
        "Name those who answer in library.assistant_senders.",
    )


def _flatten(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    return list(chain.from_iterable(x if isinstance(x, list) else [x] for x in value))


def _field(message: dict[str, Any], names: Sequence[str]) -> Any:
    return next((message[name] for name in names if message.get(name) is not None), None)


def _sort_key(time: Any) -> tuple[float, str]:
    """Numbers first, by value; then texts."""
    return (float(time), "") if isinstance(time, int | float) else (float("inf"), str(time))
