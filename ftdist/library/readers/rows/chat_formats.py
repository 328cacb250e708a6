"""Conversations from rows of JSONL, JSON, CSV, Parquet and YAML, in the usual chat formats.

| format | keys of a row |
| --- | --- |
| OpenAI | `messages`: list of `role`, `content` |
| ShareGPT | `conversations`: list of `from`, `value` |
| Alpaca | `instruction`, `input` (optional), `output` |
| questions | `question`, `answer` and other words for them, `context`, `choices` |
| prompt and answer | `prompt`: text or messages, `completion` or `chosen` |
| text | `text`: a passage, not a conversation |
| dialogue | a list of texts, alternately question and answer |
| thread | `messages`: list of `sender`, `text`, `time` |

A row may also contain `system`, a system message. A row that cannot be read becomes a `BadRow`;
what was left out or guessed is noted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftdist.data.messages import Message
from ftdist.library.readers.rows import row_keys
from ftdist.library.readers.rows.columns import rename_keys
from ftdist.library.readers.rows.jsonl_rows import Span
from ftdist.library.readers.rows.message_rows import find_messages, is_dialogue, read_dialogue
from ftdist.library.readers.rows.messages import has_roles, require_answer
from ftdist.library.readers.rows.pairs import answer_text, read_pair
from ftdist.library.readers.rows.records import MAX_FILE, read_records
from ftdist.library.readers.rows.settings import BY_FORM, RowSettings
from ftdist.library.readers.rows.threads import group_threads
from ftdist.library.readers.rows.values import (
    is_empty,
    merge_notes,
    shown,
    standard_key,
    standard_keys,
    text_of,
)
from ftdist.library.schema import (
    BadRow,
    BadRowError,
    Conversation,
    Location,
    Note,
    Passage,
    Row,
)

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

_FORMATS = "messages; conversations; instruction and output; question and answer; text"
_MAX_UNUSED = 50
"""Keys of a file that are noted by name; of more, only the number."""

_SPELLINGS = {"chosen_response": "chosen", "response_chosen": "chosen", "chosen_answer": "chosen",
              "answer_chosen": "chosen", "rejected_response": "rejected",
              "response_rejected": "rejected", "rejected_answer": "rejected",
              "answer_rejected": "rejected"}  # fmt: skip


def read_conversations(
    path: Path,
    *,
    name: str,
    kind: str | None = None,
    settings: RowSettings = BY_FORM,
    span: Span | None = None,
    first_row: int = 1,
    groups: range | None = None,
) -> Iterator[Row]:
    """Read the rows of a file, in order, one at a time.

    Args:
        path: of the file.
        name: of the file in messages.
        kind: json, jsonl, csv, parquet, arrow or yaml; None: by the suffix.
        settings: what the file's keys mean.
        span: bytes of a JSONL file, starting at a line.
        first_row: number of the first line of the span.
        groups: row groups or record batches of a Parquet or Arrow file; None: all.
    """
    columns = settings.columns
    kind = kind or {".parquet": "parquet", ".json": "json"}.get(path.suffix.lower(), "jsonl")
    if "thread" in columns and path.stat().st_size > MAX_FILE:
        reason = f"is larger than {MAX_FILE >> 20} MiB, too large to find the rows of its threads"
        yield BadRow(reason, Location(name), "Split it, each thread into one file.")
        return
    of_file: list[Note] = []
    known = row_keys.FORMAT_KEYS | {standard_key(key) for key in columns.values()}
    records = read_records(
        path,
        kind=kind,
        span=span,
        first_row=first_row,
        groups=groups,
        settings=settings,
        header=known,
        notes=of_file,
    )
    renamed = ((row, rename_keys(value, columns)) for row, value in records)
    unused: set[str] = set()
    for row, value in group_threads(renamed) if "thread" in columns else renamed:
        location = Location(name, row)
        try:
            if isinstance(value, BadRowError):
                raise value
            parsed = _parse(value, location, assistant=settings.assistant)
        except BadRowError as error:
            yield BadRow(str(error), location, error.remedy)
            continue
        notes = merge_notes([*of_file, *_limited(parsed.notes, unused)])
        of_file.clear()
        yield replace(parsed, notes=notes)


def _limited(notes: Sequence[Note], unused: set[str]) -> Iterator[Note]:
    """Notes, with one rule for all unused keys after the first ones of a file."""
    for note in notes:
        if note.rule.startswith("unused") and note.rule not in unused:
            if len(unused) >= _MAX_UNUSED:
                yield Note("unused key: others", note.rule.partition(": ")[2], note.count)
                continue
            unused.add(note.rule)
        yield note


def _parse(value: Any, location: Location, *, assistant: Collection[str]) -> Conversation | Passage:
    notes: list[Note] = []
    if is_dialogue(value):
        return Conversation(tuple(read_dialogue(value, notes=notes)), location, tuple(notes))
    if isinstance(value, list) and value and all(map(has_roles, value)):
        value = {"messages": value}
    if not isinstance(value, dict):
        remedy = "Write one row per line." if isinstance(value, list) else ""
        raise BadRowError(f"is of type {type(value).__name__}, not an object with keys", remedy)
    row = {
        _SPELLINGS.get(key, key): member
        for key, member in standard_keys(value, of="the row").items()
    }
    _refuse_row(row)
    listed = find_messages(row, assistant=assistant, notes=notes)
    if listed is None and "text" in row:
        has_text, has_answer = not is_empty(row["text"]), _has_answer(row)
        if has_text:
            _refuse_answer_beside_text(row)
        if not has_answer:
            row_keys.note_unused(row, used={"text"}, kind="key", notes=notes)
            text = text_of(row["text"], of="the text", notes=notes)
            return Passage(text, location, tuple(notes))
    messages, used = listed or _read_pair(row, keys=value, notes=notes)
    row_keys.is_learned(row, where="")  # refuses lists of flags that are not one per message
    messages, used = _with_system(row, messages, used=used)
    require_answer(messages)
    row_keys.refuse_bad_answer(row)
    if "rejected" in row and not isinstance(row["rejected"], bool):
        _leave_out_rejected(row["rejected"], messages, notes=notes)
        used = used | {"rejected"}
    used |= {key for key in row if _is_repeated(row[key], messages, key=key)}
    row_keys.note_unused(row, used=used, kind="key", notes=notes)
    return Conversation(tuple(messages), location, tuple(notes))


def _refuse_row(row: dict[str, Any]) -> None:
    """Refuse rows with tools or pictures, and rows that are not to be learned.

    Raises:
        BadRowError: it is such a row.
    """
    if not is_empty(row.get("tools")) or not is_empty(row.get("functions")):
        raise BadRowError("defines tools, which are not supported")
    for key in ("image", "images", "audio", "audios", "video", "videos"):
        if not is_empty(row.get(key)):
            raise BadRowError(f"has {key}, and only text is supported")
    single = {key: value for key, value in row.items() if not isinstance(value, list)}
    if row_keys.is_learned(single, where="") is False:
        flags = row_keys.describe(single)
        raise BadRowError(f"says that it is not to be learned ({flags})", "Remove it.")


def _has_answer(row: Mapping[str, Any]) -> bool:
    return any(not is_empty(row.get(key)) for key in row_keys.ANSWERS)


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
    listed = ", ".join(sorted(map(str, keys))) or "none"
    raise BadRowError(
        f"has none of the known formats ({_FORMATS}); its keys: {listed}",
        "Name its question and answer in library.columns.",
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
    if messages[0]["role"] == "system" and texts:
        texts["its messages"] = messages[0]["content"]
    if len(set(texts.values())) > 1:
        raise BadRowError(
            f"has different system messages in {row_keys.names(texts)}", "Keep one of them."
        )
    if texts and messages[0]["role"] != "system":
        system = Message(role="system", content=next(iter(texts.values())))
        messages = [system, *messages]
    return messages, used | {*row_keys.SYSTEMS}


def _leave_out_rejected(rejected: Any, messages: Sequence[Message], *, notes: list[Note]) -> None:
    """Note a rejected answer.

    Raises:
        BadRowError: it is the one that would be learned.
    """
    try:
        text = answer_text(rejected, key="rejected", notes=[])
    except BadRowError:
        text = shown(rejected)
    if text == messages[-1]["content"]:
        raise BadRowError("has a rejected answer that is its answer", "Remove it.")
    notes.append(Note("rejected answer left out", shown(text)))


def _is_repeated(value: Any, messages: Sequence[Message], *, key: str) -> bool:
    """Whether a value repeats a message, or all of them as one text."""
    if not isinstance(value, str):
        return False
    contents = [message["content"].strip() for message in messages]
    is_part = key in row_keys.FORMAT_KEYS and any(value.strip() in text for text in contents)
    return is_part or all(text in value for text in contents)
