"""HTML pages: what a reader sees, as blocks."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bs4 import BeautifulSoup, PageElement, Tag

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import declared_encoding, decode
from ftdist.library.readers.markup.blocks import has_words, line_text, read_blocks
from ftdist.library.readers.markup.math import write_equations
from ftdist.library.readers.markup.navigation import leave_out_navigation
from ftdist.library.readers.markup.roles import name_by_role
from ftdist.library.readers.markup.stylesheets import apply_style_sheets
from ftdist.library.readers.markup.tree import Notes
from ftdist.library.readers.markup.visibility import leave_out_unseen
from ftdist.library.readers.markup.written import (
    write_drawings,
    write_inputs,
    write_pictures,
    write_quotes,
    write_raised,
)
from ftdist.library.schema import BadRow, Block, Document, Location

MAX_DEPTH = 256
"""Pages that people write are some 30 deep, the worst of generated ones 100."""

_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^<>]*>")


def read_html(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a page in its declared or detected encoding.

    Raises:
        BadRowError: it mixes two encodings, or is too large.
    """
    data = read_bytes(path)
    markup, notes = decode(data, declared=declared_encoding(data), encoding=encoding)
    page = parse_html(markup, name=name, stem=path.stem)
    return page if isinstance(page, BadRow) else replace(page, notes=notes + page.notes)


def parse_html(
    markup: bytes | str, *, name: str, stem: str, title: str = "", fallback_title: str = ""
) -> Document | BadRow:
    """Parse the markup of a page.

    Args:
        markup: of a whole page or a part of one.
        name: of the file in messages.
        stem: of the file's name, the title of a page without one.
        title: of the document, if it is known.
        fallback_title: of a page without a title and a heading above all others.
    """
    if isinstance(markup, str):
        markup = _XML_DECLARATION.sub("", markup)  # of XHTML; Beautiful Soup warns of it
    soup = BeautifulSoup(markup, "lxml")
    if _is_deeper(soup, MAX_DEPTH):
        reason = f"has elements more than {MAX_DEPTH} deep in each other"
        return BadRow(reason, Location(name), "Remove it, or save its text.")
    own = next((tag for tag in soup("title") if not tag.find_parent("svg")), None)
    page = "" if own is None else line_text(own)
    notes = Notes()
    name_by_role(soup)
    apply_style_sheets(soup)
    for step in _STEPS:
        step(soup, notes)
    blocks = read_blocks(soup)
    if not has_words(blocks):
        return BadRow("contains no text", Location(name), "Remove it.")
    heading = _only_top_heading(blocks, has_title=bool(page))
    return Document(
        title=title
        or _title(page=page, heading=heading)
        or fallback_title
        or title_from_stem(stem),
        blocks=blocks,
        location=Location(name),
        notes=notes.all(),
    )


def _is_deeper(soup: BeautifulSoup, most: int) -> bool:
    """Whether elements stand deeper in each other; without recursion, which may be too deep."""
    level: list[PageElement] = [soup]
    for _ in range(most + 1):
        level = [child for tag in level if isinstance(tag, Tag) for child in tag.contents]
    return any(isinstance(each, Tag) for each in level)


_STEPS: tuple[Callable[[BeautifulSoup, Notes], None], ...] = (
    write_equations,
    leave_out_unseen,
    leave_out_navigation,
    write_inputs,
    write_pictures,
    write_drawings,
    write_quotes,
    write_raised,
)


def _only_top_heading(blocks: tuple[Block, ...], *, has_title: bool) -> str:
    """The heading above all others; several of the same level are chapters."""
    headings = [block for block in blocks if block.kind == "heading"]
    top = min((block.level for block in headings), default=0)
    texts = list(dict.fromkeys(block.text for block in headings if block.level == top))
    is_first = top == 2 and headings[0].level == top and not headings[0].text.endswith("?")
    is_above = top == 1 or (is_first and not has_title)
    return texts[0] if is_above and len(texts) == 1 else ""


def _title(*, page: str, heading: str) -> str:
    """The page's title, with its heading where the title is that of the whole site."""
    page = page.strip(" -|:\u2013\u2014")
    if not heading or heading.casefold() in page.casefold():
        return page
    return heading if page.casefold() in heading.casefold() else f"{page}: {heading}"
