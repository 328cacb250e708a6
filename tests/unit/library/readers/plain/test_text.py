"""Plain text: what is prose, what is a list, and which lines keep their breaks."""

from pathlib import Path

import pytest

from ftdist.library.readers.plain.text import read_source, read_text, text_blocks
from ftdist.library.schema import Document

Read = list[tuple[str, str]]


def _read(text: str) -> Read:
    """Kind and text of each block, items with their own marks."""
    return [(b.kind, f"{b.marker} {b.text}".strip()) for b in text_blocks(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The warranty ends on\n31. December 2031 and is not extended.",
        "The tank holds at most\n12. Never fill in more than that.",
        "Change the filter after\n500) hours of use.",
        "The answer is\n* 1.5 of the value.",
        "Storage is allowed from\n- 20 C to + 60 C without a cover.",
        "The gap is\n+ 3 mm wide.",
        "The clause that applies is\n(3) of the second part.",
        "It was built by\nA. Smith in the year 1999.",
        "Set the level to\n3. Set the timer to\n9. Then wait.",
        "    The first line of a paragraph in a book is often set in by some blanks,\n"
        "and the rest of its lines is not, which makes no list and no code of it.",
        "Note 1. This paragraph hangs below its first line, as in a glossary or a\n"
        "        bibliography, and its lines belong together.",
    ],
)
def test_wrapped_paragraph_stays_one_paragraph_with_all_its_words(text: str) -> None:
    assert _read(text) == [("paragraph", " ".join(text.split()))]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("1. Close the tap.\n2. Open\n   the vent.", ["1. Close the tap.", "2. Open the vent."]),
        ("a) Warm oil\nb) Cold oil", ["a) Warm oil", "b) Cold oil"]),
        ("(i) One\n(ii) Two\n(iii) Three", ["(i) One", "(ii) Two", "(iii) Three"]),
        ("7. Wait.\n\n8. Go on.", ["7. Wait.", "8. Go on."]),
        ("(3) The third clause applies.", ["(3) The third clause applies."]),
        ("* Press red\n* Press green", ["Press red", "Press green"]),
        ("+ 3 mm\n+ 4 mm", ["+ 3 mm", "+ 4 mm"]),
        ("* 1.5 bar\n* 2.5 bar", ["* 1.5 bar", "* 2.5 bar"]),
        ("\u2022 Press red\n  and hold it", ["Press red and hold it"]),
        ("31. December is the last day.", ["31. December is the last day."]),
    ],
)
def test_items_keep_their_own_marks(text: str, blocks: list[str]) -> None:
    assert _read(text) == [("item", block) for block in blocks]


def test_a_hyphen_at_the_end_of_a_line_belongs_to_its_word() -> None:
    text = "It runs dpkg-\ngenchanges for model XR-\n200 in pre-\nand post-war sizes of 5 -\n6 mm."
    (block,) = text_blocks(text)
    assert block.text == (
        "It runs dpkg-genchanges for model XR-200 in pre- and post-war sizes of 5 - 6 mm."
    )


def test_items_nest_by_indentation_and_end_before_a_new_sentence_at_the_margin() -> None:
    text = "Steps:\n1. Close the tap.\n   - Turn it left.\n2. Open the vent.\nThat is all."
    assert [(b.kind, b.text, b.level, b.marker) for b in text_blocks(text)] == [
        ("paragraph", "Steps:", 0, ""),
        ("item", "Close the tap.", 1, "1."),
        ("item", "Turn it left.", 2, ""),
        ("item", "Open the vent.", 1, "2."),
        ("paragraph", "That is all.", 0, ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "model     torque   oil\nF-2       12 Nm    VG 32\nF-3       25 Nm    VG 46",
        "[lamp]\nmode = eco\nlevel = 4",
        "Model  Torque\nF-2    12 Nm of the motor\nF-3333  25 Nm",  # a word crosses the gap
        "def reset(lamp):\n    lamp.off()\n    if lamp.hot:\n        wait(9)\n    lamp.on()",
        "2031-01-02 10:00:01 lamp on\n2031-01-02 10:00:02 lamp off",
        "Chapter 1 ........ 5\nChapter 2 ........ 9",
        "$ heatctl stop\nstopped\n$ heatctl start",
        "C:\\> heatctl stop\nstopped",
        "name,torque\nF-2,12\nF-3,25",
        "lamp {\n  mode eco;\n  level 4;\n}",
        "  /---\\\n  | o |\n  \\---/",
        "+-----+---+\n| two | o |\n| rows in one cell | b | c |\n+-----+---+",
    ],
)
def test_lines_that_are_aligned_indented_or_settings_keep_their_breaks(text: str) -> None:
    [(kind, read)] = _read(text)
    assert kind == "code"
    assert [line.split() for line in read.split("\n")] == [
        line.split() for line in text.split("\n")
    ]


def test_indented_commands_below_prose_are_code_without_the_common_indentation() -> None:
    text = (
        "Stop it first:\n\n    heatctl stop\n    heatctl reset\n\n"
        "Then go on.\nRun:\n  heatctl on\nDone."
    )
    assert _read(text) == [
        ("paragraph", "Stop it first:"),
        ("code", "heatctl stop\nheatctl reset"),
        ("paragraph", "Then go on. Run:"),
        ("code", "heatctl on"),
        ("paragraph", "Done."),
    ]


def test_options_with_what_they_do_below_them_are_terms() -> None:
    text = "--quiet\n    Switches the beeper off.\n--loud\n    Switches the beeper on,\n    again."
    assert _read(text) == [
        ("term", "--quiet"),
        ("definition", "Switches the beeper off."),
        ("term", "--loud"),
        ("definition", "Switches the beeper on, again."),
    ]


def test_first_line_of_each_paragraph_may_be_indented() -> None:
    text = (
        "  The first paragraph of a book is long enough to run over the end of its line\n"
        "and goes on here.\n"
        "  The second paragraph begins like the first one, with two blanks before it, and\n"
        "it goes on here too."
    )
    assert [kind for kind, _ in _read(text)] == ["paragraph", "paragraph"]


def test_short_lines_on_a_page_of_prose_keep_their_breaks() -> None:
    prose = "The maker of the lamp answers all letters within a week, but no calls at all."
    address = "Lamps Inc.\nMain Street 5\n12345 Berlin"
    assert _read(f"{prose}\n\n{address}") == [("paragraph", prose), ("code", address)]


def test_text_that_is_indented_throughout_is_prose() -> None:
    text = "   The pump runs until the tank is\n   full.\n\n   It stops by itself then."
    assert [kind for kind, _ in _read(text)] == ["paragraph", "paragraph"]


@pytest.mark.parametrize(
    ("text", "rows", "has_header"),
    [
        ("+-----+------+\n| key | does |\n+-----+------+\n| red | stop |\n+-----+------+",
         (("key", "does"), ("red", "stop")), True),
        ("| key | does |\n|-----|------|\n| red | stop |",
         (("key", "does"), ("red", "stop")), True),
        (" key | does\n-----+------\n red | stop", (("key", "does"), ("red", "stop")), True),
        ("key    does\n-----  --------\nred    stop it\ngreen  go",
         (("key", "does"), ("red", "stop it"), ("green", "go")), True),
        ("key\tdoes\nred\tstop", (("key", "does"), ("red", "stop")), False),
        ("+---+---+\n| a | b |\n+---+---+\n| c | d |\n| e |   |\n+---+---+\n| f | g |\n+---+---+",
         (("a", "b"), ("c e", "d"), ("f", "g")), True),
        ("Plant     Light           Min. temp.\n" + 36 * "-" + "\n"
         "Fern      half shade      12 \u00b0C\nMonstera  bright, no sun",
         (("Plant", "Light", "Min. temp."), ("Fern", "half shade", "12 \u00b0C"),
          ("Monstera", "bright, no sun", "")), True),
        ("Monday   9:00 to 18:00\nTuesday  9:00 to 18:00\nSunday   closed",
         (("Monday", "9:00 to 18:00"), ("Tuesday", "9:00 to 18:00"), ("Sunday", "closed")),
         False),
    ],
)  # fmt: skip
def test_bars_tabs_lines_and_gaps_make_tables(
    text: str, rows: tuple[tuple[str, ...], ...], has_header: bool
) -> None:
    [block] = text_blocks(text)
    assert (block.kind, block.rows, block.has_header) == ("table", rows, has_header)


def test_lines_that_name_values_are_a_paragraph_with_their_breaks() -> None:
    text = "Model: X-3\nTorque: 12 Nm\nOpening hours: 9:00 to 17:00"
    assert _read(text) == [("paragraph", text)]


def test_lines_in_capitals_and_numbered_ones_before_prose_are_headings() -> None:
    text = (
        "1. HOUSE PLANTS\n\nWater them.\n\n2. Repotting\n\n  1. Take a pot.\n  2. Fill it.\n\nDONE"
    )
    assert _read(text) == [
        ("heading", "1. HOUSE PLANTS"),
        ("paragraph", "Water them."),
        ("heading", "2. Repotting"),
        ("item", "1. Take a pot."),
        ("item", "2. Fill it."),
        ("paragraph", "DONE"),
    ]


def test_a_heading_of_a_section_is_not_the_title(tmp_path: Path) -> None:
    path = tmp_path / "parking-permits.txt"
    path.write_text("1. WHO CAN APPLY\n\nResidents can apply for a permit.\n", encoding="utf-8")
    document = read_text(path, name=path.name)
    assert isinstance(document, Document)
    assert document.title == "parking permits"


def test_underlined_lines_are_headings_and_other_rules_separate() -> None:
    text = "Lamp\n====\nHold it.\n\n----\nNot a heading\n----\n\n=====\nReset\n=====\n\n*****"
    assert _read(text) == [
        ("heading", "Lamp"),
        ("paragraph", "Hold it."),
        ("paragraph", "Not a heading"),
        ("heading", "Reset"),
    ]


def test_source_code_keeps_its_lines_and_is_called_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "reset.py"
    path.write_text("def reset(lamp):\n    lamp.off()\n\n\ndef go():\n\treturn 1\n")
    document = read_source(path, name="reset.py")
    assert isinstance(document, Document)
    assert document.title == "reset.py"
    assert [block.text for block in document.blocks] == [
        "def reset(lamp):\n    lamp.off()",
        "def go():\n\treturn 1",
    ]
