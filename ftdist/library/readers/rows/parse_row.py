"""One row, however its file holds it, as a conversation or a passage."""

from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.data.messages import INSTRUCTIONS, Message
from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.chats.message_rows import find_messages, read_dialogue
from ftdist.library.readers.rows.chats.messages import (
    has_roles,
    is_dialogue,
    require_answer,
)
from ftdist.library.readers.rows.chats.tool_turns import check_tool_turns, listed_in_system
from ftdist.library.readers.rows.chats.tools import TOOLS, read_tools
from ftdist.library.readers.rows.media import refuse_media
from ftdist.library.readers.rows.nearest_columns import (
    UNKNOWN_FORM,
    column_names,
    nearest_columns,
)
from ftdist.library.readers.rows.pairs import read_pair
from ftdist.library.readers.rows.preferences import (
    is_pair,
    note_rejected,
    take_chosen,
    with_standard_keys,
)
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.readers.rows.values import is_empty, shown, standard_keys, text_of
from ftdist.library.schema import BadRowError, Conversation, Location, Note, Passage

_FORMATS = "messages; conversations; instruction and output; question and answer; text"
MAX_CHARACTERS = 64 * 2**20
"""Of a row's longest text; that of a line of JSONL."""


def parse_row(
    value: Any, location: Location, *, settings: RowSettings
) -> Conversation | Passage | Note:
    """A row as a conversation or passage; a note if its answer is a bad one and is left out.

    Raises:
        BadRowError: it cannot be learned from.
    """
    notes: list[Note] = []
    if is_dialogue(value):
        return Conversation(tuple(read_dialogue(value, notes=notes)), location, tuple(notes))
    if isinstance(value, list) and value and all(map(has_roles, value)):
        value = {"messages": value}
    if not isinstance(value, dict):
        remedy = "Write one row per line." if isinstance(value, list) else ""
        raise BadRowError(f"is of type {type(value).__name__}, not an object with keys", remedy)
    refuse_media(value, parse=lambda rest: parse_row(rest, location, settings=settings))
    row = with_standard_keys(standard_keys(value, of="the row"))
    _refuse_unlearned(row)
    is_preference = is_pair(row)
    if is_preference:
        row = take_chosen(row, preferences=settings.preferences)
    listed = find_messages(row, assistant=settings.assistant, notes=notes)
    if listed is None and _is_passage(row):
        row_keys.note_unused(row, used={"text"}, kind="key", notes=notes)
        text = text_of(row["text"], of="the text", notes=notes)
        _refuse_huge([text])
        return Passage(text, location, tuple(notes))
    messages, used = listed or _read_pair(row, keys=value, notes=notes)
    row_keys.is_learned(row, where="")  # refuses lists of flags that are not one per message
    messages, used = _with_system(row, messages, used=used)
    require_answer(messages)
    _refuse_huge([message["content"] for message in messages])
    if mark := row_keys.bad_mark(row):
        if settings.preferences == "chosen":
            return Note(f"answer marked as a bad one left out: {mark}", shown(messages[-1]))
        raise BadRowError(
            f"has {mark} {shown(row[mark])}, which marks its answer as a bad one",
            f"Set library.preferences=chosen to leave such rows out, or library.drop_columns="
            f"[{mark}] if it means something else.",
        )
    if is_preference:
        note_rejected(row, messages, notes=notes)
        used = used | {"rejected"}
    tools = _tools(row, messages, notes=notes)
    used |= {key for key in row if _is_repeated(row[key], messages, key=key)}
    used |= {*TOOLS, "parallel_tool_calls"}
    context = str(row.get("context") or "") if row_keys.is_of_library(row) else ""
    row_keys.note_unused(row, used=used | {"context"} if context else used, kind="key", notes=notes)
    return Conversation(tuple(messages), location, tuple(notes), tools, context)


def _tools(row: Mapping[str, Any], messages: Sequence[Message], *, notes: list[Note]) -> str:
    """The row's tools, unless its system message lists them."""
    tools = read_tools(row)
    check_tool_turns(messages, tools=tools, row=row, notes=notes)
    if tools and listed_in_system(messages, tools):
        notes.append(Note("tools that the system message lists not given twice", shown(tools)))
        return ""
    return tools


def _refuse_huge(texts: Sequence[str]) -> None:
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise BadRowError(
            f"is longer than {MAX_CHARACTERS >> 20} MiB of text", "Split it, or remove it."
        )


def _refuse_unlearned(row: dict[str, Any]) -> None:
    """Refuse rows that are not to be learned.

    Raises:
        BadRowError: it is such a row.
    """
    single = {key: value for key, value in row.items() if not isinstance(value, list)}
    if row_keys.is_learned(single, where="") is False:
        flags = row_keys.describe(single)
        raise BadRowError(f"says that it is not to be learned ({flags})", "Remove it.")


def _is_passage(row: Mapping[str, Any]) -> bool:
    """Whether a row without messages has a text and no answer.

    Raises:
        BadRowError: it has both, and no question.
    """
    if not is_empty(row.get("text")):
        _refuse_answer_beside_text(row)
    return "text" in row and all(is_empty(row.get(key)) for key in row_keys.ANSWERS)


def _refuse_answer_beside_text(row: Mapping[str, Any]) -> None:
    """Refuse `text` with an answer but without a question.

    Raises:
        BadRowError: the text may be a question, or a passage.
    """
    answers = [key for key in row_keys.ANSWERS if not is_empty(row.get(key))]
    asks = any(not is_empty(row.get(key)) for key in (*row_keys.QUESTIONS, "input"))
    if answers and not asks:
        raise BadRowError(
            f"has text and {row_keys.names(answers)}, and the text may be a question or a passage",
            f"Set library.columns={{question: text, answer: {answers[0]}}}, or remove one.",
        )


def _read_pair(
    row: Mapping[str, Any], *, keys: Mapping[Any, Any], notes: list[Note]
) -> tuple[list[Message], set[str]]:
    if pair := read_pair(row, notes=notes):
        return pair
    if any(key in row for key in ("messages", "conversations", "conversation")):
        raise BadRowError("has no messages")
    nearest = nearest_columns(keys)
    raise BadRowError(
        f"{UNKNOWN_FORM} ({_FORMATS}); its keys: {column_names(keys)}",
        f"Set '{nearest}' if that is what they mean."
        if nearest
        else "Name its question and answer in library.columns.",
    )


def _with_system(
    row: Mapping[str, Any], messages: list[Message], *, used: set[str]
) -> tuple[list[Message], set[str]]:
    """Messages that begin with the row's system message.

    Raises:
        BadRowError: there are two different ones.
    """
    texts = {
        key: text_of(row[key], of=key, notes=[])
        for key in row_keys.SYSTEMS
        if not is_empty(row.get(key))
    }
    has_system = messages[0]["role"] in INSTRUCTIONS
    if has_system and texts:
        texts["its messages"] = messages[0]["content"]
    if len(set(texts.values())) > 1:
        raise BadRowError(
            f"has different system messages in {row_keys.names(texts)}", "Keep one of them."
        )
    if texts and not has_system:
        system = Message(role="system", content=next(iter(texts.values())))
        messages = [system, *messages]
    return messages, used | {*row_keys.SYSTEMS}


def _is_repeated(value: Any, messages: Sequence[Message], *, key: str) -> bool:
    """Whether a value repeats a message, or all of them as one text."""
    if not isinstance(value, str):
        return False
    contents = [message["content"].strip() for message in messages]
    is_part = key in row_keys.FORMAT_KEYS and any(value.strip() in text for text in contents)
    return is_part or all(text in value for text in contents)
