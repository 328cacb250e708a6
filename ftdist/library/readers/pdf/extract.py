"""PDF: its pages' lines with their place and size, made into headings, paragraphs, items and code.

Page numbers count from 1 as PDF viewers show them. What stands at the head or foot of many pages is
left out, as are tables of contents: both are said in the document's notes.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.pdf.layout import (
    Line,
    bare,
    blocks_of,
    without_contents,
    without_repeated,
)
from ftdist.library.readers.pdf.ruled_tables import NEAR, Rule, grids, word_starts
from ftdist.library.readers.pdf.unruled_tables import ladders, level_grids, with_rows
from ftdist.library.schema import BadRow, Document, Place

_ENCRYPTED = 4
"""pdfium's error code where a password is asked for."""

_MONOSPACED = re.compile(r"mono|courier|consola|typewriter|cmtt|txtt|menlo|ttf?\d*$", re.IGNORECASE)
_BOLD_WEIGHT = 600
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def read_pdf(path: Path, *, name: str) -> Document | BadRow:
    """A PDF file with text in it."""
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _ENCRYPTED:
            reason, remedy = "is encrypted", "Save it without a password."
        else:
            reason, remedy = "is a damaged PDF", "Print or save it as PDF again."
        return BadRow(reason, Place(name), remedy)
    try:
        return _read(pdf, name=name, stem=path.stem)
    except pypdfium2.PdfiumError as error:
        return BadRow(f"is a damaged PDF ({error})", Place(name), "Save it as PDF again.")
    finally:
        pdf.close()


def _read(pdf: Any, *, name: str, stem: str) -> Document | BadRow:
    pages: list[list[Line]] = []
    for number in range(1, len(pdf) + 1):
        try:
            pages.append(list(_lines(pdf[number - 1], number)))
        except pypdfium2.PdfiumError:
            place = Place(name, page=number)
            return BadRow("is a damaged page", place, "Print or save the PDF again.")
    empty = [number for number, lines in enumerate(pages, start=1) if not lines]
    if len(empty) == len(pages):
        return BadRow(
            "holds pictures of pages and no text",
            Place(name),
            "Run optical character recognition over it, for example with ocrmypdf.",
        )
    pages, repeated = without_repeated(pages)
    pages, contents = without_contents(pages)
    lines = [line for page in pages for line in page]
    blocks = blocks_of(lines, outline=_outline(pdf))
    title = str(pdf.get_metadata_dict().get("Title", "")).strip()
    heading = _largest(pages[0])
    notes = [
        f"{count} {what}"
        for count, what in (
            (len(empty), f"pages hold no text ({_named(empty)})"),
            (repeated, "lines at the head or foot of pages left out"),
            (contents, "pages of contents left out"),
        )
        if count
    ]
    return Document(
        title=title or heading or title_from_stem(stem),
        blocks=tuple(blocks),
        place=Place(name),
        notes=tuple(notes),
    )


def _named(pages: Sequence[int]) -> str:
    more = ["..."] if len(pages) > _PAGES_NAMED else []
    return ", ".join([*map(str, pages[:_PAGES_NAMED]), *more])


_PAGES_NAMED = 20


def _largest(lines: Sequence[Line]) -> str:
    """What is set largest: of the first page the title, where nobody wrote it elsewhere."""
    size = max((line.size for line in lines), default=0.0)
    return " ".join(line.text for line in lines if line.size == size)[:120].strip()


def _outline(pdf: Any) -> dict[tuple[int, str], int]:
    """Bookmarks: page and title, letters and digits alone, to level 1 to 6."""
    found: dict[tuple[int, str], int] = {}
    for mark in pdf.get_toc():
        target = mark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            found.setdefault((page + 1, bare(mark.get_title())), min(6, mark.level + 1))
    return found


@dataclass(frozen=True)
class _Look:
    """How a character is set."""

    size: float
    is_mono: bool
    is_bold: bool


def _lines(page: Any, number: int) -> Iterator[Line]:
    """The lines of one page in the order of its content."""
    textpage = page.get_textpage()
    height = page.get_height()
    try:
        text: str = textpage.get_text_range()
        if len(text) != textpage.count_chars():  # characters beyond 16 bits: places would be off
            text = "".join(
                chr(pdfium.FPDFText_GetUnicode(textpage, at))
                for at in range(textpage.count_chars())
            )
        tables = _tables(page, textpage, text, number=number)
        letters = list(text)
        for at in tables.taken:
            letters[at] = " "
        text = "".join(letters)
        start = 0
        for part in re.split(r"\r\n|\r|\n", text):
            yield from (tables.at[at] for at in range(start, start + len(part)) if at in tables.at)
            line = _line(textpage, part, start, page=number, height=height)
            if line is not None:
                yield line
            start += len(part)
            while start < len(text) and text[start] in "\r\n":
                start += 1
                if text[start - 1] == "\n":
                    break
    finally:
        textpage.close()


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """The tables of a page, each where its first character stands, and all their characters."""

    at: dict[int, Line]
    taken: frozenset[int]


def _tables(page: Any, textpage: Any, text: str, *, number: int) -> _Tables:
    """The tables of a page; characters are looked at only where lines may be those of one."""
    width, height = page.get_size()
    found: dict[int, Line] = {}
    taken: set[int] = set()
    rules = list(_rules(page))
    ruled = grids(rules, width=width, height=height)
    level = ladders(rules, beside=ruled)
    words = _words(textpage, text) if ruled or level else []
    boxes = np.array([word.box for word in words]).reshape(-1, 4)
    ruled = [with_rows(grid, boxes) for grid in ruled]
    ruled += [grid for each in level for grid in level_grids(each, boxes, height=height)]
    for grid in ruled:
        cells: dict[int, list[int]] = {}
        at_cells = grid.cells_at(np.array([word.middle for word in words]).reshape(-1, 2))
        for word, cell in zip(words, at_cells.tolist(), strict=True):
            if cell >= 0 and word.letters[0] not in taken:
                cells.setdefault(cell, []).extend(word.letters)
        rows = grid.filled({cell: _spaced(text, letters) for cell, letters in cells.items()})
        if not rows:
            continue
        taken |= {at for letters in cells.values() for at in letters}
        found[min(map(min, cells.values()))] = Line(
            text=" ".join(filter(None, (cell for row in rows for cell in row))),
            page=number,
            left=float(grid.lefts[0]),
            bottom=float(grid.tops[-1]),
            top=float(grid.tops[0]),
            height=height,
            size=0.0,
            is_mono=False,
            is_bold=_has_bold_head(textpage, cells, columns=grid.cells.shape[1]),
            rows=rows,
        )
    return _Tables(at=found, taken=frozenset(taken))


@dataclass(frozen=True)
class _Word:
    """Places of its characters in a page's text, and the middle of the first on the page."""

    letters: Sequence[int]
    middle: tuple[float, float]
    box: tuple[float, float, float, float]
    """Left, bottom, right, top."""


def _words(textpage: Any, text: str) -> list[_Word]:
    inked = [at for at, letter in enumerate(text) if not letter.isspace()]
    boxes = np.array([textpage.get_charbox(at) for at in inked]).reshape(-1, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    starts = word_starts(np.array(inked), boxes)
    return [
        _Word(
            inked[start:end],
            middle=tuple(middles[start].tolist()),
            box=(
                *boxes[start:end, :2].min(axis=0).tolist(),
                *boxes[start:end, 2:].max(axis=0).tolist(),
            ),
        )
        for start, end in pairwise([*starts, len(inked)])
    ]


def _spaced(text: str, letters: Sequence[int]) -> str:
    """The characters of a cell, a blank where there is one or a line ends."""
    said = text[letters[0]]
    for last, at in pairwise(letters):
        said += text[at] if at == last + 1 else f" {text[at]}"
    return _CONTROL.sub("", said)


def _has_bold_head(textpage: Any, cells: Mapping[int, Sequence[int]], *, columns: int) -> bool:
    """Whether the first row that holds text is bold, and what comes after it is not."""
    bold: dict[int, list[bool]] = {}
    for cell, letters in sorted(cells.items()):
        bold.setdefault(cell // columns, []).append(_look(textpage, letters[0]).is_bold)
    first, *others = bold.values()
    return all(first) and not all(map(all, others))


def _rules(page: Any) -> Iterator[Rule]:
    """The straight lines that are drawn on a page, edges of rectangles among them."""
    for shape in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4):
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDFPath_GetDrawMode(shape, fill, stroke)
        if not (fill.value or stroke.value):
            continue
        matrix, form = shape.get_matrix(), shape.container
        while form is not None:
            matrix, form = matrix.multiply(form.get_matrix()), form.container
        lines = list(_segments(shape, matrix))
        across = [x for ends in lines for x, _ in ends]
        down = [y for ends in lines for _, y in ends]
        is_edge = bool(lines) and min(max(each) - min(each) for each in (across, down)) > NEAR
        yield from filter(None, (Rule.between(*ends, is_edge=is_edge) for ends in lines))


def _segments(shape: Any, matrix: Any) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight lines of a shape, from where to where on the page."""
    first = last = (0.0, 0.0)
    x, y = ctypes.c_float(), ctypes.c_float()
    for number in range(pdfium.FPDFPath_CountSegments(shape)):
        segment = pdfium.FPDFPath_GetPathSegment(shape, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = matrix.on_point(x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_LINETO:
            yield last, point
        first = point if kind == pdfium.FPDF_SEGMENT_MOVETO else first
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield point, first
        last = point


def _line(textpage: Any, text: str, start: int, *, page: int, height: float) -> Line | None:
    inked = [at for at, letter in enumerate(text) if not letter.isspace() and letter != "\ufffe"]
    if not inked:
        return None
    first, middle, last = (start + inked[at] for at in (0, len(inked) // 2, -1))
    boxes = [textpage.get_charbox(at) for at in (first, middle, last)]
    looks = [_look(textpage, at) for at in (first, middle, last)]
    return Line(
        text=_CONTROL.sub("", text).rstrip(),
        page=page,
        left=boxes[0][0],
        bottom=min(box[1] for box in boxes),
        top=max(box[3] for box in boxes),
        height=height,
        size=round(Counter(look.size for look in looks).most_common(1)[0][0], 1),
        is_mono=sum(look.is_mono for look in looks) >= 2,
        is_bold=all(look.is_bold for look in looks),
    )


def _look(textpage: Any, at: int) -> _Look:
    buffer, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(textpage, at, buffer, 128, flags)
    font = buffer.value.decode("utf-8", errors="replace")
    weight = pdfium.FPDFText_GetFontWeight(textpage, at)
    return _Look(
        size=pdfium.FPDFText_GetFontSize(textpage, at),
        is_mono=bool(flags.value & 1) or _MONOSPACED.search(font) is not None,
        is_bold=weight >= _BOLD_WEIGHT or "bold" in font.lower(),
    )
