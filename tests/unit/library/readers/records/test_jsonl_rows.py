"""JSON Lines in any encoding and any spans give the same rows."""

import json
from pathlib import Path

import pytest

from ftdist.library.readers.records.jsonl_rows import split_jsonl
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, Note, Passage, Row

TEXTS = ["Die T\u00fcr.", "Only ASCII.", "Das Schlo\u00df f\u00fcr die L\u00fcftung."]


def write(path: Path, encoding: str) -> Path:
    rows = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS)
    path.write_bytes("".join(rows).encode(encoding))
    return path


def read(path: Path, *, span_bytes: int = 2**20, encoding: str | None = None) -> list[Row]:
    return [
        row
        for span, first_row in split_jsonl(path, span_bytes=span_bytes)
        for row in read_conversations(
            path, name="a", span=span, first_row=first_row, settings=RowSettings(encoding=encoding)
        )
    ]


def texts(rows: list[Row]) -> list[str]:
    assert all(isinstance(row, Passage) for row in rows), rows
    return [row.text for row in rows if isinstance(row, Passage)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_without_a_note(tmp_path: Path, encoding: str) -> None:
    rows = read(write(tmp_path / "a.jsonl", encoding), span_bytes=1)
    assert texts(rows) == TEXTS
    assert [str(row.location) for row in rows] == ["a, row 1", "a, row 2", "a, row 3"]
    assert all(isinstance(row, Passage) and not row.notes for row in rows)


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "cp850"])
@pytest.mark.parametrize("span_bytes", [1, 2**20])
def test_old_encoding_is_guessed_from_the_whole_file(
    tmp_path: Path, encoding: str, span_bytes: int
) -> None:
    rows = read(write(tmp_path / "a.jsonl", encoding), span_bytes=span_bytes)
    assert texts(rows) == TEXTS
    first = rows[0]
    assert isinstance(first, Passage)
    [note] = first.notes
    assert note.rule == "encoding guessed"
    assert note.excerpt.startswith(encoding)


def test_given_encoding_is_taken(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "a.jsonl", "cp1252"), encoding="cp1252")
    assert texts(rows) == TEXTS
    assert all(isinstance(row, Passage) and not row.notes for row in rows)


def test_line_in_another_encoding_than_the_file_s_is_a_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "utf-8")
    path.write_bytes(path.read_bytes() + '{"text": "caf\u00e9"}\n'.encode("cp1252"))
    *good, bad = read(path)
    assert texts(good) == TEXTS
    assert isinstance(bad, BadRow)
    assert bad.reason == "is not UTF-8 text (byte 14)"
    assert bad.remedy == "Save it as UTF-8, or set library.encoding."


def test_json_file_with_a_row_per_line_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", "utf-8")
    rows = list(read_conversations(path, name="a"))
    assert texts(rows) == TEXTS


def test_json_in_an_old_encoding_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes('[{"text": "Die T\u00fcr."}]'.encode("cp1252"))
    [row] = read_conversations(path, name="a")
    assert isinstance(row, Passage)
    assert row.text == "Die T\u00fcr."
    assert row.notes == (Note(rule="encoding guessed", excerpt="cp1252: T\u00fcr."),)


def test_more_unused_keys_than_can_be_named_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": "x", f"k{n}": "v"}) + "\n" for n in range(60)))
    rules = [note.rule for row in read(path) if isinstance(row, Passage) for note in row.notes]
    assert rules[:2] == ["unused key: k0", "unused key: k1"]
    assert rules[50:] == ["unused key: others"] * 10
