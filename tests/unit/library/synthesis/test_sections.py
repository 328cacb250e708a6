"""Blocks as text."""

from ftdist.library.schema import Block
from ftdist.library.synthesis.passages import _split_block
from ftdist.library.synthesis.sections import block_text, joined, unnumbered


def test_items_have_their_own_marks_and_their_lines_stand_below_each_other() -> None:
    item = Block(kind="item", text="Close\nboth", level=2, marker="12.")
    assert block_text(item) == "  12. Close\n      both"
    assert block_text(Block(kind="item", text="Open", level=1)) == "- Open"


def test_no_sign_stands_before_an_item_that_begins_with_a_number() -> None:
    assert block_text(Block(kind="item", text="3 mm", level=1)) == "\u2022 3 mm"


def test_definitions_are_indented_below_their_terms_only() -> None:
    definitions = [
        Block(kind="definition", text="Dry.\nFill it."),
        Block(kind="definition", text="Or wait."),
    ]
    assert joined(definitions) == "Dry.\nFill it.\nOr wait."
    term = Block(kind="term", text="Lamp on")
    assert joined([term, *definitions]) == "Lamp on\n  Dry.\n  Fill it.\n  Or wait."


def test_a_row_of_a_table_is_a_line() -> None:
    table = Block(kind="table", text="", rows=(("Part", "Nm"), ("Plug\nM8", "25")))
    assert block_text(table) == "Part | Nm\nPlug M8 | 25"


def test_only_the_first_part_of_a_long_item_has_its_mark() -> None:
    item = Block(kind="item", text="One two. Three four.", level=1, marker="3.")
    parts = [block_text(part) for part in _split_block(item, words=1)]
    assert parts == ["3. One two.", "Three four."]


def test_a_heading_loses_its_number_and_no_word() -> None:
    numbered = ("3 Reset", "12. Reset", "1.2.3 Reset", "A. Reset", "A.1 Reset", "B.12.3. Reset")
    assert {unnumbered(text) for text in numbered} == {"Reset"}
    assert {unnumbered(f"{word} Reset") for word in ("Chapter 3.", "Appendix A")} == {"Reset"}
    for text in ("A lamp blinks", "I am lost", "E17 blinks", "A1 paper", "1234 parts", "1", "A."):
        assert unnumbered(text) == text
