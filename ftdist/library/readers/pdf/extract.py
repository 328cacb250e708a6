"""PDF files: text lines with position and font, and tables, made into blocks with page numbers.

Page numbers count from 1 as PDF viewers show them. Headers, footers and tables of contents are left
out; the document's notes say how many.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.pdf.drawing import Font, Word, read_font, read_rules, read_words
from ftdist.library.readers.pdf.layout import (
    TextLine,
    build_blocks,
    drop_contents,
    drop_headers_and_footers,
    normalize_title,
)
from ftdist.library.readers.pdf.ruled_tables import Grid, find_grids
from ftdist.library.readers.pdf.unruled_tables import find_ladders, grids_of_ladder, split_last_row
from ftdist.library.schema import BadRow, Document, Location, Note

_PASSWORD_ERROR = 4
"""pdfium's error code for a missing password."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_MAX_PAGES_LISTED = 20


def read_pdf(path: Path, *, name: str) -> Document | BadRow:
    """Read a PDF file that contains text."""
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            return BadRow("is encrypted", Location(name), "Save it without a password.")
        return BadRow("is a damaged PDF", Location(name), "Print or save it as PDF again.")
    try:
        return _read(pdf, name=name, stem=path.stem)
    except pypdfium2.PdfiumError as error:
        return BadRow(f"is a damaged PDF ({error})", Location(name), "Save it as PDF again.")
    finally:
        pdf.close()


def _read(pdf: Any, *, name: str, stem: str) -> Document | BadRow:
    pages: list[list[TextLine]] = []
    for number in range(1, len(pdf) + 1):
        try:
            pages.append(list(_read_lines(pdf[number - 1], number)))
        except pypdfium2.PdfiumError:
            location = Location(name, page=number)
            return BadRow("is a damaged page", location, "Print or save the PDF again.")
    empty = [str(number) for number, lines in enumerate(pages, start=1) if not lines]
    if len(empty) == len(pages):
        return BadRow(
            "contains images of pages and no text",
            Location(name),
            "Run optical character recognition over it, for example with ocrmypdf.",
        )
    pages, num_repeated = drop_headers_and_footers(pages)
    pages, num_contents = drop_contents(pages)
    blocks = build_blocks([line for page in pages for line in page], outline=_read_outline(pdf))
    title = str(pdf.get_metadata_dict().get("Title", "")).strip()
    more = ["..."] if len(empty) > _MAX_PAGES_LISTED else []
    listed = ", ".join([*empty[:_MAX_PAGES_LISTED], *more])
    notes = [
        Note(rule=rule, excerpt=excerpt, count=count)
        for rule, excerpt, count in (
            ("page without text", f"pages {listed}", len(empty)),
            ("header or footer left out", "", num_repeated),
            ("page of contents left out", "", num_contents),
        )
        if count
    ]
    return Document(
        title=title or _largest_text(pages[0]) or title_from_stem(stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=tuple(notes),
    )


def _largest_text(lines: Sequence[TextLine]) -> str:
    """The text in the largest font: on the first page, the title."""
    size = max((line.size for line in lines), default=0.0)
    return " ".join(line.text for line in lines if line.size == size)[:120].strip()


def _read_outline(pdf: Any) -> dict[tuple[int, str], int]:
    """Bookmarks: (page, normalised title) to level 1 to 6."""
    outline: dict[tuple[int, str], int] = {}
    for mark in pdf.get_toc():
        target = mark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            key = (page + 1, normalize_title(mark.get_title()))
            outline.setdefault(key, min(6, mark.level + 1))
    return outline


def _read_lines(page: Any, number: int) -> Iterator[TextLine]:
    """The lines of one page, in the order of its content, each table as one line."""
    textpage = page.get_textpage()
    try:
        text: str = textpage.get_text_range()
        count = textpage.count_chars()
        if len(text) != count:  # characters outside the BMP: indices would be off
            text = "".join(chr(pdfium.FPDFText_GetUnicode(textpage, i)) for i in range(count))
        chars = list(text)
        tables: dict[int, TextLine] = {}
        for first, used, table in _read_tables(page, textpage, text, number=number):
            tables[first] = table
            for i in used:
                chars[i] = " "
        for match in re.finditer(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)", "".join(chars)):
            yield from (tables[i] for i in range(*match.span(1)) if i in tables)
            line = _read_line(textpage, match[1], match.start(), page=page, number=number)
            if line is not None:
                yield line
    finally:
        textpage.close()


def _read_tables(
    page: Any, textpage: Any, text: str, *, number: int
) -> Iterator[tuple[int, set[int], TextLine]]:
    """The tables of a page: index of the first character, indices of all, and the table."""
    used: set[int] = set()
    grids, words = _find_grids(page, textpage, text)
    middles = np.array([word.middle for word in words]).reshape(-1, 2)
    for grid in grids:
        cells: dict[int, list[int]] = {}
        for word, cell in zip(words, grid.cells_at(middles).tolist(), strict=True):
            if cell >= 0 and word.chars[0] not in used:
                cells.setdefault(cell, []).extend(word.chars)
        rows = grid.fill({cell: _join_chars(text, chars) for cell, chars in cells.items()})
        if not rows:
            continue
        chars_of_table = {i for chars in cells.values() for i in chars}
        used |= chars_of_table
        yield (
            min(map(min, cells.values())),
            chars_of_table,
            TextLine(
                text=" ".join(filter(None, (cell for row in rows for cell in row))),
                page=number,
                left=float(grid.lefts[0]),
                bottom=float(grid.tops[-1]),
                top=float(grid.tops[0]),
                page_height=page.get_height(),
                size=0.0,
                is_mono=False,
                is_bold=_has_bold_header(textpage, cells, columns=grid.cells.shape[1]),
                rows=rows,
            ),
        )


def _find_grids(page: Any, textpage: Any, text: str) -> tuple[list[Grid], list[Word]]:
    """The grids of a page, and its words, which are read only if lines may be those of a table."""
    width, height = page.get_size()
    rules = list(read_rules(page))
    ruled = find_grids(rules, width=width, height=height)
    ladders = find_ladders(rules, grids=ruled)
    if not ruled and not ladders:
        return [], []
    words = read_words(textpage, text)
    boxes = np.array([word.box for word in words]).reshape(-1, 4)
    unruled = (grid for each in ladders for grid in grids_of_ladder(each, boxes, height=height))
    return [*(split_last_row(grid, boxes) for grid in ruled), *unruled], words


def _join_chars(text: str, chars: Sequence[int]) -> str:
    """The characters of a cell, with a space between words and lines."""
    joined = text[chars[0]]
    for last, i in pairwise(chars):
        joined += text[i] if i == last + 1 else f" {text[i]}"
    return _CONTROL.sub("", joined)


def _has_bold_header(textpage: Any, cells: Mapping[int, Sequence[int]], *, columns: int) -> bool:
    """Whether the first row with text is bold, and the rows after it are not."""
    bold: dict[int, list[bool]] = {}
    for cell, chars in sorted(cells.items()):
        bold.setdefault(cell // columns, []).append(read_font(textpage, chars[0]).is_bold)
    first, *others = bold.values()
    return all(first) and not all(map(all, others))


def _read_line(textpage: Any, text: str, start: int, *, page: Any, number: int) -> TextLine | None:
    inked = [i for i, char in enumerate(text) if not char.isspace() and char != "\ufffe"]
    if not inked:
        return None
    samples = [start + inked[i] for i in (0, len(inked) // 2, -1)]
    boxes = [textpage.get_charbox(i) for i in samples]
    fonts: list[Font] = [read_font(textpage, i) for i in samples]
    return TextLine(
        text=_CONTROL.sub("", text).rstrip(),
        page=number,
        left=boxes[0][0],
        bottom=min(box[1] for box in boxes),
        top=max(box[3] for box in boxes),
        page_height=page.get_height(),
        size=round(Counter(font.size for font in fonts).most_common(1)[0][0], 1),
        is_mono=sum(font.is_mono for font in fonts) >= 2,
        is_bold=all(font.is_bold for font in fonts),
    )
