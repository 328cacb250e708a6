"""Lines of printed pages made into blocks: pure functions of what stands where."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftdist.library.schema import Block

_MARGIN = 0.09
"""Share of a page's height, above and below, in which headers and footers stand."""

_LEADERS = re.compile(r"(\.\s*){4,}\s*\w{0,6}$|\s\d{1,4}$")
_BULLET = re.compile(
    r"^(?:[\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219*\u2013-]|\(?\d{1,2}[.)])\s+\S"
)
_MARK = re.compile(r"^(?:[\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219*\u2013-])\s+")
_NUMBERED = re.compile(r"^((?:\d{1,2}\.)*\d{1,2}|[A-Z]|[A-Z]\.\d{1,2}(?:\.\d{1,2})*)\.?\s+\S")
_LARGER = 1.12
"""How much larger than the text a heading is set, at least."""

_MAX_HEADING = 120
SOFT = "\ufffe"
"""What stands where a word was divided at a line's end."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a page; places and sizes in points, from the page's lower left corner."""

    text: str
    page: int
    left: float
    bottom: float
    top: float
    height: float
    """Of the page."""

    size: float
    is_mono: bool
    is_bold: bool
    """Of a table its first row alone: it names the columns."""

    rows: tuple[tuple[str, ...], ...] = ()
    """Cells, where it is no line but a table; `text` is then all they say."""


def bare(text: str) -> str:
    """Letters and digits of a text, in small letters: what a title is known by."""
    return "".join(filter(str.isalnum, text.casefold()))


def without_repeated(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], int]:
    """Pages without what stands at the head or foot of many, and how many lines went.

    Digits count as equal, for page numbers run on. Left and right pages may differ: a third of the
    pages, and at least three, is many.
    """
    where = Counter(key for page in pages for key in {_edge(line) for line in page} if key)
    many = max(3, len(pages) / 3)
    repeated = {key for key, count in where.items() if count >= many}
    kept = [[line for line in page if _edge(line) not in repeated] for page in pages]
    return kept, sum(map(len, pages)) - sum(map(len, kept))


def _edge(line: Line) -> str:
    """What a line in the margin says, digits apart; "" for any other line."""
    if _MARGIN * line.height < line.bottom and line.top < (1 - _MARGIN) * line.height:
        return ""
    return re.sub(r"\d+|\b[ivxl]+\b", "#", " ".join(line.text.split())) or "#"


def without_contents(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], int]:
    """Pages without tables of contents, and how many pages went."""
    kept: list[list[Line]] = []
    gone = 0
    for page in pages:
        listed = sum(_LEADERS.search(line.text) is not None for line in page)
        dotted = sum(re.search(r"(\.\s*){4,}", line.text) is not None for line in page)
        is_contents = len(page) >= 8 and listed > 0.6 * len(page) and dotted > 0.3 * len(page)
        gone += is_contents
        kept.append([] if is_contents else list(page))
    return kept, gone


def blocks_of(lines: Sequence[Line], *, outline: Mapping[tuple[int, str], int]) -> list[Block]:
    """Lines as blocks.

    Args:
        lines: of all pages, in the order in which they are read.
        outline: (page, bare title) to level, from the bookmarks; may be empty.
    """
    if not lines:
        return []
    body = Counter[float]()
    for line in lines:
        body[line.size] += 0 if line.rows else len(line.text)
    size = body.most_common(1)[0][0]
    levels = _levels([line for line in lines if not line.rows], size=size)
    words = Counter(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", " ".join(_plain(lines)).casefold()))
    blocks: list[Block] = []
    waiting: list[Line] = []

    def flush() -> None:
        if waiting:
            blocks.append(_block(waiting, words=words))
            waiting.clear()

    at = 0
    while at < len(lines):
        line, (level, taken) = lines[at], _bookmarked(lines, at, outline=outline, size=size)
        level = level or _heading_level(line, levels=levels)
        if line.rows:
            flush()
            blocks.append(_table(line, blocks[-1] if blocks else None, words=words))
            taken = 1
        elif level:
            flush()
            _add_heading(blocks, lines[at : at + taken], level, is_marked=taken > 1)
        else:
            if waiting and not _goes_on(waiting, line):
                flush()
            waiting.append(line)
        at += taken
    flush()
    return blocks


def _plain(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines if SOFT not in line.text]


def _levels(lines: Sequence[Line], *, size: float) -> dict[float, int]:
    """Sizes larger than the text's, to levels from 1."""
    larger = sorted({line.size for line in lines if line.size >= _LARGER * size}, reverse=True)
    return {each: min(6, at + 1) for at, each in enumerate(larger)}


_LINES_OF_A_HEADING = 4


def _bookmarked(
    lines: Sequence[Line], at: int, *, outline: Mapping[tuple[int, str], int], size: float
) -> tuple[int, int]:
    """The level of a heading that bookmarks know, or 0, and how many lines it takes."""
    if not (lines[at].is_bold or lines[at].size >= size):
        return 0, 1
    first, text = lines[at], ""
    for taken, line in enumerate(lines[at : at + _LINES_OF_A_HEADING], start=1):
        text = f"{text} {line.text}".strip()
        titles = (bare(text), bare(_NUMBERED_PREFIX.sub("", text)))
        for page in (first.page, first.page - 1, first.page + 1):
            for title in titles:
                if title and (page, title) in outline:
                    return outline[page, title], taken
    return 0, 1


def _heading_level(line: Line, *, levels: Mapping[float, int]) -> int:
    """The level of a heading that is set larger than the text, or 0."""
    is_short = len(line.text) <= _MAX_HEADING and any(map(str.isalpha, line.text))
    if line.is_mono or not is_short or line.text.rstrip().endswith((".", ",", ";")):
        return 0
    if line.size in levels:
        numbered = _NUMBERED.match(line.text)
        return numbered[1].count(".") + 1 if numbered else levels[line.size]
    return 0


_NUMBERED_PREFIX = re.compile(r"^(?:Chapter|Appendix)?\s*(?:[A-Z]|\d{1,2})(?:\.\d{1,2})*\.?\s+")


def _add_heading(
    blocks: list[Block], lines: Sequence[Line], level: int, *, is_marked: bool
) -> None:
    """A heading; one that goes on in the next line of the same page is one heading."""
    text = " ".join(" ".join(line.text for line in lines).replace(SOFT, "").split())
    page = lines[0].page
    last = blocks[-1] if blocks else None
    follows = last is not None and (last.kind, last.level, last.page) == ("heading", level, page)
    if last is not None and follows and not is_marked and not _NUMBERED.match(text):
        blocks[-1] = Block(kind="heading", text=f"{last.text} {text}", level=level, page=page)
    else:
        blocks.append(Block(kind="heading", text=text, level=level, page=page))


def _goes_on(waiting: Sequence[Line], line: Line) -> bool:
    """Whether a line belongs to the block before it."""
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


def _block(lines: Sequence[Line], *, words: Mapping[str, int]) -> Block:
    first = lines[0]
    if first.is_mono:
        text = "\n".join(line.text.replace(SOFT, "-") for line in lines)
        return Block(kind="code", text=text, page=first.page)
    text = lines[0].text
    for line in lines[1:]:
        text = f"{text}{SOFT}{line.text}" if _is_divided(text, line.text) else f"{text} {line.text}"
    text = " ".join(_joined(text, words=words).split())
    if _BULLET.match(text):
        return Block(kind="item", text=_MARK.sub("", text), level=1, page=first.page)
    return Block(kind="paragraph", text=text, page=first.page)


def _table(line: Line, last: Block | None, *, words: Mapping[str, int]) -> Block:
    """A table; one that goes on from the page before has the headings of that."""
    rows = tuple(
        tuple(" ".join(_joined(cell, words=words).split()) for cell in row) for row in line.rows
    )
    has_header = line.is_bold
    if last is not None and last.kind == "table" and last.page == line.page - 1:
        if last.rows[0] == rows[0]:
            has_header = True
        elif last.has_header and not has_header and len(last.rows[0]) == len(rows[0]):
            rows, has_header = (last.rows[0], *rows), True
    return Block(kind="table", text="", page=line.page, rows=rows, has_header=has_header)


def _is_divided(text: str, more: str) -> bool:
    return text.endswith("-") and text[-2:-1].isalpha() and more[:1].islower()


def _joined(text: str, *, words: Mapping[str, int]) -> str:
    """A text in which divided words are whole.

    A hyphen stays only where the document writes the word with it elsewhere and never without.
    """

    def join(match: re.Match[str]) -> str:
        head, tail = match[1].removesuffix("-"), match[2]
        whole, hyphened = f"{head}{tail}", f"{head}-{tail}"
        keeps = words.get(hyphened.casefold(), 0) > words.get(whole.casefold(), 0)
        return hyphened if keeps else whole

    joined = re.sub(rf"([^\W\d_]+-?){SOFT}\s*([^\W\d_]+)", join, text)
    return joined.replace(SOFT, "")
