"""Page layout: lines of printed pages into headings, paragraphs, items and code; pure functions."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftdist.library.schema import Block

_MARGIN = 0.09
"""Share of a page's height, at the top and the bottom, for headers and footers."""

_LEADERS = re.compile(r"(\.\s*){4,}\s*\w{0,6}$|\s\d{1,4}$")
_BULLET = re.compile(
    r"^(?:[\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219*\u2013-]|\(?\d{1,2}[.)])\s+\S"
)
_MARK = re.compile(r"^(?:[\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219*\u2013-])\s+")
_NUMBERED = re.compile(r"^((?:\d{1,2}\.)*\d{1,2}|[A-Z]|[A-Z]\.\d{1,2}(?:\.\d{1,2})*)\.?\s+\S")
_LARGER = 1.12
"""Smallest ratio of a heading's font size to the body's."""

_MAX_HEADING = 120
SOFT_HYPHEN = "\ufffe"
"""Marks where a word was hyphenated at the end of a line."""


@dataclass(frozen=True, kw_only=True)
class TextLine:
    """A line of a page, or a table; coordinates in points, from the page's lower left corner."""

    text: str
    page: int
    left: float
    bottom: float
    top: float
    page_height: float
    size: float
    is_mono: bool
    is_bold: bool
    """Of a table: whether only its first row is bold, which names the columns."""

    rows: tuple[tuple[str, ...], ...] = ()
    """The cells of a table; `text` is then their text."""


def normalize_title(text: str) -> str:
    """Letters and digits of a title, in lower case, for comparison."""
    return "".join(filter(str.isalnum, text.casefold()))


def drop_headers_and_footers(
    pages: Sequence[Sequence[TextLine]],
) -> tuple[list[list[TextLine]], int]:
    """Pages without lines repeated in the margins of many pages, and how many lines were dropped.

    Numbers count as equal, since page numbers increase. Left and right pages may differ: many means
    a third of the pages, and at least three.
    """
    counts = Counter(key for page in pages for key in {_margin_key(line) for line in page} if key)
    many = max(3, len(pages) / 3)
    repeated = {key for key, count in counts.items() if count >= many}
    left = [[line for line in page if _margin_key(line) not in repeated] for page in pages]
    return left, sum(map(len, pages)) - sum(map(len, left))


def _margin_key(line: TextLine) -> str:
    """The text of a line in the margin, without numbers; "" for any other line."""
    if _MARGIN * line.page_height < line.bottom and line.top < (1 - _MARGIN) * line.page_height:
        return ""
    return re.sub(r"\d+|\b[ivxl]+\b", "#", " ".join(line.text.split())) or "#"


def drop_contents(pages: Sequence[Sequence[TextLine]]) -> tuple[list[list[TextLine]], int]:
    """Pages without tables of contents, and how many pages were dropped."""
    left: list[list[TextLine]] = []
    num_dropped = 0
    for page in pages:
        listed = sum(_LEADERS.search(line.text) is not None for line in page)
        dotted = sum(re.search(r"(\.\s*){4,}", line.text) is not None for line in page)
        is_contents = len(page) >= 8 and listed > 0.6 * len(page) and dotted > 0.3 * len(page)
        num_dropped += is_contents
        left.append([] if is_contents else list(page))
    return left, num_dropped


def build_blocks(
    lines: Sequence[TextLine], *, outline: Mapping[tuple[int, str], int]
) -> list[Block]:
    """Join lines into blocks.

    Args:
        lines: of all pages, in reading order.
        outline: (page, normalised title) to level, from the bookmarks; may be empty.
    """
    if not lines:
        return []
    body = Counter[float]()
    for line in lines:
        body[line.size] += 0 if line.rows else len(line.text)
    size = body.most_common(1)[0][0]
    levels = _levels([line for line in lines if not line.rows], size=size)
    text = " ".join(line.text for line in lines if SOFT_HYPHEN not in line.text)
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.casefold()))
    blocks: list[Block] = []
    waiting: list[TextLine] = []

    def flush() -> None:
        if waiting:
            blocks.append(_block(waiting, words=words))
            waiting.clear()

    i = 0
    while i < len(lines):
        line, (level, taken) = lines[i], _bookmarked(lines, i, outline=outline, size=size)
        level = level or _heading_level(line, levels=levels)
        if line.rows:
            flush()
            blocks.append(_table(line, blocks[-1] if blocks else None, words=words))
            taken = 1
        elif level:
            flush()
            _add_heading(blocks, lines[i : i + taken], level, is_marked=taken > 1)
        else:
            if waiting and not _continues(waiting, line):
                flush()
            waiting.append(line)
        i += taken
    flush()
    return blocks


def _levels(lines: Sequence[TextLine], *, size: float) -> dict[float, int]:
    """Font sizes larger than the body's, to levels from 1."""
    larger = sorted({line.size for line in lines if line.size >= _LARGER * size}, reverse=True)
    return {each: min(6, i) for i, each in enumerate(larger, start=1)}


_MAX_HEADING_LINES = 4


def _bookmarked(
    lines: Sequence[TextLine], start: int, *, outline: Mapping[tuple[int, str], int], size: float
) -> tuple[int, int]:
    """The level of a heading in the bookmarks, or 0, and how many lines it takes."""
    first, text = lines[start], ""
    if not (first.is_bold or first.size >= size):
        return 0, 1
    for taken, line in enumerate(lines[start : start + _MAX_HEADING_LINES], start=1):
        text = f"{text} {line.text}".strip()
        titles = (normalize_title(text), normalize_title(_NUMBERED_PREFIX.sub("", text)))
        for page in (first.page, first.page - 1, first.page + 1):
            for title in titles:
                if title and (page, title) in outline:
                    return outline[page, title], taken
    return 0, 1


def _heading_level(line: TextLine, *, levels: Mapping[float, int]) -> int:
    """The level of a heading in a larger font than the body, or 0."""
    is_short = len(line.text) <= _MAX_HEADING and any(map(str.isalpha, line.text))
    if line.is_mono or not is_short or line.text.rstrip().endswith((".", ",", ";")):
        return 0
    if line.size in levels:
        numbered = _NUMBERED.match(line.text)
        return numbered[1].count(".") + 1 if numbered else levels[line.size]
    return 0


_NUMBERED_PREFIX = re.compile(r"^(?:Chapter|Appendix)?\s*(?:[A-Z]|\d{1,2})(?:\.\d{1,2})*\.?\s+")


def _add_heading(
    blocks: list[Block], lines: Sequence[TextLine], level: int, *, is_marked: bool
) -> None:
    """Add a heading; one that continues in the next line of the same page is one heading."""
    text = " ".join(" ".join(line.text for line in lines).replace(SOFT_HYPHEN, "").split())
    page = lines[0].page
    last = blocks[-1] if blocks else None
    follows = last is not None and (last.kind, last.level, last.page) == ("heading", level, page)
    if last is not None and follows and not is_marked and not _NUMBERED.match(text):
        blocks[-1] = Block(kind="heading", text=f"{last.text} {text}", level=level, page=page)
    else:
        blocks.append(Block(kind="heading", text=text, level=level, page=page))


def _continues(waiting: Sequence[TextLine], line: TextLine) -> bool:
    """Whether a line continues the block before it."""
    last = waiting[-1]
    if line.is_mono != last.is_mono or _BULLET.match(line.text):
        return False
    if line.page != last.page:
        return line.is_mono or (
            not last.text.rstrip().endswith((".", ":", "?", "!")) and line.text[:1].islower()
        )
    gap = last.bottom - line.top
    usual = 0.9 if line.is_mono else 0.75
    return gap < usual * max(line.size, 1.0)


def _block(lines: Sequence[TextLine], *, words: Mapping[str, int]) -> Block:
    first = lines[0]
    if first.is_mono:
        text = "\n".join(line.text.replace(SOFT_HYPHEN, "-") for line in lines)
        return Block(kind="code", text=text, page=first.page)
    text = lines[0].text
    for line in lines[1:]:
        text = (
            f"{text}{SOFT_HYPHEN}{line.text}"
            if _is_hyphenated(text, line.text)
            else f"{text} {line.text}"
        )
    text = " ".join(_join_hyphenated(text, words=words).split())
    if _BULLET.match(text):
        return Block(kind="item", text=_MARK.sub("", text), level=1, page=first.page)
    return Block(kind="paragraph", text=text, page=first.page)


def _table(line: TextLine, last: Block | None, *, words: Mapping[str, int]) -> Block:
    """A table; a continuation from the page before gets its header."""
    rows = tuple(
        tuple(" ".join(_join_hyphenated(cell, words=words).split()) for cell in row)
        for row in line.rows
    )
    has_header = line.is_bold
    if last is not None and last.kind == "table" and last.page == line.page - 1:
        if last.rows[0] == rows[0]:
            has_header = True
        elif last.has_header and not has_header and len(last.rows[0]) == len(rows[0]):
            rows, has_header = (last.rows[0], *rows), True
    return Block(kind="table", text="", page=line.page, rows=rows, has_header=has_header)


def _is_hyphenated(text: str, more: str) -> bool:
    return text.endswith("-") and text[-2:-1].isalpha() and more[:1].islower()


def _join_hyphenated(text: str, *, words: Mapping[str, int]) -> str:
    """A text with hyphenated words joined.

    The hyphen stays only if the document writes the word with it more often than without.
    """

    def join(match: re.Match[str]) -> str:
        head, tail = match[1].removesuffix("-"), match[2]
        whole, hyphened = f"{head}{tail}", f"{head}-{tail}"
        keeps = words.get(hyphened.casefold(), 0) > words.get(whole.casefold(), 0)
        return hyphened if keeps else whole

    joined = re.sub(rf"([^\W\d_]+-?){SOFT_HYPHEN}\s*([^\W\d_]+)", join, text)
    return joined.replace(SOFT_HYPHEN, "")
