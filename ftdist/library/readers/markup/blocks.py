"""A page's tree as blocks: one text for paragraphs, headings, items, cells and captions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bs4 import BeautifulSoup, Tag

from ftdist.library.readers.inline import join_fractions
from ftdist.library.readers.markup.code import code_text, is_listing, numbered_listing
from ftdist.library.readers.markup.lists import item_marker
from ftdist.library.readers.markup.tables import is_layout, read_table
from ftdist.library.readers.markup.tree import (
    HEADINGS,
    LISTS,
    MARKS,
    is_block,
    is_preformatted,
    is_text,
)
from ftdist.library.schema import Block, BlockKind

_BLANKS = re.compile(r"\s+")
_BREAKS = re.compile(r" *\n[ \n]*")


def read_blocks(soup: BeautifulSoup) -> tuple[Block, ...]:
    """The blocks of a page from which all that is no text has been removed."""
    walker = _Walker(soup)
    return tuple(_without_repeated_headings(walker.walk(soup, depth=0)))


def has_words(blocks: Iterable[Block]) -> bool:
    """Whether blocks have any text but marks of what is not read."""
    texts = (cell for block in blocks for cell in (block.text, *sum(block.rows, ())))
    return any(text.strip() and text not in MARKS for text in texts)


def line_text(tag: Tag) -> str:
    """The text of an element on one line."""
    return " ".join(_Walker(tag).text(tag).split())


class _Walker:
    def __init__(self, root: Tag) -> None:
        self._containers: set[int] = set()
        """Ids of the elements in which a block begins."""

        for tag in root.find_all(_begins_block):
            for parent in tag.parents:
                if id(parent) in self._containers:
                    break
                self._containers.add(id(parent))

    def walk(self, tag: Tag, *, depth: int) -> Iterator[Block]:
        """Blocks of an element's children; text between them is a separate paragraph."""
        loose: list[str] = []
        for child in tag.children:
            if isinstance(child, Tag) and not "".join(loose).strip() and self._is_question(child):
                yield from _one("term", " ".join(self._inline(child).split()))
                loose = []
            elif isinstance(child, Tag) and self._is_block(child):
                yield from _one("paragraph", _tidy(loose))
                loose = []
                yield from self._block(child, depth=depth)
            elif isinstance(child, Tag):
                loose.append(self._inline(child))
            elif is_text(child):
                loose.append(_BLANKS.sub(" ", str(child)))
        yield from _one("paragraph", _tidy(loose))

    def text(self, tag: Tag) -> str:
        """The text of an element, such as a cell: its blocks on lines of their own."""
        return _flow(list(self.walk(tag, depth=0)))

    def _is_block(self, tag: Tag) -> bool:
        return _begins_block(tag) or id(tag) in self._containers

    def _is_question(self, tag: Tag) -> bool:
        """Whether it is a question in bold, which heads its answer."""
        is_bold = tag.name in ("b", "strong") or (
            tag.name == "a" and tag.find(["b", "strong"]) is not None
        )
        return is_bold and not self._is_block(tag) and self._inline(tag).rstrip().endswith("?")

    def _inline(self, tag: Tag) -> str:
        """The text of an element in which no block begins."""
        if tag.name == "br":
            return "\n"
        parts = []
        for child in tag.children:
            if isinstance(child, Tag):
                parts.append(self._inline(child))
            elif is_text(child):
                parts.append(_BLANKS.sub(" ", str(child)))
        return "".join(parts)

    def _block(self, tag: Tag, *, depth: int) -> Iterator[Block]:
        match tag.name:
            case name if name in HEADINGS:
                yield from _one("heading", self._line(tag), level=HEADINGS[name])
            case _ if is_preformatted(tag):
                yield from _one("code", code_text(tag))
            case "code" | "samp" | "tt" | "kbd" if is_listing(tag):
                yield from _one("code", code_text(tag, preformatted=False))
            case "table":
                yield from self._table(tag, depth=depth)
            case name if name in LISTS:
                yield from self.walk(tag, depth=depth + 1)
            case "li":
                yield from self._item(tag, depth=max(1, depth))
            case "dt":
                yield from _one("term", self._line(tag))
            case "dd":
                yield from _as_definitions(self.walk(tag, depth=depth))
            case "summary" if self._line(tag).endswith("?"):
                yield from _one("term", self._line(tag))
            case _:
                yield from self.walk(tag, depth=depth)

    def _line(self, tag: Tag) -> str:
        return " ".join(self.text(tag).split())

    def _item(self, tag: Tag, *, depth: int) -> Iterator[Block]:
        """Blocks of an item: its number goes to the first."""
        blocks = list(self.walk(tag, depth=depth))
        if len(blocks) > 1 and blocks[0].text in MARKS and blocks[1].kind == "paragraph":
            blocks[:2] = [replace(blocks[1], text=f"{blocks[0].text} {blocks[1].text}")]
        marker = item_marker(tag)
        if not blocks or blocks[0].kind in ("paragraph", "term") or not marker:
            yield from _as_item(blocks, level=depth, marker=marker)
        elif blocks[0].kind == "heading":
            yield replace(blocks[0], text=f"{marker} {blocks[0].text}")
            yield from blocks[1:]
        elif blocks[0].kind == "code" and "\n" not in blocks[0].text:
            yield Block(kind="item", text=blocks[0].text, level=depth, marker=marker)
            yield from blocks[1:]
        else:
            yield Block(kind="paragraph", text=marker)
            yield from blocks

    def _table(self, tag: Tag, *, depth: int) -> Iterator[Block]:
        if code := numbered_listing(tag):
            for cell in tag.find_all(["td", "th"], colspan="2"):
                yield from _one("paragraph", self.text(cell))
            yield from _one("code", code)
        elif is_layout(tag):
            yield from self.walk(tag, depth=depth)
        else:
            yield from read_table(tag, text=self.text)


def _begins_block(tag: Tag) -> bool:
    return is_block(tag) or is_preformatted(tag) or is_listing(tag)


def _as_definitions(blocks: Iterator[Block]) -> Iterator[Block]:
    for block in blocks:
        yield replace(block, kind="definition") if block.kind == "paragraph" else block


def _as_item(blocks: list[Block], *, level: int, marker: str) -> Iterator[Block]:
    """Blocks of an item: its first paragraph becomes a block of that kind."""
    for number, block in enumerate(blocks):
        if number == 0 and block.kind in ("paragraph", "term"):
            yield Block(kind="item", text=block.text, level=level, marker=marker)
        else:
            yield block


def _flow(blocks: list[Block]) -> str:
    """Blocks within a cell or heading, each on lines of its own."""
    is_list = sum(block.kind == "item" for block in blocks) > 1
    lines = []
    for block in blocks:
        mark = block.marker or ("-" if block.kind == "item" and is_list else "")
        rows = [" ".join(filter(None, row)) for row in block.rows]
        lines += [f"{mark} {block.text}".strip() if mark else block.text] if block.text else rows
    return "\n".join(lines)


def _tidy(parts: list[str]) -> str:
    """Inline text: one blank between words, line breaks where the page has them."""
    text = _BREAKS.sub("\n", re.sub(" +", " ", "".join(parts)))
    return join_fractions(text.strip())


def _one(kind: BlockKind, text: str, *, level: int = 0) -> Iterator[Block]:
    if text.strip():
        yield Block(kind=kind, text=text, level=level)


def _without_repeated_headings(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks without a heading that repeats the one before it."""
    last: Block | None = None
    for block in blocks:
        if block != last or block.kind != "heading":
            yield block
        last = block
