"""Code in pages: its lines and indentation, without line numbers."""

import re
from itertools import pairwise

from bs4 import Tag

from ftdist.library.readers.markup.tree import (
    BLOCKS,
    attribute,
    classes,
    integer,
    is_alive,
    is_block,
    is_text,
)

_LINE = re.compile(
    r"(line|token-line|code-?line|view-line|cl|react-code-line|diff-line|ec-line|hljs-ln-line)"
)
_NUMBERS = re.compile(
    r"(^|[-_])(line-?no(s|div)?|line-?num(ber)?s?(-rows)?|gutter|ln|lnt|lntd|gl|rouge-gutter|num|blob-num)($|[-_])"
)
_COUNT = re.compile(r"[\s.:|]*\d+[\s.:|]*(?:\s+\d+[\s.:|]*)*|[\s.:|]*")


def code_text(tag: Tag, *, preformatted: bool = True) -> str:
    """The lines of code in an element.

    Args:
        tag: such as `pre`.
        preformatted: whether blanks and line breaks of the source count.
    """
    _drop_numbers(tag)
    lines = _Lines(preformatted=preformatted)
    lines.add(tag)
    text = "".join(lines.parts).replace("\r\n", "\n").replace("\xa0", " ")
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def is_listing(tag: Tag) -> bool:
    """Whether an element of code in text has lines of its own."""
    return tag.name in ("code", "samp", "tt", "kbd") and (
        tag.find("br") is not None or any(map(_is_line, tag.find_all(["div", "span"])))
    )


def numbered_listing(table: Tag) -> str:
    """The code of a table with line numbers in its first column; "" for any other table."""
    lines = []
    for row in table.find_all("tr"):
        cells = row.find_all(["td", "th"], recursive=False)
        if len(cells) == 1 and integer(cells[0], "colspan", 1) == 2:
            continue  # the name of the file
        if len(cells) != 2 or not _is_numbers(cells[0]):
            return ""
        lines.append(cells[1])
    is_code = table.find(["pre", "code"]) is not None or any(
        "code" in name or "hljs" in name for cell in lines for name in classes(cell)
    )
    if (
        not lines
        or not is_code
        or not _counts_up([cell.get_text() for cell in _first_cells(table)])
    ):
        return ""
    return "\n".join(map(code_text, lines))


def _first_cells(table: Tag) -> list[Tag]:
    rows = (row.find_all(["td", "th"], recursive=False) for row in table.find_all("tr"))
    return [cells[0] for cells in rows if len(cells) == 2]


def _is_numbers(cell: Tag) -> bool:
    return _COUNT.fullmatch(cell.get_text()) is not None


def _counts_up(texts: list[str]) -> bool:
    """Whether numbers follow each other; GitHub writes them in an attribute, the text is empty."""
    numbers = [int(number) for text in texts for number in re.findall(r"\d+", text)]
    return all(after == before + 1 for before, after in pairwise(numbers))


def _drop_numbers(tag: Tag) -> None:
    for part in tag.find_all(["span", "td", "div", "pre", "a", "button"]):
        if not is_alive(part):
            continue
        is_number = part.get("data-line-number") is not None or any(
            map(_NUMBERS.search, classes(part))
        )
        if part.name == "button" or (is_number and _is_numbers(part)):
            part.decompose()


class _Lines:
    """Text in which elements of a line each begin and end one."""

    def __init__(self, *, preformatted: bool) -> None:
        self.parts: list[str] = []
        self._preformatted = preformatted
        self._ended = False
        """Whether a line has ended, and its line feed is still to come."""

    def add(self, tag: Tag) -> None:
        """Add an element's children."""
        for child in tag.children:
            if isinstance(child, Tag):
                self._element(child)
            elif is_text(child):
                self._text(str(child))

    def _element(self, tag: Tag) -> None:
        if tag.name == "br":
            self._text("\n", is_break=True)
            return
        is_line = is_block(tag) or _is_line(tag)
        if not is_line:
            self.add(tag)
            return
        if self._ended or not self._at_start():
            self.parts.append("\n")
            self._ended = False
        start = len(self.parts)
        self.add(tag)
        own = "".join(self.parts[start:])
        self._ended = self._ended or not own.endswith("\n")

    def _text(self, text: str, *, is_break: bool = False) -> None:
        if not self._preformatted and not is_break:
            text = re.sub(r"[ \t\r\n]+", " ", text)
            text = text.lstrip(" ") if self._at_start() else text
        if not text:
            return
        if self._ended and not text.startswith("\n"):
            if not text.strip(" \t"):
                return  # blanks between two lines
            self.parts.append("\n")
        self._ended = False
        self.parts.append(text)

    def _at_start(self) -> bool:
        last = next((part for part in reversed(self.parts) if part), "\n")
        return last.endswith("\n")


def _is_line(tag: Tag) -> bool:
    if tag.name not in ("span", "div", "code"):
        return False
    is_named = any(map(_LINE.fullmatch, classes(tag))) or tag.get("data-line") is not None
    return is_named or attribute(tag, "role") == "row" or tag.name in BLOCKS
