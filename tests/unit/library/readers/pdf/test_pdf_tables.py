"""Tables of generated PDF files: the test places lines and words."""

from collections.abc import Sequence
from pathlib import Path

from ftdist.library.readers.pdf.extract import read_pdf
from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.qa_extraction import questions
from tests.support.documents.drawn_pdfs import box, draw, line, text

LEFTS = (60, 160, 320)
"""Borders of two columns."""


def _read(path: Path, *pages: Sequence[str]) -> Document:
    document = read_pdf(draw(path / "manual.pdf", pages), name="manual.pdf")
    assert isinstance(document, Document), document
    return document


def _blocks(path: Path, *pages: Sequence[str]) -> list[Block]:
    return list(_read(path, *pages).blocks)


def _table(rows: Sequence[Sequence[str]], *, top: int, bold: bool = True) -> list[str]:
    """Two columns, rows of 20 points, all lines drawn, cell by cell as typesetters do."""
    drawn = [line(LEFTS[0], top, LEFTS[-1], top)]
    for number, cells in enumerate(rows):
        high, low = top - 20 * number, top - 20 * (number + 1)
        drawn += [line(x, low, x, high) for x in LEFTS]
        drawn += [line(LEFTS[0], low, LEFTS[1], low), line(LEFTS[1], low, LEFTS[2], low)]
        drawn += [
            text(x + 4, low + 6, cell, bold=bold and number == 0)
            for x, cell in zip(LEFTS, cells, strict=False)
            if cell
        ]
    return drawn


ALARMS = (("Alarm", "Remedy"), ("No air", "Open the valve"), ("Low oil", "Fill up the tank"))


def test_ruled_table_is_one_block_between_the_paragraphs_around_it(
    tmp_path: Path,
) -> None:
    page = [
        text(60, 760, "Alarms are shown by number."),
        *_table(ALARMS, top=740),
        text(60, 650, "Call us for all others."),
    ]
    before, table, after = _blocks(tmp_path, page)
    assert (before.kind, before.text) == ("paragraph", "Alarms are shown by number.")
    assert (table.kind, table.text, table.page) == ("table", "", 1)
    assert table.rows == ALARMS
    assert table.has_header
    assert (after.kind, after.text) == ("paragraph", "Call us for all others.")


def test_table_of_alarms_gives_a_question_per_row(tmp_path: Path) -> None:
    asked = questions(_read(tmp_path, _table(ALARMS, top=740)))
    assert [(each.question, each.answer, each.page) for each in asked] == [
        ("What should I do about this alarm: No air?", "Open the valve", 1),
        ("What should I do about this alarm: Low oil?", "Fill up the tank", 1),
    ]


def test_a_table_on_two_pages_is_two_blocks_without_a_repeated_header_row(
    tmp_path: Path,
) -> None:
    more = (ALARMS[0], ("Too hot", "Wait an hour"))
    first, second = _blocks(tmp_path, _table(ALARMS, top=740), _table(more, top=740, bold=False))
    assert (first.page, first.rows) == (1, ALARMS)
    assert (second.page, second.rows, second.has_header) == (2, more, True)


def test_continued_table_without_header_gets_that_of_the_page_before(tmp_path: Path) -> None:
    more = (("Too hot", "Wait an hour"), ("Too cold", "Close the lid"))
    _, second = _blocks(tmp_path, _table(ALARMS, top=740), _table(more, top=740, bold=False))
    assert (second.page, second.rows, second.has_header) == (2, (ALARMS[0], *more), True)


def test_cell_spanning_two_rows_is_in_each(tmp_path: Path) -> None:
    page = [
        box(60, 680, 320, 740),
        line(160, 680, 160, 740),
        line(60, 720, 320, 720),
        line(160, 700, 320, 700),
        text(64, 726, "Mode"),
        text(164, 726, "Lamp"),
        text(64, 695, "Eco"),
        text(164, 706, "green"),
        text(164, 686, "off at night"),
    ]
    (table,) = _blocks(tmp_path, page)
    assert table.rows == (("Mode", "Lamp"), ("Eco", "green"), ("Eco", "off at night"))


def test_columns_of_a_table_with_lines_between_rows_only_are_found_from_gaps(
    tmp_path: Path,
) -> None:
    page = [line(60, y, 400, y) for y in (740, 720, 690, 670)] + [
        text(60, 726, "Signal", bold=True),
        text(160, 726, "Use", bold=True),
        text(60, 706, "TxD"),
        text(160, 706, "data that the unit"),
        text(160, 694, "sends to the host"),
        text(60, 676, "GND"),
        text(160, 676, "ground"),
    ]
    (table,) = _blocks(tmp_path, page)
    assert table.rows == (
        ("Signal", "Use"),
        ("TxD", "data that the unit sends to the host"),
        ("GND", "ground"),
    )
    assert table.has_header


def test_headings_above_the_first_line_belong_to_the_table(tmp_path: Path) -> None:
    page = [line(60, y, 400, y) for y in (720, 700, 680)] + [
        text(60, 760, "The pins of the plug are numbered from the left to the right side."),
        text(60, 726, "Signal", bold=True),
        text(160, 726, "Use", bold=True),
        text(60, 706, "TxD"),
        text(160, 706, "data"),
        text(60, 686, "GND"),
        text(160, 686, "ground"),
    ]
    _, table = _blocks(tmp_path, page)
    assert table.rows == (("Signal", "Use"), ("TxD", "data"), ("GND", "ground"))
    assert table.has_header


def test_table_with_one_line_below_its_header_has_a_row_per_first_cell(
    tmp_path: Path,
) -> None:
    page = [line(60, y, 400, y) for y in (740, 720, 660)] + [
        text(60, 726, "Code", bold=True),
        text(160, 726, "Cause", bold=True),
        text(60, 706, "E1"),
        text(160, 706, "the lid is open, or its"),
        text(160, 694, "switch is worn"),
        text(60, 676, "E2"),
        text(160, 676, "no paper"),
    ]
    (table,) = _blocks(tmp_path, page)
    assert table.rows == (
        ("Code", "Cause"),
        ("E1", "the lid is open, or its switch is worn"),
        ("E2", "no paper"),
    )


def test_word_too_long_for_its_cell_stays_whole(tmp_path: Path) -> None:
    rows = (("Name", "Value"), ("battery.charge.low.warning", "20"))
    drawn = [*_table(rows, top=740)[:-1], text(190, 706, "20")]
    (table,) = _blocks(tmp_path, drawn)
    assert table.rows == rows


def test_table_with_lines_between_columns_only_has_a_row_per_text_line(tmp_path: Path) -> None:
    page = [box(60, 660, 320, 740), line(60, 720, 320, 720), line(160, 660, 160, 740)]
    rows = (("Bit", "Side"), ("1", "bottom"), ("2", "left"), ("4", "top"))
    for number, cells in enumerate(rows):
        page += [text(x, 726 - 18 * number, cell) for x, cell in zip((64, 164), cells, strict=True)]
    (table,) = _blocks(tmp_path, page)
    assert table.rows == rows


def test_frame_around_a_page_is_not_a_table(tmp_path: Path) -> None:
    page = [
        box(40, 40, 555, 800),
        line(40, 90, 555, 90),
        line(300, 40, 300, 90),
        text(60, 700, "This pump lifts nine tons."),
        text(320, 700, "Never stand below it."),
        text(60, 65, "Pump"),
        text(320, 65, "Sheet"),
    ]
    assert {block.kind for block in _blocks(tmp_path, page)} == {"paragraph"}


def test_shading_behind_listings_is_not_a_table(tmp_path: Path) -> None:
    page = [box(60, low, 400, low + 30) for low in (700, 640)] + [
        text(64, 710, "run     --now"),
        text(64, 680, "or"),
        text(64, 650, "run     --later"),
    ]
    assert {block.kind for block in _blocks(tmp_path, page)} == {"paragraph"}


def test_boxes_of_a_drawing_are_not_a_table(tmp_path: Path) -> None:
    page = [
        box(60, 700, 160, 740),
        box(260, 680, 360, 740),
        box(60, 600, 160, 650),
        box(260, 600, 360, 650),
        line(160, 720, 260, 720),
        line(110, 650, 110, 700),
        line(160, 620, 260, 620),
        text(64, 728, "Director"),
        text(264, 728, "Storage"),
        text(64, 638, "Client"),
        text(264, 638, "Catalog"),
    ]
    assert {block.kind for block in _blocks(tmp_path, page)} == {"paragraph"}
