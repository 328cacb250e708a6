"""PDF files: words with position and font, and tables, made into blocks with page numbers.

Page numbers count from 1 as PDF viewers show them. Headers, footers and tables of contents are left
out; the document's notes name them.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.pdf.layout import (
    LARGER,
    build_blocks,
    find_body_size,
    normalize_title,
)
from ftdist.library.readers.pdf.pages import Page, read_page, text_lines
from ftdist.library.readers.pdf.running import contents_note, find_running
from ftdist.library.readers.pdf.words import TextLine
from ftdist.library.schema import BadRow, Document, Location, Note

_PASSWORD_ERROR = 4
"""pdfium's error code for a missing password."""

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
    pages: list[Page] = []
    for number in range(1, len(pdf) + 1):
        try:
            pages.append(read_page(pdf[number - 1], number=number))
        except pypdfium2.PdfiumError:
            location = Location(name, page=number)
            return BadRow("is a damaged page", location, "Print or save the PDF again.")
    empty = [str(page.number) for page in pages if page.is_empty]
    if len(empty) == len(pages):
        return BadRow(
            "contains images of pages and no text",
            Location(name),
            "Run optical character recognition over it, for example with ocrmypdf.",
        )
    lines, notes = _read_lines(pages)
    if empty:
        more = ["..."] if len(empty) > _MAX_PAGES_LISTED else []
        listed = ", ".join([*empty[:_MAX_PAGES_LISTED], *more])
        notes.append(Note("page without text", f"pages {listed}", len(empty)))
    title = str(pdf.get_metadata_dict().get("Title", "")).strip()
    return Document(
        title=title or _largest_text(lines) or title_from_stem(stem),
        blocks=tuple(build_blocks(lines, outline=_read_outline(pdf))),
        location=Location(name),
        notes=tuple(notes),
    )


def _read_lines(pages: Sequence[Page]) -> tuple[list[TextLine], list[Note]]:
    """The lines of all pages without headers, footers and contents, and notes of these."""
    sizes = Counter[float]()
    for page in pages:
        sizes.update(page.sizes)
    body_size = sizes.most_common(1)[0][0]
    edges = {page.number: page.edge_lines() for page in pages}
    running, notes = find_running(
        [line for each in edges.values() for line in each],
        num_pages=len(pages),
        body_size=body_size,
    )
    lines: list[TextLine] = []
    for page in pages:
        rest = page.without(
            [edges[page.number][line] for line in edges[page.number] if line in running]
        )
        column = lines[-1].column + 1 if lines else 0
        read = list(text_lines(rest, first_column=column))
        note = contents_note([line.text for line in read], page=page.number, num_pages=len(pages))
        notes += [note] if note else []
        lines += [] if note else read
    return lines, notes


def _largest_text(lines: Sequence[TextLine]) -> str:
    """The text in the largest font on the first page, if it is larger than the body's."""
    first = [line for line in lines if line.page == lines[0].page and not line.rows]
    size = max((line.size for line in first), default=0.0)
    if size < LARGER * find_body_size(lines):
        return ""
    return " ".join(line.text for line in first if line.size == size)[:120].strip()


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
