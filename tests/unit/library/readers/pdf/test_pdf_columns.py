"""Reading order of generated PDF files: the test places the lines, and draws them in any order."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ftdist.library.readers.pdf.extract import read_pdf
from ftdist.library.schema import Block, Document
from tests.support.documents.drawn_pdfs import draw, line, lines, sideways, text

LEFT = (
    "Fill the pump with oil before",
    "the first start. Never use any",
    "oil of another class, since",
    "the seal swells in it and then",
    "the shaft does not turn.",
)
RIGHT = (
    "After forty hours drain the",
    "oil while it is warm, and put",
    "in a new ring. Turn the plug",
    "by hand until it stops, then",
    "with the key to 25 Nm.",
)
THIRD = (
    "Write the date of the change",
    "into the book that hangs at",
    "the door, and sign there with",
    "your name. The next change is",
    "due after a year.",
)


def _blocks(path: Path, *pages: Sequence[str]) -> list[Block]:
    document = read_pdf(draw(path / "manual.pdf", pages), name="manual.pdf")
    assert isinstance(document, Document), document
    return list(document.blocks)


def _texts(path: Path, *pages: Sequence[str]) -> list[str]:
    return [block.text for block in _blocks(path, *pages)]


def _columns(top: float = 700) -> list[list[str]]:
    return [lines(60, top, LEFT), lines(300, top, RIGHT)]


@pytest.mark.parametrize("order", ["by rows", "by columns", "right first", "from below"])
def test_columns_are_read_in_turn_whatever_was_drawn_first(tmp_path: Path, order: str) -> None:
    left, right = _columns()
    drawn = {
        "by rows": [each for row in zip(left, right, strict=True) for each in row],
        "by columns": [*left, *right],
        "right first": [*right, *left],
        "from below": [*left, *right][::-1],
    }
    assert _texts(tmp_path, drawn[order]) == [" ".join(LEFT), " ".join(RIGHT)]


@pytest.mark.parametrize("seed", range(8))
def test_random_columns_in_random_drawing_order_give_one_reading_order(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    texts = [LEFT, RIGHT, THIRD][: chance.choice((2, 3))]
    drawn = [text(50, 780, "Oil change of all the pumps of the plant", size=18)]
    x = 50.0
    for each in texts:
        drawn += lines(x, 700 - chance.choice((0, 3, 24)), each, step=chance.choice((12, 13.5)))
        x += 140 + chance.uniform(16, 40)
    chance.shuffle(drawn)
    heading, *columns = _texts(tmp_path, drawn)
    assert heading == "Oil change of all the pumps of the plant"
    assert columns == [" ".join(each) for each in texts]


def test_heading_over_both_columns_separates_what_is_above_and_below(tmp_path: Path) -> None:
    drawn = [
        text(60, 740, "Oil", size=16),
        *_columns()[0],
        *_columns()[1],
        text(60, 600, "Signs", size=16),
        *lines(60, 570, THIRD),
        *lines(300, 570, LEFT),
    ]
    expected = ["Oil", " ".join(LEFT), " ".join(RIGHT), "Signs", " ".join(THIRD), " ".join(LEFT)]
    assert _texts(tmp_path, drawn) == expected
    assert _texts(tmp_path, drawn[::-1]) == expected


def test_table_over_both_columns_separates_what_is_above_and_below(tmp_path: Path) -> None:
    ruled = [line(60, y, 460, y) for y in (620, 600, 580)]
    ruled += [line(x, 580, x, 620) for x in (60, 260, 460)]
    cells = [
        text(64, 606, "Part"),
        text(264, 606, "Torque"),
        text(64, 586, "Plug"),
        text(264, 586, "25 Nm"),
    ]
    drawn = [
        *_columns()[0],
        *_columns()[1],
        *ruled,
        *cells,
        *lines(60, 550, THIRD),
        *lines(300, 550, LEFT),
    ]
    blocks = _blocks(tmp_path, drawn)
    assert [block.text for block in blocks] == [
        " ".join(LEFT),
        " ".join(RIGHT),
        "",
        " ".join(THIRD),
        " ".join(LEFT),
    ]
    assert blocks[2].rows == (("Part", "Torque"), ("Plug", "25 Nm"))


def test_sidebar_in_small_type_is_read_on_its_own(tmp_path: Path) -> None:
    page = [
        *lines(60, 700, LEFT),
        *lines(300, 700, ("The lamp is red", "while it is hot."), size=7, step=9),
    ]
    assert _texts(tmp_path, page) == [" ".join(LEFT), "The lamp is red while it is hot."]


@pytest.mark.parametrize(
    "rows",
    [
        [
            ("Part", "Number", "Torque"),
            ("Seal", "771", "5 Nm"),
            ("Ring", "772", "8 Nm"),
            ("Plug", "773", "25 Nm"),
        ],
        [
            ("Rated voltage of the motor", "230 V"),
            ("Power of the motor", "1.5 kW"),
            ("Mass with oil and all covers", "31 kg"),
        ],
        [
            ("The pump does not start.", "Check the fuse."),
            ("The pump is loud.", "Fill in oil."),
            ("The pump leaks.", "Change the seal."),
        ],
        [("Name:", "Date:"), ("Street:", "Place:"), ("Serial number:", "Model:")],
        [("1", "apples and pears"), ("2", "plums and cherries"), ("3", "nuts of all kinds")],
    ],
)
def test_rows_with_wide_gaps_are_read_row_by_row(
    tmp_path: Path, rows: Sequence[Sequence[str]]
) -> None:
    lefts = (60, 260, 400)
    drawn = [
        text(x, 700 - 16 * i, cell)
        for i, row in enumerate(rows)
        for x, cell in zip(lefts, row, strict=False)
    ]
    assert " ".join(_texts(tmp_path, drawn)) == " ".join(" ".join(row) for row in rows)
    by_column = [
        text(x, 700 - 16 * i, row[at])
        for at, x in enumerate(lefts[: len(rows[0])])
        for i, row in enumerate(rows)
    ]
    assert " ".join(_texts(tmp_path, by_column)) == " ".join(" ".join(row) for row in rows)


def test_paragraph_goes_on_in_the_next_column_only_within_a_sentence(tmp_path: Path) -> None:
    left = [*LEFT[:4], "the shaft does not turn, and"]
    right = ["has to be changed. After forty", *RIGHT[1:]]
    assert _texts(tmp_path, [*lines(60, 700, left), *lines(300, 700, right)]) == [
        " ".join([*left, *right])
    ]


def test_page_that_is_turned_is_read_along_its_lines(tmp_path: Path) -> None:
    drawn = [sideways(100 + 12 * i, 60, each) for i, each in enumerate(LEFT)]
    assert _texts(tmp_path, drawn) == [" ".join(LEFT)]


def test_text_up_the_margin_is_read_after_the_page(tmp_path: Path) -> None:
    page = [sideways(30, 100, "Order no. 4711"), *lines(60, 700, LEFT)]
    assert _texts(tmp_path, page) == [" ".join(LEFT), "Order no. 4711"]


def test_list_beside_text_is_read_before_it(tmp_path: Path) -> None:
    parts = ("Seal 771", "Ring 772", "Plug 773", "Bolt 774", "Nut 775")
    first, second = _texts(tmp_path, [*lines(60, 700, parts), *lines(300, 700, RIGHT)])
    assert first.split()[::2] == ["Seal", "Ring", "Plug", "Bolt", "Nut"]
    assert second == " ".join(RIGHT)


def test_term_is_read_before_its_definition(tmp_path: Path) -> None:
    page = [
        text(60, 700, "Pump"),
        *lines(160, 700, ("A device that moves oil and is", "driven by a motor.")),
        text(60, 664, "Motor"),
        *lines(160, 664, ("A device that turns the shaft of", "the pump.")),
    ]
    assert _texts(tmp_path, page) == [
        "Pump A device that moves oil and is driven by a motor.",
        "Motor A device that turns the shaft of the pump.",
    ]


def test_cells_that_wrap_are_read_row_by_row(tmp_path: Path) -> None:
    rows = [
        (("The pump does not", "start when it is cold"), ("Check the fuse and the", "plug of it")),
        (
            ("The pump is loud and", "shakes when it turns"),
            ("Fill in oil until the", "glass is full"),
        ),
        (("The pump leaks oil at", "the shaft"), ("Change the seal and", "the ring")),
    ]
    page = [
        each
        for i, cells in enumerate(rows)
        for x, cell in zip((60, 300), cells, strict=True)
        for each in lines(x, 700 - 36 * i, cell)
    ]
    assert _texts(tmp_path, page) == [" ".join(cell) for cells in rows for cell in cells]
