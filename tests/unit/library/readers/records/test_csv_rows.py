"""CSV as programs and people write it: each row is read whole, or is a bad row."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.readers.records.csv_rows import read_csv
from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.schema import BadRow, BadRowError, Conversation, Note, Passage
from tests.support.documents.read_rows import turns

HEADER = frozenset({"question", "answer", "text"})


def read(text: str) -> tuple[list[tuple[int, Any]], list[Note]]:
    notes: list[Note] = []
    rows: list[tuple[int, Any]] = [
        (number, str(row) if isinstance(row, BadRowError) else row)
        for number, row in read_csv(text, header=HEADER, notes=notes)
    ]
    return rows, notes


AB = [(1, {"question": "Q?", "answer": "A, or B."})]


@pytest.mark.parametrize(
    "text",
    [
        'question,answer\nQ?,"A, or B."\n',
        'question, answer\nQ?, "A, or B."\n',
        "question;answer\nQ?;A, or B.\n",
        "sep=;\nquestion;answer\nQ?;A, or B.\n",
        '"sep=\t"\nquestion\tanswer\nQ?\tA, or B.\n',
        "question|answer\nQ?|A, or B.\n",
        '\n\n  \nquestion,answer\n\nQ?,"A, or B."\n,\n\n',
        '"question";"answer"\n"Q?";"A, or B."',
        'question,answer\nQ?,"A, or B.",,\n',
    ],
)
def test_separators_and_blank_lines_are_recognised(text: str) -> None:
    assert read(text) == (AB, [])


def test_separator_is_that_of_the_known_names() -> None:
    text = '"question";"answer";"tags, sorted, plain, short"\nQ?;A.;x\n'
    [(_, row)], _ = read(text)
    assert row == {"question": "Q?", "answer": "A.", "tags, sorted, plain, short": "x"}


def test_lines_before_the_header_are_left_out_with_a_note() -> None:
    text = 'Export of 2031;;\n"Team, north";;\nquestion;answer;id\nQ?;A, or B.;1\n'
    rows, notes = read(text)
    assert rows == [(1, {"question": "Q?", "answer": "A, or B.", "id": "1"})]
    assert [(note.rule, note.excerpt) for note in notes] == [
        ("line before the header left out", "Export of 2031;;"),
        ("line before the header left out", '"Team, north";;'),
    ]


def test_row_that_holds_the_name_of_a_column_is_no_header() -> None:
    rows, notes = read("title,body\nWhat is it?,text\n")
    assert rows == [(1, {"title": "What is it?", "body": "text"})]
    assert notes == []


def test_spreadsheet_formula_that_keeps_zeros_is_a_text() -> None:
    assert read('question,answer\nCode?,="00123"\n')[0][0][1] == {
        "question": "Code?", "answer": "00123"
    }  # fmt: skip


def test_escaped_quotes_are_quotes_where_that_makes_the_file_valid() -> None:
    rows, notes = read('question,answer\n"The \\"Go\\" key?","It starts \\"Eco\\", then stops."\n')
    assert rows == [(1, {"question": 'The "Go" key?', "answer": 'It starts "Eco", then stops.'})]
    assert [note.rule for note in notes] == ["quotes escaped with backslashes read as quotes"]
    rows, notes = read('question,answer\nPath?,"C:\\dir\\"\n')
    assert rows == [(1, {"question": "Path?", "answer": "C:\\dir\\"})]
    assert notes == []


def test_text_after_a_closing_quote_is_a_bad_row() -> None:
    rows, _ = read('question,answer\nWhat?,"Lock" it first\nQ?,"A, or B."\n')
    assert rows == [(1, "has text after a closing quote (line 2)"), (2, AB[0][1])]


def test_quote_that_is_never_closed_makes_every_row_after_it_a_bad_one() -> None:
    rows, _ = read('question,answer\nQ?,"A, or B."\nWide?,"20 inches.\nTall?,30.\n\nHeavy?,9 kg.\n')
    assert rows == [
        AB[0],
        (2, "opens a quote that is never closed (line 3)"),
        (3, "follows a quote that is never closed (line 3)"),
        (4, "follows a quote that is never closed (line 3)"),
    ]


def test_quote_closed_by_another_row_s_is_a_bad_row() -> None:
    rows, _ = read('question,answer\nWide?,"20 inches.\nTall?,"30, or 31."\nQ?,"A, or B."\n')
    assert rows == [(1, "has text after a closing quote (lines 2 to 3)"), (2, AB[0][1])]


def test_more_cells_than_the_header_are_a_bad_row() -> None:
    assert read("question,answer\nQ?,A, or B.\n")[0] == [(1, "has more cells than the header")]


@pytest.mark.parametrize("header", ["question,answer,answer", "question,Answer,answer "])
def test_two_columns_of_one_name_are_refused(header: str) -> None:
    with pytest.raises(BadRowError, match="has two columns 'answer'"):
        read(f"{header}\nQ?,A.,B.\n")


@pytest.mark.parametrize("separator", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_only_line_feeds_end_a_row(separator: str, quote: str) -> None:
    cell = f"dial to 4{separator}then press 9"
    rows, _ = read(f"question,answer\nQ?,{quote}{cell}{quote}\nQ?,A.\n")
    assert rows == [
        (1, {"question": "Q?", "answer": cell}),
        (2, {"question": "Q?", "answer": "A."}),
    ]


CELL = st.text(st.sampled_from(list('ab ,;"\n\t|\u2028\x0b\u00e4')), min_size=1).map(str.strip)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1), st.sampled_from(",;\t|"))
def test_what_a_program_writes_is_read_back(cells: list[tuple[str, str]], separator: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("question", "answer"), *cells])
    rows, notes = read(out.getvalue())
    expected = [{"question": q, "answer": a} for q, a in cells if q or a]
    assert [row for _, row in rows] == expected
    assert notes == []


def test_unnamed_column_with_content_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",question,answer\n0,Q?,A.\n1,Q?,B.\n")
    rows = list(read_conversations(path, name="a", kind="csv"))
    assert [turns(row)[1][1] for row in rows] == ["A.", "B."]
    assert [note.rule for row in rows for note in row.notes] == ["unused key: column_1"] * 2  # type: ignore[union-attr]


def test_windows_file_is_decoded_with_one_note_for_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text\r\nDie T\u00fcr.\r\nDas Schlo\u00df.\r\n".encode("cp1252"))
    first, second = read_conversations(path, name="a", kind="csv")
    assert isinstance(first, Passage)
    assert isinstance(second, Passage)
    assert (first.text, second.text) == ("Die T\u00fcr.", "Das Schlo\u00df.")
    assert first.notes == (Note(rule="encoding guessed", excerpt="cp1252: T\u00fcr."),)
    assert second.notes == ()


def test_bad_rows_of_a_file_have_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('question,answer\nQ?,A.\nWhat?,"Lock" it\nQ?,B.\n')
    rows = list(read_conversations(path, name="a", kind="csv"))
    assert [type(row) for row in rows] == [Conversation, BadRow, Conversation]
    assert [str(row.location) for row in rows] == ["a, row 1", "a, row 2", "a, row 3"]
