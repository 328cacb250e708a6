"""Conversations from JSONL, JSON, CSV, Parquet and YAML, in the forms in which people keep them.

| form | keys of a row |
| --- | --- |
| OpenAI | `messages`: list of `role`, `content` |
| ShareGPT | `conversations`: list of `from`, `value` |
| Alpaca | `instruction`, `input` (may be missing), `output` |
| questions | `question`, `answer` (or `q`, `a`) |
| text | `text`: a passage, not a conversation |
| dialogue | a list of texts, in turn a question and its answer |
| thread | `messages`: list of `sender`, `text`, `time` |

A row may also hold `system`, a system message. A row that cannot be read is named, and why.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.records import Span, read_records
from ftdist.library.readers.threads import is_thread, thread_messages, threads_of
from ftdist.library.schema import BadRow, BadRowError, Conversation, Passage, Place, Row

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}

_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})

_NOT_LEARNED = ("tool_calls", "function_call", "reasoning_content", "reasoning", "thinking")

_FORMS = "messages; conversations; instruction and output; question and answer; text"


def read_conversations(
    path: Path,
    *,
    name: str,
    kind: str | None = None,
    columns: Mapping[str, str] = _NO_COLUMNS,
    assistant: Collection[str] = (),
    span: Span | None = None,
    first_row: int = 1,
) -> Iterator[Row]:
    """The rows of a file, in order, one at a time.

    Args:
        path: of the file.
        name: what the file is called in errors.
        kind: json, jsonl, csv, parquet or yaml; None: as the suffix says.
        columns: which keys hold what, where they have names of their own: question, answer, text,
            system, messages, role, content, thread, sender, time. Dots lead into objects.
        assistant: senders whose messages are the answers, in any case.
        span: bytes of a JSONL file, from the beginning of a line.
        first_row: number of the first line of the span.
    """
    suffix = path.suffix.lower()
    kind = kind or {".parquet": "parquet", ".json": "json"}.get(suffix, "jsonl")
    values = read_records(path, kind=kind, span=span, first_row=first_row)
    known = ((row, _renamed(value, columns)) for row, value in values)
    for row, value in threads_of(known) if "thread" in columns else known:
        place = Place(name, row)
        try:
            if isinstance(value, BadRowError):
                raise value
            yield _parse(value, place, assistant=assistant)
        except BadRowError as error:
            yield BadRow(str(error), place, error.remedy)


def _renamed(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with the names that are known in place of its own."""
    if not columns or not isinstance(value, dict):
        return value
    found = {known: _reach(value, own) for known, own in columns.items()}
    if "question" in found or "answer" in found:
        value = {}  # what is left is not the row's form any more
    return {**value, **{known: member for known, member in found.items() if member is not None}}


def _reach(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _parse(value: Any, place: Place, *, assistant: Collection[str]) -> Row:
    if _is_dialogue(value):
        return Conversation(tuple(_dialogue(value)), place)
    if not isinstance(value, dict):
        raise BadRowError(f"is a {type(value).__name__}, not an object with keys")
    row = {key: member for key, member in value.items() if member is not None}
    if row.get("tools") or row.get("functions"):
        raise BadRowError("offers tools, which are not learned")
    if "text" in row and not row.keys() & _CONVERSATION_KEYS:
        return Passage(_text(row["text"], of="the text"), place)
    messages = _said(row, assistant=assistant)
    if "system" in row and row["system"] != "" and messages[:1] and messages[0]["role"] != "system":
        messages = [Message(role="system", content=_text(row["system"], of="system")), *messages]
    _check(messages)
    return Conversation(tuple(messages), place)


_CONVERSATION_KEYS = {"messages", "conversations", "conversation", "output", "answer", "a"}


def _said(row: dict[str, Any], *, assistant: Collection[str]) -> list[Message]:
    """The messages of a row, by the first form that it has."""
    if "messages" in row and is_thread(row["messages"]):
        return thread_messages(row["messages"], assistant=assistant)
    if "messages" in row:
        return _messages(row["messages"])
    if "conversations" in row or "conversation" in row:
        return _messages(row.get("conversations", row.get("conversation")))
    if {"instruction", "output"} <= row.keys():
        return _alpaca(row)
    if {"question", "answer"} <= row.keys():
        return _exchange(row["question"], row["answer"])
    if {"q", "a"} <= row.keys():
        return _exchange(row["q"], row["a"])
    keys = ", ".join(sorted(map(str, row))) or "none"
    raise BadRowError(f"has none of the known forms ({_FORMS}); its keys: {keys}")


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(said, str) for said in value)


def _dialogue(lines: list[str]) -> list[Message]:
    """A list of texts in which two take turns, the assistant last."""
    if len(lines) < 2:
        raise BadRowError("has a single message and no answer")
    lines = lines[: len(lines) // 2 * 2]
    turns = [_exchange(lines[at], lines[at + 1]) for at in range(0, len(lines), 2)]
    return [message for turn in turns for message in turn]


def _messages(values: Any) -> list[Message]:
    if not isinstance(values, list) or not values:
        raise BadRowError("has no messages")
    return [_message(value, number) for number, value in enumerate(values, start=1)]


def _message(value: Any, number: int) -> Message:
    if not isinstance(value, dict):
        raise BadRowError(f"has a message {number} that is no object with keys")
    said = value.get("role", value.get("from"))
    role = _ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise BadRowError(f"has a message {number} of role {said!r}; known: {', '.join(_ROLES)}")
    for key in _NOT_LEARNED:
        if value.get(key):
            raise BadRowError(f"has {key} in message {number}, which is not learned")
    if value.get("weight", 1) == 0 and role == "assistant":
        raise BadRowError(f"asks with weight 0 that message {number} is not learned")
    content = value.get("content", value.get("value"))
    if role == "system" and content == "":
        return Message(role=role, content="")  # says that there is none, not even the template's
    return Message(role=role, content=_text(content, of=f"message {number} ({role})"))


def _alpaca(row: dict[str, Any]) -> list[Message]:
    messages: list[Message] = []
    history = row.get("history") or []
    if not isinstance(history, list) or not all(_is_pair(turn) for turn in history):
        raise BadRowError("has a history that is no list of pairs, question and answer")
    for question, answer in history:
        messages += _exchange(question, answer)
    more = row.get("input", "")
    instruction = _text(row["instruction"], of="the instruction")
    if isinstance(more, str) and more.strip():
        instruction = f"{instruction}\n\n{_text(more, of='the input')}"
    return [*messages, *_exchange(instruction, row["output"])]


def _is_pair(turn: Any) -> bool:
    return isinstance(turn, list | tuple) and len(turn) == 2


def _exchange(question: Any, answer: Any) -> list[Message]:
    return [
        Message(role="user", content=_text(question, of="the question")),
        Message(role="assistant", content=_text(answer, of="the answer")),
    ]


def _text(value: Any, *, of: str) -> str:
    """A text that can be encoded, of a string or of a list of text parts."""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            raise BadRowError(f"holds more than text in {of}")
        value = "".join(texts)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"has nothing in {of}")
    if not isinstance(value, str):
        raise BadRowError(f"has a {type(value).__name__} instead of text in {of}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRowError(f"holds half a character (a lone surrogate) in {of}") from error
    return value


def _check(messages: list[Message]) -> None:
    """There is an answer, and the last word is the assistant's."""
    if not any(message["role"] == "assistant" for message in messages):
        raise BadRowError("has no answer: no message is the assistant's")
    if messages[-1]["role"] != "assistant":
        raise BadRowError(
            f"has no answer to its last message, which is the {messages[-1]['role']}'s"
        )
