"""Rows written to a file and read from it, for tests of readers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, Conversation, Passage, Row


def read_row(folder: Path, row: Any, **settings: Any) -> Row:
    """The one row of a JSONL file."""
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    [only] = read_conversations(path, name=path.name, settings=RowSettings(**settings))
    return only


def turns(row: Row) -> list[tuple[str, str]]:
    """Role and text of each message."""
    assert isinstance(row, Conversation), row
    return [(message["role"], message["content"]) for message in row.messages]


def notes(row: Row) -> list[tuple[str, str]]:
    """Rule and excerpt of each note."""
    assert isinstance(row, Conversation | Passage), row
    return [(note.rule, note.excerpt) for note in row.notes]


def reason(row: Row) -> str:
    """Why a row is bad."""
    assert isinstance(row, BadRow), row
    return row.reason


def exchange(*texts: str) -> list[dict[str, Any]]:
    """Messages of user and assistant in turn."""
    roles: Sequence[str] = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
