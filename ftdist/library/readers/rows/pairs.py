"""Rows of a question and an answer, with what the question leans on."""

import re
from collections.abc import Mapping
from typing import Any

from ftdist.data.messages import INSTRUCTIONS, Message
from ftdist.library.readers.rows.chats.calls import are_calls, read_calls
from ftdist.library.readers.rows.chats.messages import (
    has_roles,
    is_dialogue,
    read_messages,
)
from ftdist.library.readers.rows.chats.tools import TOOLS
from ftdist.library.readers.rows.row_keys import ANSWERS, CHOICES, CONTEXTS, QUESTIONS, names
from ftdist.library.readers.rows.values import from_json, is_empty, message_list, text_of
from ftdist.library.schema import BadRowError, Note

_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_NUMBER = re.compile(r"\d+")
_MARKED = re.compile(r"[(\[]?[A-Za-z0-9][)\].:\s]")
_SPEAKERS = ((("user", "human"), ("assistant", "gpt", "bot", "ai")),)
"""Pairs of keys that are roles, where no other key is a question."""


def read_pair(
    row: Mapping[str, Any], *, notes: list[Note]
) -> tuple[list[Message], set[str]] | None:
    """The messages of a row, and the keys that they use; None: it has no question or no answer.

    Raises:
        BadRowError: it is not clear what the question or the answer is.
    """
    questions = {key: row[key] for key in QUESTIONS if key in row}
    answers = {key: row[key] for key in ANSWERS if key in row and not isinstance(row[key], bool)}
    contexts = [key for key in CONTEXTS if key in row]
    if not questions and "input" in row:
        questions, contexts = {"input": row["input"]}, [key for key in contexts if key != "input"]
    if not questions and not answers:
        questions, answers = _speakers(row)
    if not questions or not answers:
        return None
    choices = next((key for key in CHOICES if not is_empty(row.get(key))), None)
    if choices:
        answers = {key: str(text) if type(text) is int else text for key, text in answers.items()}
    question_key = _only(questions, of="question")
    question = text_of(_single(questions[question_key], of="the question"),
                       of=f"the {_called(question_key)}", notes=notes)  # fmt: skip
    answer = read_answer(answers, has_tools=has_tools(row), notes=notes)
    used = {*questions, *answers}
    if choices:
        options = _options(row[choices], key=choices)
        _check_choice(answer[-1]["content"], options=options, key=choices)
        listed = text_of("\n".join(options), of=f"the {choices}", notes=notes)
        question, used = f"{question}\n\n{listed}", used | {choices}
    for key in contexts:
        if context := _context(row[key], key=key, notes=notes):
            question, used = f"{question}\n\n{context}", used | {key}
    history = _history(row, notes=notes)
    used |= {"history"} if "history" in row else set()
    return [*history, _user(question), *answer], used


def has_tools(row: Mapping[str, Any]) -> bool:
    """Whether a row gives the assistant tools, so that its answer may be calls."""
    return any(not is_empty(row.get(key)) for key in TOOLS)


def read_answer(answers: Mapping[str, Any], *, has_tools: bool, notes: list[Note]) -> list[Message]:
    """The answer among a row's values for it: one message, or steps with calls and results.

    Raises:
        BadRowError: it is none, or there are several.
    """
    read = {
        key: answer_messages(value, key=key, has_tools=has_tools, notes=notes)
        for key, value in answers.items()
    }
    first = next(iter(read.values()))
    if any(messages != first for messages in read.values()):
        raise BadRowError(
            f"has {names(read)}, which differ, and it is not clear which is the answer", _REMEDY
        )
    return first


_REMEDY = "Remove one, or name the right one in library.columns."


def answer_messages(value: Any, *, key: str, has_tools: bool, notes: list[Note]) -> list[Message]:
    """An answer: a text, calls, a message, or the messages at the end of a list."""
    written, value = value, from_json(value)
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        texts = value["text"]  # SQuAD: the same answer, found several times
        value = [text for at, text in enumerate(texts) if text not in texts[:at]]
    if has_tools and are_calls(value):
        calls = read_calls({"tool_calls": value}, where=f" (the {key})", notes=notes)
        return [Message(role="assistant", content="", tool_calls=calls)]
    listed = message_list([value] if has_roles(value) else value)
    if listed and all(map(has_roles, listed)):
        messages = read_messages(listed, notes=notes)
        if messages[-1]["role"] != "assistant":
            raise BadRowError(
                f"has no answer in {key}: its last message is of role {messages[-1]['role']}"
            )
        questions = [at for at, message in enumerate(messages) if message["role"] in _ASKING]
        return messages[questions[-1] + 1 :] if questions else messages
    if isinstance(written, str) and not (is_dialogue(value) and len(value) == 1):
        value = written  # an answer may be JSON
    text = text_of(_single(value, of="the answer"), of=f"the {_called(key)}", notes=notes)
    return [Message(role="assistant", content=text)]


_ASKING = ("user", *INSTRUCTIONS)


def _called(key: str) -> str:
    return {"q": "question", "a": "answer", "output": "answer", "answers": "answer"}.get(key, key)


def _single(value: Any, *, of: str) -> Any:
    """A value, or the only text of a list; parts of a message pass."""
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        if len(value) > 1:
            raise BadRowError(f"has {len(value)} texts as {of}", "Write one, or a row for each.")
        return value[0] if value else None
    return value


def _only(questions: Mapping[str, Any], *, of: str) -> str:
    """The key of the question: if there are several, the one that the others contain.

    Raises:
        BadRowError: there is no such one.
    """
    texts = {key: value for key, value in questions.items() if not is_empty(value)}
    for key, text in texts.items():
        if all(str(text) in str(other) for other in texts.values()):
            return key
    if texts:
        raise BadRowError(
            f"has {names(texts)}, which differ, and it is not clear which is the {of}", _REMEDY
        )
    return next(iter(questions))


def _speakers(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    for asking, answering in _SPEAKERS:
        questions = {key: row[key] for key in asking if isinstance(row.get(key), str)}
        answers = {key: row[key] for key in answering if isinstance(row.get(key), str)}
        if questions and answers:
            return questions, answers
    return {}, {}


def _context(value: Any, *, key: str, notes: list[Note]) -> str:
    """A text that the question leans on; "" if it is empty.

    Raises:
        BadRowError: it is something else than a text or texts.
    """
    if is_empty(value):
        return ""
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        kind = type(next(text for text in texts if not isinstance(text, str))).__name__
        raise BadRowError(f"has {key} of type {kind} instead of text", "Write it as text.")
    filled = [text_of(text, of=f"the {key}", notes=notes) for text in texts if text.strip()]
    return "\n\n".join(filled)


def _options(value: Any, *, key: str) -> list[str]:
    """The choices of a question as lines: "A. lamp", or as they are if they have letters."""
    value, labels = from_json(value), None
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value, labels = value["text"], value.get("label")
    elif isinstance(value, dict):
        value, labels = list(value.values()), list(value)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise BadRowError(f"has {key} that are no list of texts", "Write them as texts.")
    if labels:
        if not isinstance(labels, list) or len(labels) != len(value):
            raise BadRowError(f"has {key} without one label for each", "Add or remove labels.")
        value = [f"{label}. {text}" for label, text in zip(labels, value, strict=True)]
    if all(map(_MARKED.match, value)):
        return list(value)
    return [f"{chr(ord('A') + at)}. {text}" for at, text in enumerate(value)]


def _check_choice(answer: str, *, options: list[str], key: str) -> None:
    """Refuse an answer that names a choice in a way that the question does not show.

    Raises:
        BadRowError: it is a number, or a letter of no choice.
    """
    bare = answer.strip()
    texts = {_MARKED.sub("", option, count=1).strip().casefold() for option in options}
    marks = {match[1].upper() for option in options if (match := _LETTER.match(option))}
    if bare.casefold() in texts:
        return
    if _NUMBER.fullmatch(bare) and not any(option.startswith(bare) for option in options):
        raise BadRowError(
            f"answers with the number {bare} of one of its {key}, which may count from 0 or 1",
            "Write the text of the answer.",
        )
    letter = _LETTER.fullmatch(bare)
    if letter and letter[1].upper() not in marks:
        raise BadRowError(f"answers with {bare}, which is none of its {key}")


def _history(row: Mapping[str, Any], *, notes: list[Note]) -> list[Message]:
    """Earlier exchanges of an Alpaca row."""
    history = from_json(row.get("history")) or []
    if not isinstance(history, list) or not all(
        isinstance(turn, list | tuple) and len(turn) == 2 for turn in history
    ):
        raise BadRowError("has a history that is not a list of [question, answer] pairs")
    messages = []
    for question, answer in history:
        messages.append(_user(text_of(question, of="the history", notes=notes)))
        text = text_of(answer, of="the history", notes=notes)
        messages.append(Message(role="assistant", content=text))
    return messages


def _user(text: str) -> Message:
    return Message(role="user", content=text)
