"""Paragraphs, lists and code of generated PDF files: the test places the lines."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ftdist.library.readers.pdf.extract import read_pdf
from ftdist.library.readers.pdf.hyphens import Vocabulary, join_lines
from ftdist.library.schema import Block, Document
from tests.support.documents.drawn_pdfs import draw, lines, text


def _blocks(path: Path, *pages: Sequence[str]) -> list[Block]:
    document = read_pdf(draw(path / "manual.pdf", pages), name="manual.pdf")
    assert isinstance(document, Document), document
    return list(document.blocks)


@pytest.mark.parametrize(
    ("broken", "joined"),
    [
        (("This exam-", "ple shows it."), "This example shows it."),
        (("Turn the hand-", "wheel."), "Turn the handwheel."),
        (("the model XR-", "200 and"), "the model XR-200 and"),
        (("a USB-", "C plug"), "a USB-C plug"),
        (("Frau Lang-", "Meier kommt"), "Frau Lang-Meier kommt"),
        (("an A-", "frame"), "an A-frame"),
        (("pre-", "2030 models"), "pre-2030 models"),
        (("use --dry-", "run first"), "use --dry-run first"),
        (("see http://exam-", "ple.org"), "see http://exam-ple.org"),
        (("from 10-", "20 mm"), "from 10-20 mm"),
        (("the low-", "pressure valve"), "the low-pressure valve"),
        (("Vor-", "und Nachteile"), "Vor- und Nachteile"),
        (("a state-of-the-", "art unit"), "a state-of-the-art unit"),
        (("an e-", "mail"), "an e-mail"),
        (("the pump -", "the red one"), "the pump - the red one"),
        (("die Ab-", "bildung zeigt"), "die Abbildung zeigt"),
        (("\u6253\u5f00\u9600", "\u95e8"), "\u6253\u5f00\u9600\u95e8"),
    ],
)
def test_hyphen_at_a_line_end_is_that_of_the_word_or_of_the_line(
    broken: Sequence[str], joined: str
) -> None:
    assert join_lines(broken, words=Vocabulary(broken)) == joined


@pytest.mark.parametrize(
    ("elsewhere", "joined"),
    [
        ("An air-tight lid.", "an air-tight lid"),
        ("An airtight lid.", "an airtight lid"),
        ("A tight lid keeps air in.", "an air-tight lid"),
        ("A gas-tight lid.", "an air-tight lid"),
        ("", "an airtight lid"),
    ],
)
def test_document_decides_how_a_broken_word_is_written(elsewhere: str, joined: str) -> None:
    broken = ("an air-", "tight lid")
    assert join_lines(broken, words=Vocabulary([elsewhere, *broken])) == joined


def test_hyphens_are_joined_in_paragraphs_and_in_cells(tmp_path: Path) -> None:
    page = lines(60, 700, ("Press the but-", "ton of model XR-", "200 and wait."))
    (block,) = _blocks(tmp_path, page)
    assert block.text == "Press the button of model XR-200 and wait."


@pytest.mark.parametrize(
    ("base", "script", "shift", "after", "expected"),
    [
        ("up to 10", "6", 4, "pulses", "up to 10\u2076 pulses"),
        ("is 24", "1", 4, "months", "is 24\xb9 months"),
        ("10", "-3", 4, "bar", "10\u207b\xb3 bar"),
        ("CO", "2", -2, "is a gas", "CO\u2082 is a gas"),
        ("5 m", "2", 4, "", "5 m\xb2"),
        ("the valve", "1)", 4, "is red", "the valve\xb9\u207e is red"),
    ],
)
def test_raised_and_lowered_text_does_not_become_part_of_a_number(
    tmp_path: Path, base: str, script: str, shift: float, after: str, expected: str
) -> None:
    narrow, wide = "ilt()-", "Hm"
    widths = [2.8 if char in f"{narrow} " else 8 if char in wide else 5.6 for char in base]
    end = 60 + sum(widths)
    drawn = [text(60, 700, base), text(end, 700 + shift, script, size=6.5)]
    drawn += [text(end + 3.7 * len(script) + 2, 700, after)] if after else []
    (block,) = _blocks(tmp_path, drawn)
    assert block.text == expected


def _kinds(blocks: Sequence[Block]) -> list[tuple[str, str, str]]:
    return [(block.kind, block.marker, block.text) for block in blocks]


@pytest.mark.parametrize("mark", ["\u2022", "-", "*", "\u2013", "+"])
def test_items_with_neighbours_lose_their_bullet(tmp_path: Path, mark: str) -> None:
    page = lines(60, 700, [f"{mark} {each}" for each in ("Close it.", "Open it.", "Go on.")])
    assert _kinds(_blocks(tmp_path, page)) == [
        ("item", "", "Close it."),
        ("item", "", "Open it."),
        ("item", "", "Go on."),
    ]


@pytest.mark.parametrize(
    "marks", ["1. 2. 3.", "3) 4) 5)", "(1) (2) (3)", "a) b) c)", "i. ii. iii.", "[7] [8] [9]"]
)
def test_items_keep_their_numbers(tmp_path: Path, marks: str) -> None:
    page = lines(60, 700, [f"{mark} Turn it on." for mark in marks.split()])
    assert _kinds(_blocks(tmp_path, page)) == [
        ("item", mark, "Turn it on.") for mark in marks.split()
    ]


@pytest.mark.parametrize(
    "line",
    [
        "* 1.5 of the value",
        "+ 3 mm",
        "- 5 \xb0C",
        "\u2013 20 \xb0C to + 60 \xb0C",
        "-10 \xb0C",
        "31. Dezember 2031.",
    ],
)
def test_sign_or_number_of_a_lone_line_stays(tmp_path: Path, line: str) -> None:
    page = [text(60, 700, "The limit of the pump:"), text(60, 670, line), text(60, 640, "End.")]
    assert [each.text for each in _blocks(tmp_path, page)] == [
        "The limit of the pump:",
        line,
        "End.",
    ]


def test_signs_before_numbers_stay_beside_each_other(tmp_path: Path) -> None:
    page = lines(60, 700, ("- 5 \xb0C", "- 10 \xb0C"), step=20)
    assert [each.text for each in _blocks(tmp_path, page)] == ["- 5 \xb0C", "- 10 \xb0C"]


def test_number_that_begins_a_wrapped_line_is_text(tmp_path: Path) -> None:
    page = lines(60, 700, ("Die Garantie der Pumpe endet am", "31. Dezember 2031."))
    (block,) = _blocks(tmp_path, page)
    assert block.text == "Die Garantie der Pumpe endet am 31. Dezember 2031."


def test_single_item_with_a_hanging_indent_is_an_item(tmp_path: Path) -> None:
    page = [
        text(60, 700, "-"),
        text(72, 700, "Close the tap before you open the"),
        text(72, 688, "vent."),
        text(60, 660, "Wait."),
    ]
    assert _kinds(_blocks(tmp_path, page)) == [
        ("item", "", "Close the tap before you open the vent."),
        ("paragraph", "", "Wait."),
    ]


def test_items_of_an_inner_list_have_its_level(tmp_path: Path) -> None:
    page = [
        text(60, 700, "1. Close it."),
        text(80, 688, "\u2022 the tap"),
        text(80, 676, "\u2022 the lid"),
        text(60, 664, "2. Go on."),
    ]
    assert [(each.level, each.marker) for each in _blocks(tmp_path, page)] == [
        (1, "1."),
        (2, ""),
        (2, ""),
        (1, "2."),
    ]


def test_code_keeps_its_lines_and_indentation(tmp_path: Path) -> None:
    code = [
        (60, 0, "def reset(lamp):"),
        (84, 1, "if lamp.hot:"),
        (108, 2, "wait(9)"),
        (84, 4, "lamp.on()"),
    ]
    page = [
        text(60, 720, "The code:"),
        *(text(x, 690 - 12 * row, each, mono=True) for x, row, each in code),
    ]
    _, block = _blocks(tmp_path, page)
    assert (block.kind, block.text) == (
        "code",
        "def reset(lamp):\n    if lamp.hot:\n        wait(9)\n\n    lamp.on()",
    )


def test_code_in_a_sentence_is_text(tmp_path: Path) -> None:
    first = "To stop the pump at once, and all others with it, use the command"
    page = [text(60, 700, first), text(60, 688, "heatctl", mono=True), text(106, 688, "and wait.")]
    (block,) = _blocks(tmp_path, page)
    assert block.text == f"{first} heatctl and wait."


def test_paragraphs_are_told_apart_by_their_indented_first_line(tmp_path: Path) -> None:
    page = [
        text(75, 700, "The pump is filled with oil before the first start. It"),
        text(60, 688, "must be warm."),
        text(75, 676, "Then turn the key to the first mark."),
    ]
    assert [each.text for each in _blocks(tmp_path, page)] == [
        "The pump is filled with oil before the first start. It must be warm.",
        "Then turn the key to the first mark.",
    ]


def test_double_spaced_text_is_one_paragraph(tmp_path: Path) -> None:
    words = ["the pump has to be filled with oil", "of one class and it must never be", "mixed"]
    page = lines(60, 700, [*words, *words], step=20)
    (block,) = _blocks(tmp_path, page)
    assert block.text == " ".join([*words, *words])


def test_sentence_goes_on_after_a_footnote(tmp_path: Path) -> None:
    pages = [
        [
            *lines(
                60, 100, ["The pump is filled with oil of the class that the", "plate shows by"]
            ),
            text(60, 40, "Only with a receipt.", size=8),
        ],
        [text(60, 700, "hand until it stops."), text(60, 660, "Then it is closed.")],
    ]
    assert [(each.page, each.text) for each in _blocks(tmp_path, *pages)] == [
        (
            1,
            "The pump is filled with oil of the class that the plate shows by hand until it stops.",
        ),
        (1, "Only with a receipt."),
        (2, "Then it is closed."),
    ]


def test_signs_in_a_list_with_words_are_kept_before_units_only(tmp_path: Path) -> None:
    page = lines(60, 700, ("- 2 screws", "- a seal", "- 5 mm at most"))
    assert [each.text for each in _blocks(tmp_path, page)] == [
        "2 screws",
        "a seal",
        "- 5 mm at most",
    ]


def test_lines_of_labels_and_values_stay_apart(tmp_path: Path) -> None:
    rows = ("Voltage: 230 V", "Power: 1.5 kW", "Mass: 31 kg with oil")
    assert [each.text for each in _blocks(tmp_path, lines(60, 700, rows))] == list(rows)


def test_lines_of_contents_within_a_page_stay_apart(tmp_path: Path) -> None:
    entries = [f"{n} Oil {'. ' * 20}{n}" for n in (1, 2, 3)]
    blocks = _blocks(tmp_path, lines(60, 700, entries))
    assert [each.text for each in blocks] == entries


def test_term_at_the_margin_begins_a_paragraph(tmp_path: Path) -> None:
    page = [
        text(60, 700, "OIL"),
        text(100, 700, "The class of the oil that the pump is"),
        *lines(100, 688, ["filled with, and of all the rest", "of it."]),
        text(60, 664, "OIL_PRESSURE"),
        text(100, 652, "How much it has."),
    ]
    first, *rest = [each.text for each in _blocks(tmp_path, page)]
    assert (
        first == "OIL The class of the oil that the pump is filled with, and of all the rest of it."
    )
    assert " ".join(rest) == "OIL_PRESSURE How much it has."


def test_space_that_the_file_leaves_out_is_read_from_the_gap(tmp_path: Path) -> None:
    drawn = ["BT /F1 10 Tf 60 700 Td [(A) -250 (variable is set) -250 (here)] TJ ET"]
    spaced = ["BT /F1 10 Tf 2 Tc 60 700 Td (WARNING) Tj ET"]
    assert [each.text for each in _blocks(tmp_path, drawn)] == ["A variable is set here"]
    assert [each.text for each in _blocks(tmp_path, spaced)] == ["WARNING"]


def test_numbered_heading_goes_on_in_the_next_line(tmp_path: Path) -> None:
    page = [
        text(72, 780, "2.7 Is there another way to boot the in-", size=14),
        text(72, 763, "staller?", size=14),
        *lines(
            72, 735, ["Yes. Apart from a disc you can boot it from a stick,", "or over the net."]
        ),
    ]
    heading, _ = _blocks(tmp_path, page)
    assert (heading.kind, heading.text) == (
        "heading",
        "2.7 Is there another way to boot the installer?",
    )
