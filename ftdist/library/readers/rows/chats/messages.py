"""Lists of messages with roles: OpenAI, ShareGPT and their relatives."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.data.messages import INSTRUCTIONS, Message
from ftdist.library.readers.rows.chats.calls import CALLS, read_call_text, read_calls
from ftdist.library.readers.rows.chats.roles import CALL, TOOL, role_of
from ftdist.library.readers.rows.chats.tools import to_json
from ftdist.library.readers.rows.row_keys import (
    describe,
    is_learned,
    names,
    note_unused,
    refuse_unsupported,
)
from ftdist.library.readers.rows.values import (
    is_empty,
    join_parts,
    shown,
    standard_key,
    standard_keys,
    text_of,
)
from ftdist.library.schema import BadRowError, Note

_ROLES = ("role", "from")
TEXTS = ("content", "value", "text", "message", "parts", "utterance", "refusal")
_KNOWN = "system, developer, user, assistant and tool, and usual words for them"

REASONING = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")


def is_dialogue(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def has_roles(message: Any) -> bool:
    """Whether a value is a message with a role, and a text or calls."""
    if not isinstance(message, dict):
        return False
    keys = {str(key).casefold() for key in message}
    return bool(keys & {*_ROLES}) and bool(keys & {*TEXTS, *CALLS})


def read_messages(
    values: Sequence[Mapping[Any, Any]],
    *,
    learned: Sequence[bool | None] = (),
    notes: list[Note],
) -> list[Message]:
    """Messages with standard roles; answers that are not to be learned have weight 0.

    Args:
        values: the messages of a row.
        learned: per message, whether a list in the row says that it is learned.
        notes: receives the notes.

    Raises:
        BadRowError: a message cannot be read, or no answer is to be learned.
    """
    messages: list[Message] = []
    unlearned: list[str] = []
    flags = learned or [None] * len(values)
    for number, (value, of_row) in enumerate(zip(values, flags, strict=True), start=1):
        message, reason = _message(value, number=number, notes=notes)
        messages.append(message)
        unlearned.append(reason or ("by the row's mask" if of_row is False else ""))
    return mark_unlearned(messages, unlearned=unlearned)


def mark_unlearned(messages: list[Message], *, unlearned: Sequence[str]) -> list[Message]:
    """The messages, with weight 0 in answers that are not to be learned.

    Args:
        messages: of a conversation.
        unlearned: per message, what says that it is not to be learned; "" if nothing does.

    Raises:
        BadRowError: no answer is to be learned.
    """
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if answers and all(unlearned[at] for at in answers):
        reason = f"has only answers that are not to be learned ({unlearned[answers[0]]})"
        raise BadRowError(reason, "Remove it.")
    for at in answers:
        if unlearned[at]:
            messages[at]["weight"] = 0
    return messages


def _message(value: Mapping[Any, Any], *, number: int, notes: list[Note]) -> tuple[Message, str]:
    """A message, and the keys that say that it is not to be learned, or ""."""
    members = standard_keys(value, of=f"message {number}")
    where = f" in message {number}"
    key, name = next(((key, members[key]) for key in _ROLES if key in members), ("role", None))
    role = role_of(name) if isinstance(name, str) else None
    if role is None:
        raise BadRowError(f"has a message {number} of role {name!r}; known: {_KNOWN}")
    refuse_unsupported(members, where=where)
    learned = is_learned(members, where=where)
    is_answer = role in ("assistant", CALL)
    if learned and not is_answer and "weight" not in members:
        notes.append(Note("request to learn a question not followed", shown(describe(members))))
    text_key, content = _content(members, number=number)
    used = {key, text_key}
    if (
        role in INSTRUCTIONS
        and content is None
        and any(standard_key(str(k)) in TEXTS for k in value)
    ):
        content = ""  # it was null
    if is_answer:
        message = _answer(members, role, content, number=number, notes=notes)
        used |= {*REASONING, *CALLS}
    elif role == TOOL:
        message = _result(members, content, number=number, notes=notes)
        used |= {"tool_call_id", "name"}
    else:
        message = _question(role, content, number=number, notes=notes)
        used -= {*CALLS}
    if not is_answer and any(not is_empty(members.get(each)) for each in CALLS):
        raise BadRowError(f"has a call{where}, which is of role {name!r}", "Only assistants call.")
    note_unused(members, used=used, kind="key of messages", notes=notes)
    return message, describe(members) if learned is False else ""


def _question(role: str, content: Any, *, number: int, notes: list[Note]) -> Message:
    of = f"message {number} ({role})"
    text = join_parts(content, of=of, notes=notes)
    if role in INSTRUCTIONS and text == "":
        return Message(role=role, content="")  # disables the template's default one
    return Message(role=role, content=text_of(text, of=of, notes=notes))


def _answer(
    members: Mapping[str, Any], role: str, content: Any, *, number: int, notes: list[Note]
) -> Message:
    """What the assistant thinks, says and calls."""
    where, of = f" in message {number}", f"message {number} (assistant)"
    if role == CALL and not is_empty(content):
        content = join_parts(content, of=of, notes=notes) if _are_parts(content) else content
        text, calls = read_call_text(content, where=where, notes=notes)
    else:
        calls = read_calls(members, where=where, notes=notes)
        joined = join_parts(content, of=of, notes=notes)
        text = "" if calls and is_empty(joined) else text_of(joined, of=of, notes=notes)
    message = Message(role="assistant", content=text)
    if thought := _reasoning(members, number=number, notes=notes):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message


def _reasoning(members: Mapping[str, Any], *, number: int, notes: list[Note]) -> str:
    """The thought under one of the usual keys, or "".

    Raises:
        BadRowError: there are two different ones, or it is no text.
    """
    of = f"message {number}"
    thoughts: dict[str, str] = {}
    for key in (key for key in members if key in REASONING):
        value = members[key]
        if isinstance(value, bool):
            notes.append(Note(f"unused key of messages: {key}", shown(value)))
        elif not is_empty(value):
            thoughts[key] = text_of(value, of=f"the {key} of {of}", notes=notes)
    if len(set(thoughts.values())) > 1:
        raise BadRowError(f"has {names(thoughts)} with different texts in {of}", "Keep one.")
    return next(iter(thoughts.values()), "")


def _result(members: Mapping[str, Any], content: Any, *, number: int, notes: list[Note]) -> Message:
    """What a tool gave back: a text, or another value as JSON; it may be nothing."""
    of = f"message {number} (tool)"
    if isinstance(content, bytes) or _are_parts(content):
        content = join_parts(content, of=of, notes=notes)
    if content is None:
        text = ""
    elif isinstance(content, str):
        text = text_of(content, of=of, notes=notes) if content.strip() else content
    else:
        text = to_json(content, of=of)
    message = Message(role=TOOL, content=text)
    if not is_empty(members.get("tool_call_id")):
        message["tool_call_id"] = text_of(str(members["tool_call_id"]), of=of, notes=[])
    if isinstance(members.get("name"), str) and not is_empty(members["name"]):
        message["name"] = text_of(members["name"], of=of, notes=[])
    return message


def _are_parts(content: Any) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)
    )


def _content(members: Mapping[str, Any], *, number: int) -> tuple[str, Any]:
    """The key and value of a message's text.

    Raises:
        BadRowError: there are two different ones.
    """
    texts = {key: members[key] for key in TEXTS if key in members}
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
