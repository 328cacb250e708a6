"""The assertion language: strict about words and order, blind to the ways of writing Markdown."""

from pathlib import Path

import pytest

from benchmarks.readers.assertions import (
    Assertion,
    AssertionsError,
    ReadText,
    read_assertions,
)

SPANNED = "| Gear | Speed | |\n|---|---|---|\n| | low | high |\n| First | 40 rpm | 90 rpm |\n"


def holds(line: str, text: str) -> bool:
    kind, _, argument = line.partition(": ")
    return ReadText(text).holds(Assertion(kind, argument))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("has: 10 20 mm", "The gap is **10**\n20 mm."),
        ("has: 5 Nm", "Tighten to 5 Nm."),
        ("has: Press Store and", "Press [Store](#s) and *then* wait"),
        ("has: snake_case_name", r"Use snake\_case\_name here"),
        ("has: a < b", "if a &lt; b"),
        ("has: 3 bar", "3\u00a0bar"),
        ("has: -5 \u00b0C", "from \u22125 \u00b0C"),
        ("has: Keep it dry.", "> **Keep**\n> it dry ."),
        ("has: 3. Return to step 2", r"3\. Return to step 2"),
        ("has: key 13", "- key 13"),
        ("has: 10^6", "10<sup>6</sup>"),
        ("has: 10^6", "10\u2076"),
        ("has: 10^6", "$10^{6}$"),
        ("has: CO2", "CO<sub>2</sub> and CO\u2082"),
        ("not: 106", "10^6"),
        ("not: old", "~~old~~ new"),
        ("once: 25", "25 and 250"),
        ("order: A ; B ; A", "A then B then A"),
    ],
)
def test_holds_whatever_the_markup(line: str, text: str) -> None:
    assert holds(line, text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("has: 10 20 mm", "The gap is 1020 mm."),
        ("has: 5 Nm", "Tighten to 15 Nm."),
        ("has: 5 Nm", "Tighten to 2.5 Nm."),
        ("has: 10", "10.5 bar"),
        ("has: 10", "10^6"),
        ("has: 10^6", "106"),
        ("has: QT-300", "QT- 300"),
        ("has: 3. Return", "- Return"),
        ("has: -5 bar", "+5 bar"),
        ("not: 1020", "The gap is 1020 mm."),
        ("once: 25", "25 and 25"),
        ("order: A ; B", "B then A"),
        ("not: anything", ""),
    ],
)
def test_does_not_hold_where_words_or_numbers_differ(line: str, text: str) -> None:
    assert not holds(line, text)


ROW = "row: Part = Seal ; Torque = 5 Nm"


@pytest.mark.parametrize(
    "text",
    [
        "| Part | Torque |\n|---|---|\n| Ring | 7 Nm |\n| **Seal** | 5 Nm |",
        "Part\tTorque\nSeal\t5 Nm",
        "Part    Torque\nSeal    5 Nm",
        "Part: Seal, Torque: 5 Nm",
    ],
    ids=["pipes", "tabs", "aligned", "named"],
)
def test_a_row_has_its_values_under_their_headings(text: str) -> None:
    assert holds(ROW, text)


@pytest.mark.parametrize(
    "text",
    [
        "| Part | Torque |\n|---|---|\n| Seal | 7 Nm |\n| Ring | 5 Nm |",
        "| Part | Torque | Oil |\n|---|---|---|\n| Seal | | 5 Nm |",
        "| Part | Torque |\n|---|---|\n| 5 Nm | Seal |",
        "Part Torque Seal 5 Nm",
        "Part    Oil     Torque\nSeal    5 Nm",
        "Part: Seal, Torque: 15 Nm",
    ],
    ids=["other row", "other column", "swapped", "flat", "aligned elsewhere", "other value"],
)
def test_a_row_fails_where_a_value_slid(text: str) -> None:
    assert not holds(ROW, text)


def test_two_rows_of_headings_are_read_as_one() -> None:
    assert holds("row: Gear = First ; Speed low = 40 rpm ; Speed high = 90 rpm", SPANNED)
    assert not holds("row: Gear = First ; Speed low = 90 rpm", SPANNED)


def test_lines_keep_their_breaks_and_their_indentation() -> None:
    wanted = r"lines: server:\n  port: 80"
    assert holds(wanted, "```yaml\nserver:\n  port: 80\n```")
    assert holds(wanted, "    server:\n      port: 80")
    assert not holds(wanted, "server:\nport: 80")
    assert not holds(wanted, "server: port: 80")
    assert holds(r"lines: # a comment\nrun", "```\n# a comment\nrun\n```")


def test_a_file_has_settings_and_assertions(tmp_path: Path) -> None:
    path = tmp_path / "page.facts"
    path.write_text("format = html\n# why\n\nhas: a: b\nnot: c\n", encoding="utf-8")
    settings, assertions = read_assertions(path)
    assert settings == {"format": "html"}
    assert [str(one) for one in assertions] == ["has: a: b", "not: c"]
    path.write_text("what: a\n", encoding="utf-8")
    with pytest.raises(AssertionsError, match=r"page.facts, line 1: 'what: a' is no assertion"):
        read_assertions(path)
