"""Conversations from rows of JSONL, JSON, CSV, Parquet and YAML, in the usual chat formats.

| format | keys of a row |
| --- | --- |
| OpenAI | `messages`: list of `role`, `content` |
| ShareGPT | `conversations`: list of `from`, `value` |
| Alpaca | `instruction`, `input` (optional), `output` |
| questions | `question`, `answer` (or `q`, `a`) |
| text | `text`: a passage, not a conversation |
| dialogue | a list of texts, alternately question and answer |
| thread | `messages`: list of `sender`, `text`, `time` |

A row may also contain `system`, a system message. A row that cannot be read becomes a `BadRow`.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.records import Span, read_records
from ftdist.library.readers.threads import group_threads, is_thread, thread_messages
from ftdist.library.schema import BadRow, BadRowError, Conversation, Location, Passage, Row

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

_UNSUPPORTED = ("tool_calls", "function_call", "reasoning_content", "reasoning", "thinking")

_FORMATS = "messages; conversations; instruction and output; question and answer; text"


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
    """Read the rows of a file, in order, one at a time.

    Args:
        path: of the file.
        name: of the file in messages.
        kind: json, jsonl, csv, parquet or yaml; None: by the suffix.
        columns: the file's own keys for question, answer, text, system, messages, role, content,
            thread, sender and time. Dots lead into objects.
        assistant: senders whose messages are the answers; letter case does not count.
        span: bytes of a JSONL file, starting at a line.
        first_row: number of the first line of the span.
    """
    suffix = path.suffix.lower()
    kind = kind or {".parquet": "parquet", ".json": "json"}.get(suffix, "jsonl")
    records = read_records(path, kind=kind, span=span, first_row=first_row)
    renamed = ((row, _rename_keys(value, columns)) for row, value in records)
    for row, value in group_threads(renamed) if "thread" in columns else renamed:
        location = Location(name, row)
        try:
            if isinstance(value, BadRowError):
                raise value
            yield _parse(value, location, assistant=assistant)
        except BadRowError as error:
            yield BadRow(str(error), location, error.remedy)


def _rename_keys(value: Any, columns: Mapping[str, str]) -> Any:
    """A row with standard keys in place of its own."""
    if not columns or not isinstance(value, dict):
        return value
    members = {key: _get_path(value, own_key) for key, own_key in columns.items()}
    if "question" in members or "answer" in members:
        value = {}  # the other keys do not decide its format any more
    return {**value, **{key: member for key, member in members.items() if member is not None}}


def _get_path(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _parse(value: Any, location: Location, *, assistant: Collection[str]) -> Row:
    if _is_dialogue(value):
        return Conversation(tuple(_dialogue(value)), location)
    if not isinstance(value, dict):
        raise BadRowError(f"is of type {type(value).__name__}, not an object with keys")
    row = {key: member for key, member in value.items() if member is not None}
    if row.get("tools") or row.get("functions"):
        raise BadRowError("defines tools, which are not supported")
    if "text" in row and not row.keys() & _CONVERSATION_KEYS:
        return Passage(_text(row["text"], of="the text"), location)
    messages = _parse_messages(row, assistant=assistant)
    if "system" in row and row["system"] != "" and messages[:1] and messages[0]["role"] != "system":
        messages = [Message(role="system", content=_text(row["system"], of="system")), *messages]
    _require_answer(messages)
    return Conversation(tuple(messages), location)


_CONVERSATION_KEYS = {"messages", "conversations", "conversation", "output", "answer", "a"}


def _parse_messages(row: dict[str, Any], *, assistant: Collection[str]) -> list[Message]:
    """The messages of a row, by the first format that matches."""
    if "messages" in row and is_thread(row["messages"]):
        return thread_messages(row["messages"], assistant=assistant)
    if "messages" in row:
        return _messages(row["messages"])
    if "conversations" in row or "conversation" in row:
        return _messages(row.get("conversations", row.get("conversation")))
    if {"instruction", "output"} <= row.keys():
        return _alpaca(row)
    if {"question", "answer"} <= row.keys():
        return _qa_pair(row["question"], row["answer"])
    if {"q", "a"} <= row.keys():
        return _qa_pair(row["q"], row["a"])
    keys = ", ".join(sorted(map(str, row))) or "none"
    raise BadRowError(f"has none of the known formats ({_FORMATS}); its keys: {keys}")


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _dialogue(lines: list[str]) -> list[Message]:
    """Alternating texts of user and assistant."""
    if len(lines) < 2:
        raise BadRowError("has a single message and no answer")
    pairs = zip(lines[::2], lines[1::2], strict=False)  # a last question without answer is dropped
    return [message for question, answer in pairs for message in _qa_pair(question, answer)]


def _messages(values: Any) -> list[Message]:
    if not isinstance(values, list) or not values:
        raise BadRowError("has no messages")
    return [_message(value, number) for number, value in enumerate(values, start=1)]


def _message(value: Any, number: int) -> Message:
    if not isinstance(value, dict):
        raise BadRowError(f"has a message {number} that is not an object with keys")
    name = value.get("role", value.get("from"))
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise BadRowError(f"has a message {number} of role {name!r}; known: {', '.join(_ROLES)}")
    for key in _UNSUPPORTED:
        if value.get(key):
            raise BadRowError(f"has {key} in message {number}, which is not supported")
    if value.get("weight", 1) == 0 and role == "assistant":
        raise BadRowError(f"has weight 0 in message {number}, which is not supported")
    content = value.get("content", value.get("value"))
    if role == "system" and content == "":
        return Message(role=role, content="")  # disables the template's default system message
    return Message(role=role, content=_text(content, of=f"message {number} ({role})"))


def _alpaca(row: dict[str, Any]) -> list[Message]:
    messages: list[Message] = []
    history = row.get("history") or []
    if not isinstance(history, list) or not all(_is_pair(turn) for turn in history):
        raise BadRowError("has a history that is not a list of [question, answer] pairs")
    for question, answer in history:
        messages += _qa_pair(question, answer)
    context = row.get("input", "")
    instruction = _text(row["instruction"], of="the instruction")
    if isinstance(context, str) and context.strip():
        instruction = f"{instruction}\n\n{_text(context, of='the input')}"
    return [*messages, *_qa_pair(instruction, row["output"])]


def _is_pair(turn: Any) -> bool:
    return isinstance(turn, list | tuple) and len(turn) == 2


def _qa_pair(question: Any, answer: Any) -> list[Message]:
    return [
        Message(role="user", content=_text(question, of="the question")),
        Message(role="assistant", content=_text(answer, of="the answer")),
    ]


def _text(value: Any, *, of: str) -> str:
    """A valid, non-empty text from a string or a list of text parts."""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            raise BadRowError(f"contains more than text in {of}")
        value = "".join(texts)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BadRowError(f"has no text in {of}")
    if not isinstance(value, str):
        raise BadRowError(f"has type {type(value).__name__} instead of text in {of}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRowError(f"contains half a character (a lone surrogate) in {of}") from error
    return value


def _require_answer(messages: list[Message]) -> None:
    """Require that the assistant has the last word."""
    if not any(message["role"] == "assistant" for message in messages):
        raise BadRowError("has no answer: no message has the role assistant")
    if messages[-1]["role"] != "assistant":
        raise BadRowError(f"has no answer to its last message (role {messages[-1]['role']})")
