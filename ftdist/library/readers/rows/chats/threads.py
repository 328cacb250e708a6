"""Message threads of people (sender, text, time) as conversations."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows.chats.messages import mark_unlearned
from ftdist.library.readers.rows.chats.roles import CALL, TOOL, role_of
from ftdist.library.readers.rows.chats.times import parse_times
from ftdist.library.readers.rows.row_keys import (
    describe,
    is_learned,
    note_unused,
    refuse_unsupported,
)
from ftdist.library.readers.rows.values import is_empty, shown, standard_keys, text_of
from ftdist.library.schema import BadRowError, Note

_SENDERS = ("sender", "author", "user", "name", "by", "speaker", "role", "from")
_TEXTS = ("text", "body", "message", "content", "utterance")
_TIMES = ("time", "timestamp", "date", "created_at", "sent_at", "datetime", "ts", "at")
_NAMES = ("role", "name", "display_name", "full_name", "username", "email", "id")
_REMEDY = "Name those who answer in library.assistant_senders."

_GREETING = re.compile(
    r"\b(?:welcome|how (?:can|may|could) (?:i|we) (?:help|assist)|you(?:'re| are) chatting with|"
    r"(?:thanks|thank you) for (?:contact|reach|chatting|calling|your (?:message|request|e-?mail))|"
    r"willkommen|(?:kann|können|darf) (?:ich|wir) (?:ihnen|dir|euch) (?:weiter)?(?:be)?h[ei]lf|"
    r"bienvenue|comment puis-je vous aider|bienvenid[oa]s?|en qué (?:puedo|podemos) ayudar|"
    r"benvenut[oi]|come posso aiutar|bem-vindo|como posso ajudar|welkom|hoe kan ik)",
    re.IGNORECASE,
)
_QUESTION = re.compile("[?\uff1f\u061f\u037e]")


@dataclass(frozen=True)
class _Post:
    sender: str
    role: str | None
    """What its sender is by name; None: unknown."""

    text: str
    time: Any
    unlearned: str
    """The keys that say that it is not to be learned, or ""."""


def is_thread(value: Any) -> bool:
    """Whether messages have senders instead of roles; they may be grouped in inner lists."""
    messages = _flatten(value)
    return (
        bool(messages)
        and all(
            isinstance(message, dict)
            and not {str(key).casefold() for key in message} & {"role", "from"}
            and _field(message, _SENDERS) is not None
            for message in messages
        )
        and any(_field(message, _TEXTS) is not None for message in messages)
    )


def thread_messages(value: Any, *, assistant: Collection[str], notes: list[Note]) -> list[Message]:
    """The messages of a thread in order of time, with roles.

    Consecutive messages of one role are joined. Messages before the first question and after the
    last answer are left out.

    Args:
        value: messages, or lists of them.
        assistant: senders who answer, besides those whose name says so; letter case does not count.
        notes: receives the notes.

    Raises:
        BadRowError: nobody answers, or it is not clear who does.
    """
    read = (
        _post(message, number=number, notes=notes)
        for number, message in enumerate(_flatten(value), start=1)
    )
    posts, is_sorted = _in_order([post for post in read if post], notes=notes)
    roles = _roles(posts, assistant=assistant, notes=notes)
    messages: list[Message] = []
    unlearned: list[str] = []
    for post in posts:
        role = roles[post.sender]
        if role == "system" and messages:
            notes.append(Note("message of the system in a thread left out", shown(post.text)))
        elif messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{post.text}"
            unlearned[-1] = unlearned[-1] or post.unlearned
        else:
            if role == "system":
                notes.append(Note("message of the system taken as instruction", shown(post.text)))
            messages.append(Message(role=role, content=post.text))
            unlearned.append(post.unlearned)
    if not is_sorted:
        _refuse_newest_first(messages)
    for at, rule in _ends(messages):
        notes.append(Note(rule, shown(messages.pop(at)["content"])))
        unlearned.pop(at)
    if not any(message["role"] == "assistant" for message in messages):
        raise BadRowError("has no answer: nobody answers in this thread", "Remove it.")
    return mark_unlearned(messages, unlearned=unlearned)


def group_threads(rows: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Join rows of one message each by their `thread`, wherever in the file they are."""
    groups: dict[str, tuple[int, list[dict[str, Any]]]] = {}
    others: list[tuple[int, Any]] = []
    for row, value in rows:
        key = value.get("thread") if isinstance(value, dict) else None
        if isinstance(value, dict) and is_empty(key):
            others.append((row, BadRowError("has no thread")))
        elif isinstance(value, dict) and not isinstance(key, str | int | float):
            others.append((row, BadRowError(f"has a thread of type {type(key).__name__}")))
        elif isinstance(value, dict):
            message = {name: member for name, member in value.items() if name != "thread"}
            groups.setdefault(str(key), (row, []))[1].append(message)
        else:
            others.append((row, value))
    threads = ((row, {"messages": messages}) for row, messages in groups.values())
    yield from sorted(chain(threads, others), key=lambda numbered: numbered[0])


def _post(message: Any, *, number: int, notes: list[Note]) -> _Post | None:
    """A message of a thread; None if it has no text."""
    members = standard_keys(message, of=f"message {number}")
    where = f" in message {number}"
    refuse_unsupported(members, where=where)
    sender_key, sender = _find(members, _SENDERS)
    text_key, text = _find(members, _TEXTS)
    time_key, time = _find(members, _TIMES)
    used = {sender_key, text_key, time_key}
    if isinstance(members.get("date"), str) and isinstance(members.get("time"), str):
        time, used = f"{members['date']} {members['time']}", used | {"date", "time"}
    note_unused(members, used=used, kind="key of messages", notes=notes)
    if is_empty(text):
        notes.append(Note("message without text left out", shown(members)))
        return None
    name = _name(sender, number=number)
    role = role_of(name)
    role = "system" if role == "developer" else role
    if role in (TOOL, CALL):
        raise BadRowError(f"has a message {number} of the sender {name!r}, which is not supported")
    return _Post(
        sender=name,
        role=role,
        text=text_of(text, of=f"message {number} ({name})", notes=notes),
        time=None if is_empty(time) else time,
        unlearned=describe(members) if is_learned(members, where=where) is False else "",
    )


def _name(sender: Any, *, number: int) -> str:
    """A sender's name: a text or number, or in an object its role, name or address."""
    if isinstance(sender, dict):
        _, sender = _find(standard_keys(sender, of="a sender"), _NAMES)
    if not isinstance(sender, str | int) or not str(sender).strip():
        raise BadRowError(f"has a message {number} without the name of its sender")
    return " ".join(str(sender).split())


def _in_order(posts: list[_Post], *, notes: list[Note]) -> tuple[list[_Post], bool]:
    """Posts from first to last, and whether their times say so, not only the file's order."""
    if all(post.time is None for post in posts):
        return posts, False
    keys = parse_times([post.time for post in posts])
    if keys is None:
        times = ", ".join(dict.fromkeys(str(post.time) for post in posts))
        notes.append(Note("thread in the file's order: times not clear", shown(times)))
        return posts, False
    if all(after <= before for before, after in pairwise(keys)) and keys[0] > keys[-1]:
        return posts[::-1], True  # newest first, also where two have the same time
    order = sorted(range(len(posts)), key=lambda at: keys[at])
    return [posts[at] for at in order], len(set(keys)) > 1


def _roles(
    posts: Sequence[_Post], *, assistant: Collection[str], notes: list[Note]
) -> dict[str, str]:
    """The role of each sender.

    Raises:
        BadRowError: it is not clear who answers.
    """
    given = {" ".join(name.split()).casefold() for name in assistant}
    roles = {
        post.sender: "assistant" if post.sender.casefold() in given else post.role for post in posts
    }
    known = {role for role in roles.values() if role}
    unknown = [sender for sender, role in roles.items() if role is None]
    if unknown and given and "assistant" in known:
        answering: list[str] = []
    elif len(unknown) > 1 or (unknown and not known & {"user", "assistant"}):
        answering = _guess(posts, unknown=unknown, known=known)
    else:
        answering = unknown if "user" in known else []
    if answering:
        rule = "sender taken for the answering side (library.assistant_senders)"
        notes.append(Note(rule, ", ".join(answering)))
    final = {name: role or ("assistant" if name in answering else "user") for name, role in
             roles.items()}  # fmt: skip
    if posts and "assistant" not in final.values():
        raise BadRowError("has no answer: nobody answers in this thread", "Remove it.")
    return final


def _guess(posts: Sequence[_Post], *, unknown: Sequence[str], known: set[str]) -> list[str]:
    """Which unknown senders answer.

    Raises:
        BadRowError: it is not clear.
    """
    if "user" in known:
        return list(unknown)
    senders = f"has {len(unknown)} sender{'s'[: len(unknown) != 1]} ({', '.join(unknown)})"
    if "assistant" in known:
        raise BadRowError(
            f"{senders} besides the assistant, and it is not clear which of them ask", _REMEDY
        )
    if len(unknown) != 2:
        raise BadRowError(f"{senders}, and none is known as the assistant", _REMEDY)
    first, second = (next(p.text for p in posts if p.sender == name) for name in unknown)
    asks_first, asks_second = (bool(_QUESTION.search(text)) for text in (first, second))
    is_greeted = not _GREETING.search(first) and _GREETING.search(second)
    if not is_greeted and (_GREETING.search(first) or (asks_second and not asks_first)):
        raise BadRowError(
            f"{senders}, and the first message is no question, so that either may be the assistant",
            _REMEDY,
        )
    return [unknown[1]]


def _refuse_newest_first(messages: Sequence[Message]) -> None:
    """Refuse a thread that may be in the wrong order.

    Raises:
        BadRowError: it begins with an answer, which is no greeting, and ends with a question.
    """
    roles = [message["role"] for message in messages]
    if (
        roles[:1] == ["assistant"]
        and roles[-1] == "user"
        and len(roles) > 2
        and not _GREETING.search(messages[0]["content"])
    ):
        raise BadRowError(
            "begins with an answer and ends with a question: its newest message may be first",
            "Give its messages times, or write the oldest first.",
        )


def _ends(messages: Sequence[Message]) -> list[tuple[int, str]]:
    """Indices of messages that belong to no exchange, last first, and what to note of each."""
    roles = [message["role"] for message in messages]
    ends = []
    if roles and roles[-1] == "user":
        ends.append((len(roles) - 1, "message after the last answer left out"))
    first = 1 if roles[:1] == ["system"] else 0
    if roles[first : first + 1] == ["assistant"]:
        ends.append((first, "answer before the first question left out"))
    return ends


def _flatten(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    return list(chain.from_iterable(x if isinstance(x, list) else [x] for x in value))


def _field(message: Mapping[Any, Any], names: Sequence[str]) -> Any:
    return _find(standard_keys(message, of="a message"), names)[1]


def _find(members: Mapping[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    """The first of several keys that is there, and its value."""
    return next(((name, members[name]) for name in names if name in members), ("", None))
