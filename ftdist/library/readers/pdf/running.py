"""Headers, footers and tables of contents of printed pages; pure functions.

A header or footer is text at one height and of one size on most pages, or on most left or right
pages, whose number, if it differs, goes up with the pages.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftdist.library.schema import Note

ZONE = 0.14
"""Share of a page's height, at the top and the bottom, that headers and footers may take."""

_MIN_PAGES = 3
_MIN_SHARE = 0.5
"""Share of the pages, or of the left or right pages, on which there is a header or footer."""

_SAME_PLACE = 3.0
_HEADING = 1.4
"""From this ratio to the size of the text on, a number alone is no page number."""

_NUMBER = re.compile(r"(?<![\w.,])(?:\d{1,4}|[ivxlc]{1,7})(?![\w]|[.,]\d)")
_PAGE_WORDS = [
    "page",
    "pages",
    "p",
    "pg",
    "seite",
    "seiten",
    "s",
    "página",
    "pagina",
    "pág",
    "pag",
    "page(s)",
    "strona",
    "side",
    "sida",
    "sivu",
    "stránka",
    "oldal",
    "pagină",
    "страница",
    "стр",
    "sheet",
    "blatt",
    "of",
    "von",
    "de",
    "sur",
    "di",
    "af",
    "av",
    "z",
    "页",
    "第",
    "共",
]
_SEPARATORS = "|/([-\u2013\u2014\u00b7\u2022"
_SIGNAL_WORDS = re.compile(
    r"\W*(?:danger|warning|caution|notice|important|attention|gefahr|warnung|vorsicht|achtung|"
    r"wichtig|hinweis|avertissement|peligro|advertencia|atenci\u00f3n|precauci\u00f3n|pericolo|"
    r"attenzione|avvertenza|perigo|aten\u00e7\u00e3o|let op|waarschuwing)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?\u3002]\W?$")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


@dataclass(frozen=True, kw_only=True)
class EdgeLine:
    """A piece of text near the upper or lower edge of a page."""

    text: str
    page: int
    left: float
    right: float
    baseline: float
    size: float
    is_top: bool
    is_bold: bool
    distance: float
    """To the next line towards the middle of the page, in font sizes."""


def find_running(
    lines: Sequence[EdgeLine], *, num_pages: int, body_size: float
) -> tuple[set[EdgeLine], list[Note]]:
    """The headers and footers among lines, and a note of each distinct one.

    Of a warning, and of a repeated line that is set like the text, the first stays.
    """
    slots: defaultdict[tuple[bool, float], list[EdgeLine]] = defaultdict(list)
    for line in lines:
        slots[line.is_top, line.size].append(line)
    patterns: dict[EdgeLine, str] = {}
    for slot in slots.values():
        for row in _split_by(slot, key=_baseline, distance=2.0):
            for pattern, group in _running_groups(row, num_pages=num_pages, body_size=body_size):
                fresh = [line for line in group if line not in patterns]
                patterns |= dict.fromkeys(fresh, pattern)
    beside: defaultdict[tuple[int, float], list[EdgeLine]] = defaultdict(list)
    for line in lines:
        beside[line.page, line.baseline].append(line)
    running: defaultdict[str, list[EdgeLine]] = defaultdict(list)
    for line, pattern in patterns.items():
        # A cell that repeats beside one that does not is part of a row of a table.
        mates = beside[line.page, line.baseline]
        if "{n}" in pattern or all(mate in patterns for mate in mates):
            running[pattern].append(line)
    for pattern, group in running.items():
        if "{n}" not in pattern and _is_content(group, body_size=body_size):
            del group[0]
    notes = [
        Note("header or footer left out", f"{pattern} ({_pages(group)})", len(group))
        for pattern, group in sorted(running.items(), key=lambda item: -len(item[1]))
        if group
    ]
    return {line for group in running.values() for line in group}, notes


def _pages(group: Sequence[EdgeLine]) -> str:
    first, last = (pick(line.page for line in group) for pick in (min, max))
    return f"page {first}" if first == last else f"pages {first} to {last}"


def _running_groups(
    row: Sequence[EdgeLine], *, num_pages: int, body_size: float
) -> Iterator[tuple[str, list[EdgeLine]]]:
    """Lines at one height that repeat: the text with {n} for the page's number, and the lines."""
    groups: defaultdict[tuple[str, int | None], list[EdgeLine]] = defaultdict(list)
    for line in row:
        for pattern, offset in _patterns(line, body_size=body_size):
            groups[pattern, offset].append(line)
    repeated = {
        key: same_place
        for key, group in groups.items()
        for same_place in [_at_same_place(group)]
        if len({line.page for line in same_place}) >= min(_MIN_PAGES, num_pages)
        and len(same_place) > 1
    }
    pages = {line.page for group in repeated.values() for line in group}
    for parity in ({0, 1}, {0}, {1}):
        of_parity = sum(page % 2 in parity for page in range(1, num_pages + 1))
        if sum(page % 2 in parity for page in pages) >= max(2, _MIN_SHARE * of_parity):
            break
    else:
        return
    by_size = sorted(repeated.items(), key=lambda item: -len(item[1]))
    yield from ((pattern, group) for (pattern, _), group in by_size)
    if any(pattern == "{n}" for pattern, _ in repeated):  # also where numbering starts again
        yield "{n}", [line for line in row if _only_number(line.text)]


def _patterns(line: EdgeLine, *, body_size: float) -> Iterator[tuple[str, int | None]]:
    """A line's text, and its text with one number replaced, with the number less the page."""
    text = " ".join(line.text.split())
    yield text, None
    for match in _NUMBER.finditer(text):
        offset = _value(match[0]) - line.page
        before, after = text[: match.start()], text[match.end() :]
        if _may_be_page(before, after, offset, ratio=line.size / body_size):
            yield f"{before}{{n}}{after}", offset


def _may_be_page(before: str, after: str, offset: int, *, ratio: float) -> bool:
    """Whether a number can be the page's: "Step 3" in the text's size cannot.

    Args:
        before: the text before it.
        after: the text after it.
        offset: the number less the page's position in the file.
        ratio: the size of the line to that of the document's text.
    """
    words = re.findall(r"[^\W\d_]+", f"{before} {after}".casefold())
    if all(word in _PAGE_WORDS for word in words):
        return ratio < _HEADING
    last = re.findall(r"\w+|[^\w\s]", before.casefold())[-1:]
    if last and (last[0] in _PAGE_WORDS or last[0] in _SEPARATORS):
        return True
    is_first = not before.strip(" -|[(\u2013\u2014")
    if is_first:
        return after[:1].isspace() and (ratio < 0.95 or (offset <= 1 and ratio < 1.1))
    return ratio < 0.95


def _only_number(text: str) -> bool:
    return re.fullmatch(r"[\W_]*(?:\d{1,4}|[ivxlc]{1,7})[\W_]*", text) is not None


def _value(number: str) -> int:
    """The value of an Arabic or Roman number."""
    if number.isdigit():
        return int(number)
    values = [_ROMAN[char] for char in number]
    return sum(
        -value if any(value < after for after in values[i + 1 : i + 2]) else value
        for i, value in enumerate(values)
    )


def _at_same_place(group: Sequence[EdgeLine]) -> list[EdgeLine]:
    """The lines of a group that share a left, right or middle position with enough others.

    Left and right pages may have their own.
    """
    best: list[EdgeLine] = []
    for anchor in (_left, _right, _middle):
        same = [
            line
            for part in _split_by(group, key=anchor, distance=_SAME_PLACE)
            if len(part) > 1
            for line in part
        ]
        best = max(best, same, key=len)
    return sorted(best, key=lambda line: line.page)


def _baseline(line: EdgeLine) -> float:
    return line.baseline


def _left(line: EdgeLine) -> float:
    return line.left


def _right(line: EdgeLine) -> float:
    return line.right


def _middle(line: EdgeLine) -> float:
    return (line.left + line.right) / 2


def _split_by(
    group: Sequence[EdgeLine], *, key: Callable[[EdgeLine], float], distance: float
) -> list[list[EdgeLine]]:
    """Lines whose value is near that of the one before, in its order."""
    parts: list[list[EdgeLine]] = []
    for line in sorted(group, key=key):
        if parts and key(line) - key(parts[-1][-1]) <= distance:
            parts[-1].append(line)
        else:
            parts.append([line])
    return parts


def _is_content(group: Sequence[EdgeLine], *, body_size: float) -> bool:
    """Whether a repeated line is a warning, or is set like a heading or the text."""
    first = group[0]
    if _SIGNAL_WORDS.match(first.text):
        return True
    is_near = sum(line.distance <= 1.6 for line in group) > len(group) / 2
    if first.size >= 1.1 * body_size:
        return True
    is_body = first.size >= 0.95 * body_size
    is_fact = _SENTENCE.search(first.text) or re.search(r"\w: +\w", first.text)
    return is_body and (is_near or first.is_bold or is_fact is not None)


def contents_note(lines: Sequence[str], *, page: int, num_pages: int) -> Note | None:
    """A note if a page is one of a table of contents: dot leaders to numbers that go up."""
    dotted = [re.search(r"(?:\.\s*){4,}", line) is not None for line in lines]
    ends = [re.search(r"(?:(?:\.\s*){4,}|\s)(\d{1,4}|[ivxlc]{1,7})$", line) for line in lines]
    numbers = [int(end[1]) for end in ends if end and end[1].isdigit()]
    listed = sum(end is not None or dots for end, dots in zip(ends, dotted, strict=True))
    if len(lines) < 8 or listed <= 0.6 * len(lines) or sum(dotted) <= 0.3 * len(lines):
        return None
    rising = sum(a <= b for a, b in pairwise(numbers))
    if rising < 0.9 * (len(numbers) - 1) or max(numbers, default=0) > 2 * num_pages + 50:
        return None
    return Note("page of contents left out", f"{lines[0][:80]} (page {page})")
