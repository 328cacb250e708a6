"""Shares, times and the page between its marks."""

from pathlib import Path

import pytest

from benchmarks.readers.assertions import Assertion
from benchmarks.readers.cases import Case
from benchmarks.readers.report import END, START, Score, tables, write_tables

ASSERTIONS = tuple(Assertion("has", word) for word in ("one", "two", "three", "four"))
SMALL = Case("a", "html", Path("a.html"), ASSERTIONS)
REAL = Case("b", "html", Path("b.html"), ASSERTIONS[:1], is_real=True)


def _read(case: Case, reader: str, text: str, *, seconds: float, error: str = "") -> Score:
    return Score.of_text(
        case, reader=reader, text=text, seconds=seconds, error=error, installed_mb=12.4
    )


def test_tables_rank_readers_and_time_them_over_ftdist() -> None:
    scores = [
        _read(SMALL, "ftdist", "one two three four", seconds=0.5),
        _read(REAL, "ftdist", "one", seconds=1.5),
        _read(SMALL, "docling", "one two", seconds=2.0),
        _read(REAL, "docling", "", seconds=0.0, error="ValueError"),
    ]
    lines = tables(scores, [SMALL, REAL])
    assert "| ftdist | 100.0 % | 100.0 % | 12 | Apache-2.0 |" in lines
    assert lines[-2:] == [
        "| ftdist | 5 of 5 | 100.0 % | 100.0 % | 100.0 % | 1 (2.00 s) |",
        "| docling | 2 of 5 | 40.0 % | 50.0 % | 0.0 % | 4.00 |",
    ]


def test_scores_are_counted_again_from_what_was_read() -> None:
    row = _read(SMALL, "docling", "one two", seconds=2.0).to_json()
    assert (row.pop("format"), row.pop("case")) == ("html", "a")
    assert Score.of_text(REAL, **row).failed == ()


def test_tables_replace_what_stands_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n", encoding="utf-8")
    write_tables(page, ["new"])
    assert page.read_text(encoding="utf-8") == f"before\n{START}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page.md has not both marks"):
        write_tables(page, ["new"])
