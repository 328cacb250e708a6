"""A document as sections: what stands under which headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

from ftdist.library.schema import Block, Document

_NUMBER = re.compile(
    r"^(?:(?:Chapter|Appendix)\s+(?:[A-Z]|\d{1,3})|\d{1,3}|[A-Z](?=\.))(?:\.\d{1,3})*\.?\s+(?=\S)"
)
"""A letter without a full stop is a word, as in "A lamp blinks"."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Blocks between one heading and the next."""

    path: tuple[str, ...]
    """Headings above, outermost first, the section's own last; without their numbers."""

    level: int
    page: int | None
    blocks: tuple[Block, ...]

    @property
    def heading(self) -> str:
        """Its own heading; "" before the first."""
        return self.path[-1] if self.path else ""

    @property
    def name(self) -> str:
        """The headings as one text."""
        return " > ".join(self.path)


def sections(document: Document) -> Iterator[Section]:
    """The sections of a document, in order; one may have no blocks but those of sections in it."""
    path: list[tuple[int, str]] = []
    level, page, blocks = 0, None, list[Block]()

    def section() -> Section:
        return Section(
            path=tuple(text for _, text in path), level=level, page=page, blocks=tuple(blocks)
        )

    for block in document.blocks:
        if block.kind != "heading":
            page = block.page if page is None else page
            blocks.append(block)
            continue
        if blocks or path:
            yield section()
        path = [(above, text) for above, text in path if above < block.level]
        path.append((block.level, unnumbered(block.text)))
        level, page, blocks = block.level, block.page, []
    if blocks or path:
        yield section()


def unnumbered(heading: str) -> str:
    """A heading without its number."""
    return _NUMBER.sub("", heading).strip() or heading


def block_text(block: Block) -> str:
    """A block as text: items behind their own marks or dashes, cells between bars."""
    match block.kind:
        case "item":
            bullet = "\u2022" if block.text[:1].isdigit() else "-"  # no sign before a number
            mark = f"{'  ' * max(0, block.level - 1)}{block.marker or bullet} "
            return mark + block.text.replace("\n", "\n" + " " * len(mark))
        case "table":
            return "\n".join(" | ".join(map(_on_one_line, cells)) for cells in block.rows)
        case "definition":
            return f"  {block.text}".replace("\n", "\n  ")
    return block.text


def _on_one_line(cell: str) -> str:
    return " ".join(cell.split("\n"))


def joined(blocks: tuple[Block, ...] | list[Block]) -> str:
    """Blocks as text: items and definitions on lines of their own, an empty line elsewhere."""
    text = ""
    tight = {"item", "definition"}
    has_term = any(block.kind == "term" for block in blocks)
    for block in blocks:
        if text:
            text += "\n" if block.kind in tight else "\n\n"
        is_below = has_term or block.kind != "definition"
        text += block_text(block) if is_below else dedent(block_text(block))
    return text
