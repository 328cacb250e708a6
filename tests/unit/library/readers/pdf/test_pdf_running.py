"""Headers, footers and contents of generated PDF files: the test places the lines."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ftdist.library.readers.pdf.extract import read_pdf
from ftdist.library.schema import Document
from tests.support.documents.drawn_pdfs import box, draw, line, lines, text

ROMAN = ("i", "ii", "iii", "iv", "v", "vi")


def _read(path: Path, pages: Sequence[Sequence[str]]) -> tuple[list[str], dict[str, int]]:
    """The texts of a document's blocks, and how often each line was left out."""
    document = read_pdf(draw(path / "manual.pdf", pages), name="manual.pdf")
    assert isinstance(document, Document), document
    texts = [" ".join([block.text, *(c for row in block.rows for c in row)]).strip()
             for block in document.blocks]  # fmt: skip
    return texts, {f"{note.rule}: {note.excerpt}": note.count for note in document.notes}


def _body(page: int) -> list[str]:
    """Two lines of text in the middle of a page, other ones on each."""
    words = ("red", "blue", "green", "white", "black", "brown")
    return lines(
        60, 500, [f"The {words[page - 1]} pump is filled with oil", "before the first start."]
    )


BODY = [f"The {word} pump is filled with oil before the first start."
        for word in ("red", "blue", "green", "white", "black", "brown")]  # fmt: skip


@pytest.mark.parametrize(
    ("drawn", "excerpt"),
    [
        (lambda _: [text(60, 800, "Pump P-9 manual", size=8)], "Pump P-9 manual"),
        (lambda n: [text(60, 30, f"ACME \xb7 page {n}", size=8)], "ACME \xb7 page {n}"),
        (lambda n: [text(290, 30, str(n + 11))], "{n}"),
        (lambda n: [text(290, 30, f"- {n} -")], "- {n} -"),
        (lambda n: [text(280, 30, ROMAN[n - 1])], "{n}"),
        (lambda n: [text(60, 30, f"Page {n} of 6")], "Page {n} of 6"),
        (lambda n: [text(60, 30, f"Seite {n}/6")], "Seite {n}/6"),
        (lambda n: [text(60, 800, f"{n} | Oil change", size=8)], "{n} | Oil change"),
        (lambda n: [text(60, 30, f"{n + 2} Rev. 4 of 2031", size=8)], "{n} Rev. 4 of 2031"),
    ],
)  # fmt: skip
def test_running_line_is_left_out_and_noted_with_its_text(
    tmp_path: Path, drawn: object, excerpt: str
) -> None:
    assert callable(drawn)
    texts, notes = _read(tmp_path, [[*_body(n), *drawn(n)] for n in range(1, 7)])
    assert texts == BODY
    assert notes == {f"header or footer left out: {excerpt} (pages 1 to 6)": 6}


def test_headers_of_left_and_right_pages_are_left_out(tmp_path: Path) -> None:
    pages = [
        [*_body(n), text(*((60, 800, "Pump P-9") if n % 2 else (480, 800, "Oil")), size=8),
         text(60 if n % 2 else 530, 30, str(n), size=8)]
        for n in range(1, 7)
    ]  # fmt: skip
    texts, notes = _read(tmp_path, pages)
    assert texts == BODY
    assert notes == {
        "header or footer left out: {n} (pages 1 to 6)": 6,
        "header or footer left out: Pump P-9 (pages 1 to 5)": 3,
        "header or footer left out: Oil (pages 2 to 6)": 3,
    }


def test_header_in_a_ruled_frame_is_left_out(tmp_path: Path) -> None:
    def frame(n: int) -> list[str]:
        return [
            box(60, 770, 500, 810), line(60, 790, 500, 790), line(300, 770, 300, 810),
            text(64, 796, "ACME"), text(304, 796, "Manual 7"),
            text(64, 776, "Pump"), text(304, 776, f"Page {n} of 6"),
        ]  # fmt: skip

    texts, _ = _read(tmp_path, [[*_body(n), *frame(n)] for n in range(1, 7)])
    assert texts == BODY


@pytest.mark.parametrize(
    "fact",
    [
        lambda n: text(60, 40, f"Tighten to {(5, 8, 25, 40, 60, 90)[n - 1]} Nm."),
        lambda n: text(60, 800, f"Alarm {n + 10}", bold=True, size=16),
        lambda n: text(60, 800, f"Question {n}", bold=True),
        lambda n: text(60, 800, f"Step {n}"),
        lambda n: text(60, 40, f"P-{n}03 {n + 4} Nm {n * 3} mm"),
        lambda n: text(60, 40, f"Part no. {n + 770}"),
        lambda n: text(60, 30 + 9 * n, "Oil it."),
    ],
)  # fmt: skip
def test_fact_or_heading_near_the_edge_stays(tmp_path: Path, fact: object) -> None:
    assert callable(fact)
    texts, notes = _read(tmp_path, [[*_body(n), fact(n)] for n in range(1, 7)])
    assert len(texts) == 12
    assert notes == {}


@pytest.mark.parametrize(
    "warning",
    [
        text(60, 40, "Never open the lid while the lamp is lit."),
        text(60, 40, "WARNING: hot surface", bold=True, size=9),
        text(60, 40, "Hot surface", bold=True),
        text(60, 40, "Oil: VG 46"),
        text(60, 40, "Achtung! Netzstecker ziehen", size=12),
        text(60, 488 - 24, "Use oil VG 46") + " " + text(60, 40, "Danger of crushing"),
    ],
)
def test_warning_on_each_page_stays_once(tmp_path: Path, warning: str) -> None:
    texts, notes = _read(tmp_path, [[*_body(n), warning] for n in range(1, 7)])
    last = warning.rpartition("(")[2].partition(")")[0]
    assert sum(last in each for each in texts) == 1
    assert sum(notes.values()) == 5


def test_footnote_at_the_foot_of_a_page_stays(tmp_path: Path) -> None:
    page = [*_body(1), text(60, 44, "1", size=6), text(65, 40, "Only with a receipt.", size=8)]
    texts, _ = _read(tmp_path, [page, _body(2), _body(3)])
    assert "\xb9 Only with a receipt." in texts


def test_page_of_contents_is_noted_with_its_first_line(tmp_path: Path) -> None:
    contents = [f"{n} Chapter {n} {'. ' * 20}{3 * n}" for n in range(1, 12)]
    texts, notes = _read(tmp_path, [lines(60, 700, contents), _body(1)])
    assert texts == BODY[:1]
    assert list(notes.values()) == [1]
    assert next(iter(notes)).startswith("page of contents left out: 1 Chapter 1 . . .")
    assert next(iter(notes)).endswith("(page 1)")


def test_list_of_prices_with_dots_is_not_contents(tmp_path: Path) -> None:
    prices = [f"Seal {n} {'. ' * 20}{(n * 7919) % 97}" for n in range(1, 12)]
    texts, notes = _read(tmp_path, [lines(60, 700, prices), _body(1)])
    assert notes == {}
    assert "Seal 11" in " ".join(texts)


def test_pages_without_text_are_noted(tmp_path: Path) -> None:
    _, notes = _read(tmp_path, [_body(1), [], _body(2), []])
    assert notes == {"page without text: pages 2, 4": 2}


def test_cell_that_repeats_beside_others_is_not_a_header(tmp_path: Path) -> None:
    pages = [[*_body(n), text(60, 770, f"P-{7 * n}"), text(200, 770, "3 Nm")] for n in range(1, 7)]
    texts, notes = _read(tmp_path, pages)
    assert [each for each in texts if "Nm" in each] == [f"P-{7 * n} 3 Nm" for n in range(1, 7)]
    assert notes == {}


def test_title_that_repeats_like_a_heading_stays_once(tmp_path: Path) -> None:
    texts, notes = _read(
        tmp_path, [[*_body(n), text(60, 780, "Oil", size=20)] for n in range(1, 7)]
    )
    assert texts == ["Oil", *BODY]
    assert notes == {"header or footer left out: Oil (pages 2 to 6)": 5}
