"""PDF: its pages' lines with their place and size, made into headings, paragraphs, items and code.

Page numbers count from 1 as PDF viewers show them. What stands at the head or foot of many pages is
left out, as are tables of contents: both are said in the document's notes.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ftdist.library.read import readable
from ftdist.library.read.pages import (
    Line,
    bare,
    blocks_of,
    without_contents,
    without_repeated,
)
from ftdist.library.rows import BadRow, Document, Place

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
        title=title or heading or readable(stem),
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
        start = 0
        for part in re.split(r"\r\n|\r|\n", text):
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
