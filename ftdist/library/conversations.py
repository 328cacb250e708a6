"""Conversations from JSONL, JSON and Parquet, in the forms in which people keep them.

| form | keys of a row |
| --- | --- |
| OpenAI | `messages`: list of `role`, `content` |
| ShareGPT | `conversations`: list of `from`, `value` |
| Alpaca | `instruction`, `input` (may be missing), `output` |
| questions | `question`, `answer` (or `q`, `a`) |
| text | `text`: a passage, not a conversation |

A row may also hold `system`, a system message. A row that cannot be read is named, and why.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ftdist.data.message import Message
from ftdist.library.rows import BadRow, Conversation, Passage, Place, Row

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

_NOT_LEARNED = ("tool_calls", "function_call", "reasoning_content", "reasoning", "thinking")

_FORMS = "messages; conversations; instruction and output; question and answer; text"


class _BadRowError(Exception):
    """Why a row cannot be used; a clause such as "has no answer"."""


def read_conversations(path: Path, *, name: str) -> Iterator[Row]:
    """The rows of a file, in order, one at a time.

    Args:
        path: of the file; its suffix says how to read it.
        name: what the file is called in errors.
    """
    for row, value in _values(path):
        place = Place(name, row)
        if isinstance(value, _BadRowError):
            yield BadRow(str(value), place)
            continue
        try:
            yield _parse(value, place)
        except _BadRowError as error:
            yield BadRow(str(error), place)


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """Numbered rows as Python values; an error stands where a row cannot be read."""
    match path.suffix.lower():
        case ".parquet":
            yield from _parquet_values(path)
        case ".json":
            yield from _json_values(path)
        case _:
            yield from _jsonl_values(path)


def _jsonl_values(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield number, _loads(text)


def _json_values(path: Path) -> Iterator[tuple[int, Any]]:
    value = _loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    if isinstance(value, dict):
        lists = [member for member in value.values() if _is_list_of_objects(member)]
        # {"data": [row, row]}, but not a row that itself holds a list of messages
        if len(lists) == 1 and not value.keys() & {"messages", "conversations"}:
            value = lists[0]
    rows = value if isinstance(value, list) else [value]
    yield from enumerate(rows, start=1)


def _parquet_values(path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for value in batch.to_pylist():
                    number += 1
                    yield number, value
    except (pyarrow.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        yield number + 1, _BadRowError(f"cannot be read as Parquet: {first_line}")


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _BadRowError(f"is not UTF-8 text (byte {error.start + 1})")
    except json.JSONDecodeError as error:
        return _BadRowError(f"is not JSON ({error.msg} at character {error.pos + 1})")
    except ValueError:
        return _BadRowError("holds a number of too many digits")
    except RecursionError:
        return _BadRowError("is JSON nested too deeply")


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _parse(value: Any, place: Place) -> Row:
    if not isinstance(value, dict):
        raise _BadRowError(f"is a {type(value).__name__}, not an object with keys")
    row = {key: member for key, member in value.items() if member is not None}
    if row.get("tools") or row.get("functions"):
        raise _BadRowError("offers tools, which are not learned")
    if "messages" in row:
        messages = _messages(row["messages"])
    elif "conversations" in row or "conversation" in row:
        messages = _messages(row.get("conversations", row.get("conversation")))
    elif {"instruction", "output"} <= row.keys():
        messages = _alpaca(row)
    elif {"question", "answer"} <= row.keys():
        messages = _exchange(row["question"], row["answer"])
    elif {"q", "a"} <= row.keys():
        messages = _exchange(row["q"], row["a"])
    elif "text" in row:
        return Passage(_text(row["text"], of="the text"), place)
    else:
        keys = ", ".join(sorted(map(str, row))) or "none"
        raise _BadRowError(f"has none of the known forms ({_FORMS}); its keys: {keys}")
    if "system" in row and row["system"] != "" and messages[:1] and messages[0]["role"] != "system":
        messages = [Message(role="system", content=_text(row["system"], of="system")), *messages]
    _check(messages)
    return Conversation(tuple(messages), place)


def _messages(values: Any) -> list[Message]:
    if not isinstance(values, list) or not values:
        raise _BadRowError("has no messages")
    return [_message(value, number) for number, value in enumerate(values, start=1)]


def _message(value: Any, number: int) -> Message:
    if not isinstance(value, dict):
        raise _BadRowError(f"has a message {number} that is no object with keys")
    said = value.get("role", value.get("from"))
    role = _ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise _BadRowError(f"has a message {number} of role {said!r}; known: {', '.join(_ROLES)}")
    for key in _NOT_LEARNED:
        if value.get(key):
            raise _BadRowError(f"has {key} in message {number}, which is not learned")
    if value.get("weight", 1) == 0 and role == "assistant":
        raise _BadRowError(f"asks with weight 0 that message {number} is not learned")
    content = value.get("content", value.get("value"))
    if role == "system" and content == "":
        return Message(role=role, content="")  # says that there is none, not even the template's
    return Message(role=role, content=_text(content, of=f"message {number} ({role})"))


def _alpaca(row: dict[str, Any]) -> list[Message]:
    messages: list[Message] = []
    history = row.get("history") or []
    if not isinstance(history, list) or not all(_is_pair(turn) for turn in history):
        raise _BadRowError("has a history that is no list of pairs, question and answer")
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
            raise _BadRowError(f"holds more than text in {of}")
        value = "".join(texts)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _BadRowError(f"has nothing in {of}")
    if not isinstance(value, str):
        raise _BadRowError(f"has a {type(value).__name__} instead of text in {of}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _BadRowError(f"holds half a character (a lone surrogate) in {of}") from error
    return value


def _check(messages: list[Message]) -> None:
    """There is an answer, and the last word is the assistant's."""
    if not any(message["role"] == "assistant" for message in messages):
        raise _BadRowError("has no answer: no message is the assistant's")
    if messages[-1]["role"] != "assistant":
        raise _BadRowError(
            f"has no answer to its last message, which is the {messages[-1]['role']}'s"
        )
