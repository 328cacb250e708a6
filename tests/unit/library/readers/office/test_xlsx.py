"""Excel workbooks: what Excel shows, as tables and paragraphs."""

import datetime
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from ftdist.library.readers import MAX_DOCUMENT, read_document
from ftdist.library.readers.office.number_format import shown
from ftdist.library.schema import BadRow, Document
from ftdist.library.synthesis.qa_extraction import questions


def _sheet(rows: Sequence[Any], *, title: str = "Sheet1") -> tuple[openpyxl.Workbook, Worksheet]:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    return workbook, sheet


def _read(workbook: openpyxl.Workbook, tmp_path: Path) -> Document:
    workbook.save(tmp_path / "torques.xlsx")
    document = read_document(tmp_path / "torques.xlsx", name="t", kind="xlsx")
    assert isinstance(document, Document)
    return document


def _blocks(document: Document) -> list[Any]:
    """Rows of tables, and the texts of other blocks."""
    return [block.rows if block.kind == "table" else block.text for block in document.blocks]


def test_title_above_and_remark_below_a_table_are_paragraphs(tmp_path: Path) -> None:
    remark = "Values hold for dry threads at room temperature."
    rows = [["Torques of the lamp"], ["", "Nm", "Oil"], ["Cap", 25, "A"], ["Lid", "", ""], [remark]]
    workbook, sheet = _sheet(rows)
    sheet.merge_cells("A1:C1")
    document = _read(workbook, tmp_path)
    table = (("", "Nm", "Oil"), ("Cap", "25", "A"), ("Lid", "", ""))
    assert _blocks(document) == ["Torques of the lamp", table, remark]
    assert document.title == "torques"


def test_sheets_are_sections_and_empty_rows_and_columns_part_tables(tmp_path: Path) -> None:
    rows = [["a", "b", None, "c", "d"], [1, 2, None, 3, 4], [], ["e", "f"], [5, 6]]
    workbook, _ = _sheet(rows, title="One")
    workbook.create_sheet("Two").append(["Only a text"])
    assert _blocks(_read(workbook, tmp_path)) == [
        "One",
        (("a", "b"), ("1", "2")),
        (("c", "d"), ("3", "4")),
        (("e", "f"), ("5", "6")),
        "Two",
        "Only a text",
    ]


def test_merged_cells_stand_in_every_row_that_they_cover(tmp_path: Path) -> None:
    workbook, sheet = _sheet([["Model", "Part", "Nm"], ["P-9", "Cap", 25], [None, "Lid", 8]])
    sheet.merge_cells("A2:A3")
    assert _blocks(_read(workbook, tmp_path)) == [
        (("Model", "Part", "Nm"), ("P-9", "Cap", "25"), ("P-9", "Lid", "8"))
    ]


def test_hidden_sheets_rows_and_columns_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [["Part", "Price", "Nm"], ["Cap", 3, 25], ["Old", 4, 9], ["Lid", 5, 8]]
    workbook, sheet = _sheet(rows)
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True
    workbook.create_sheet("Secret").append(["No"])
    workbook["Secret"].sheet_state = "hidden"
    document = _read(workbook, tmp_path)
    assert _blocks(document) == [(("Part", "Nm"), ("Cap", "25"), ("Lid", "8"))]
    assert {(note.rule, note.excerpt, note.count) for note in document.notes} == {
        ("hidden sheet left out", "Secret", 1),
        ("hidden row or column left out", "Sheet1", 2),
    }


def test_formulas_are_their_last_values_and_those_without_one_are_counted(tmp_path: Path) -> None:
    workbook, _ = _sheet([["Part", "Nm"], ["Sum", "=1+2"], ["Cap", 5]])
    workbook.save(tmp_path / "made.xlsx")
    with zipfile.ZipFile(tmp_path / "made.xlsx") as made:
        parts = {name: made.read(name) for name in made.namelist()}
    name = "xl/worksheets/sheet1.xml"
    assert b"<f>1+2</f><v></v>" in parts[name] or b"<f>1+2</f><v />" in parts[name]
    document = read_document(tmp_path / "made.xlsx", name="t", kind="xlsx")
    assert isinstance(document, Document)
    assert [(note.rule, note.count) for note in document.notes] == [
        ("formula without a value left out", 1)
    ]
    value = parts[name].replace(b"<v></v>", b"<v>3</v>").replace(b"<v />", b"<v>3</v>")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        for each, content in {**parts, name: value}.items():
            archive.writestr(each, content)
    document = read_document(tmp_path / "a.xlsx", name="t", kind="xlsx")
    assert isinstance(document, Document)
    assert _blocks(document) == [(("Part", "Nm"), ("Sum", "3"), ("Cap", "5"))]
    assert document.notes == ()


def test_raised_and_struck_out_text_is_what_a_reader_sees(tmp_path: Path) -> None:
    raised = CellRichText("10", TextBlock(InlineFont(vertAlign="superscript"), "6"))
    struck = CellRichText("Use 9090 ", TextBlock(InlineFont(strike=True), "not 8080"))
    workbook, sheet = _sheet([["a", "b"], [raised, struck], ["gone", 1]])
    sheet["A3"].font = Font(strike=True)
    assert _blocks(_read(workbook, tmp_path)) == [(("a", "b"), ("10\u2076", "Use 9090"), ("", "1"))]


@pytest.mark.parametrize(
    ("rows", "bold", "has_header"),
    [
        ([["Part", "Nm"], ["Cap", 25]], False, True),
        ([["Name", "Lamp"], ["Model", "L-1"]], False, False),
        ([["Name", "Value"], ["Model", "L-1"]], True, True),
        ([["a", "b", "c"], ["d", "e", "f"]], False, True),
        ([["a", "a", "c"], ["d", "e", "f"]], False, False),
        ([[1, 2], [3, 4]], False, False),
    ],
)
def test_first_row_is_a_header_if_bold_or_unlike_the_rows_below(
    tmp_path: Path, rows: list[list[Any]], bold: bool, has_header: bool
) -> None:
    workbook, sheet = _sheet(rows)
    for cell in sheet[1] if bold else ():
        cell.font = Font(bold=True)
    [block] = _read(workbook, tmp_path).blocks
    assert block.has_header == has_header


def test_sheet_of_questions_and_answers_gives_them(tmp_path: Path) -> None:
    workbook, _ = _sheet([["Question", "Answer"], ["How do I stop it?", "Press red."]])
    [pair] = questions(_read(workbook, tmp_path))
    assert (pair.question, pair.answer) == ("How do I stop it?", "Press red.")


def test_cell_far_away_costs_no_memory(tmp_path: Path) -> None:
    workbook, sheet = _sheet([["a", "b"], [1, 2]])
    sheet["XFD1048576"] = "far"
    assert _blocks(_read(workbook, tmp_path)) == [(("a", "b"), ("1", "2")), "far"]


def test_damaged_and_too_large_workbooks_are_rejected(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    bad = read_document(tmp_path / "a.xlsx", name="t", kind="xlsx")
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith("cannot be read as a workbook: ")
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", bytes(MAX_DOCUMENT + 1))
    bad = read_document(tmp_path / "b.xlsx", name="t", kind="xlsx")
    assert isinstance(bad, BadRow)
    assert bad.reason == "holds more than 64 MiB of text"


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (12.5, '0.0" Nm"', "12.5 Nm"),
        (0.25, "0%", "25%"),
        (0.125, "0.0%", "12.5%"),
        (1234567, "#,##0.00", "1,234,567.00"),
        (123, "00000", "00123"),
        (-3.456, "0.00", "-3.46"),
        (-5, "0;(0)", "(5)"),
        (0, '0;-0;"none"', "none"),
        (-0.001, "0.0", "0.0"),
        (0.1 + 0.2, "General", "0.3"),
        (1e-7, "General", "1E-7"),
        (3.0, "General", "3"),
        (1500, "0.0,", "1.5"),
        (12345, "0.00E+00", "1.23E+04"),
        (5, "[$\u20ac-407] 0.00", "\u20ac 5.00"),
        (5, "$#,##0", "$5"),
        (2.5, "# ?/?", "2.5"),
        (7, "#", "7"),
        (True, "General", "TRUE"),
        (datetime.datetime(2031, 3, 1), "mm-dd-yy", "2031-03-01"),
        (datetime.datetime(2031, 3, 1), "dd.mm.yyyy", "01.03.2031"),
        (datetime.datetime(2031, 3, 1), "d mmm yyyy", "1 Mar 2031"),
        (datetime.datetime(2031, 3, 1, 14, 5), "yyyy-mm-dd hh:mm", "2031-03-01 14:05"),
        (datetime.datetime(2031, 3, 1, 14, 5), "h:mm AM/PM", "2:05 PM"),
        (datetime.time(9, 30), "hh:mm:ss", "09:30:00"),
        (datetime.timedelta(hours=26, minutes=30), "[h]:mm", "26:30"),
    ],
)
def test_numbers_and_dates_are_as_their_formats_show_them(
    value: Any, number_format: str, text: str
) -> None:
    assert shown(value, number_format) == text
