"""Lists of messages with roles: OpenAI, ShareGPT and their relatives."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows.roles import TOOL, role_of
from ftdist.library.readers.rows.row_keys import (
    describe,
    is_learned,
    note_unused,
    refuse_unsupported,
)
from ftdist.library.readers.rows.values import is_empty, shown, standard_keys, text_of
from ftdist.library.schema import BadRowError, Note

_ROLES = ("role", "from")
_TEXTS = ("content", "value", "text", "message", "parts", "utterance")
_KNOWN = "system, user and assistant, and usual words for them"


def has_roles(message: Any) -> bool:
    """Whether a value is a message with a role and a text."""
    if not isinstance(message, dict):
        return False
    keys = {str(key).casefold() for key in message}
    return bool(keys & {*_ROLES}) and bool(keys & {*_TEXTS})


def read_messages(
    values: Sequence[Mapping[Any, Any]],
    *,
    learned: Sequence[bool | None] = (),
    notes: list[Note],
) -> list[Message]:
    """Messages with standard roles, up to the last answer that is to be learned.

    Args:
        values: the messages of a row.
        learned: per message, whether a list in the row says that it is learned.
        notes: receives the notes.

    Raises:
        BadRowError: a message cannot be read, or an answer before the last is not to be learned.
    """
    messages: list[Message] = []
    unlearned: list[str] = []
    flags = learned or [None] * len(values)
    for number, (value, of_row) in enumerate(zip(values, flags, strict=True), start=1):
        message, reason = _message(value, number=number, notes=notes)
        messages.append(message)
        unlearned.append(reason or ("by the row's mask" if of_row is False else ""))
    return without_unlearned(messages, unlearned=unlearned, notes=notes)


def without_unlearned(
    messages: list[Message], *, unlearned: Sequence[str], notes: list[Note]
) -> list[Message]:
    """The messages up to the last answer that is to be learned.

    Args:
        messages: of a conversation.
        unlearned: per message, what says that it is not to be learned; "" if nothing does.
        notes: receives the notes.

    Raises:
        BadRowError: an answer before it is not to be learned; all answers of a conversation are.
    """
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    first = next((at for at in answers if unlearned[at]), None)
    if first is None:
        return messages
    last = max((at for at in answers if not unlearned[at]), default=None)
    if last is None:
        reason = f"has only answers that are not to be learned ({unlearned[first]})"
        raise BadRowError(reason, "Remove it.")
    if first < last:
        raise BadRowError(
            f"has an answer that is not to be learned in message {first + 1} ({unlearned[first]}), "
            "before one that is; ftdist learns all answers of a conversation",
            "Remove that exchange, or end the conversation before it.",
        )
    notes.append(Note("answer not to be learned left out", shown(messages[first]["content"])))
    return messages[: last + 1]


def _message(value: Mapping[Any, Any], *, number: int, notes: list[Note]) -> tuple[Message, str]:
    """A message, and the keys that say that it is not to be learned, or ""."""
    members = standard_keys(value, of=f"message {number}")
    where = f" in message {number}"
    key, name = next(((key, members[key]) for key in _ROLES if key in members), ("role", None))
    role = role_of(name) if isinstance(name, str) else None
    if role in (None, TOOL):
        raise BadRowError(f"has a message {number} of role {name!r}; known: {_KNOWN}")
    assert role is not None
    refuse_unsupported(members, where=where)
    learned = is_learned(members, where=where)
    if learned and role != "assistant" and "weight" not in members:
        notes.append(Note("request to learn a question not followed", shown(describe(members))))
    used, content = _content(members, number=number)
    note_unused(members, used={key, used}, kind="key of messages", notes=notes)
    if role == "system" and content == "":
        return Message(role=role, content=""), ""  # disables the template's default one
    text = text_of(content, of=f"message {number} ({role})", notes=notes)
    return Message(role=role, content=text), describe(members) if learned is False else ""


def _content(members: Mapping[str, Any], *, number: int) -> tuple[str, Any]:
    """The key and value of a message's text.

    Raises:
        BadRowError: there are two different ones.
    """
    texts = {key: members[key] for key in _TEXTS if key in members}
    filled = {key: value for key, value in texts.items() if not is_empty(value)}
    if len({str(value) for value in filled.values()}) > 1:
        two = " and ".join(list(filled)[:2])
        raise BadRowError(f"has {two} with different texts in message {number}", "Keep one.")
    return next(iter((filled or texts or {"content": None}).items()))


def require_answer(messages: Sequence[Message]) -> None:
    """Require that the user has the first word, and the assistant the last one.

    Raises:
        BadRowError: it does not.
    """
    if not any(message["role"] == "assistant" for message in messages):
        raise BadRowError("has no answer: no message has the role assistant")
    first = next(at for at, message in enumerate(messages) if message["role"] == "assistant")
    if not any(message["role"] == "user" for message in messages[:first]):
        raise BadRowError(
            "begins with the assistant, so there is nothing to answer",
            "Put a user message first, or leave the greeting out.",
        )
    if messages[-1]["role"] != "assistant":
        raise BadRowError(f"has no answer to its last message (role {messages[-1]['role']})")
