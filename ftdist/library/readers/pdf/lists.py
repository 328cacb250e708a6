"""Which lines of a page begin items of lists; pure functions.

A sign or number at the start of a line is a mark only beside other marks of its kind, or if the
lines below it are indented: "31. December" on a wrapped line is text, "- 5 mm" is a number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ftdist.library.readers.pdf.words import TextLine

_BULLET = re.compile(
    r"[\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219\u00b7\u25a0\u25a1\u25b6\u25ba\u2192"
    r"\u27a2\u2713\u2714\u2756\uf0b7\uf0a7\uf0d8]\s*(?=\S)"
)
_SIGN = re.compile(r"([-*+\u2013\u2014])\s+(?=\S)")
_ORDERED = re.compile(r"(?:(\[)(\d{1,3})(\])|(\(?)(\d{1,3}|[a-zA-Z]|[ivxIVX]{2,5})([.)]))\s+(?=\S)")
_ROMAN = ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii"]
_MAX_APART = 60
"""Lines between two items of a list."""

_MAX_SIGNS_APART = 12
_SAME_LEFT = 3.0
_QUANTITY = re.compile(
    r"[\d.,]+ ?(?:\u00b0|\u2103|%|K\b|[munk]?[VAWNm]\b|cm\b|k?Hz\b|dB|bar\b|k?Pa\b|psi\b|[mk]?g\b)"
)
"""A number with a unit, which may be negative."""


@dataclass(frozen=True)
class Mark:
    """How a line begins that may be an item."""

    length: int
    """Characters of the mark and the space after it; 0: the mark is a sign and part of the text."""

    kind: str
    """Marks of one list have the same."""

    values: tuple[int, ...] = ()
    """What an ordered mark may stand for; "i." is 9 and 1."""

    text: str = ""
    """Of an ordered item, the mark."""


def find_marks(lines: Sequence[TextLine]) -> dict[int, Mark]:
    """Indices of lines that begin an item, to their marks.

    Marks before numbers beside each other are signs, of length 0, unless others of their list
    stand before words, as in "- 2 screws, - a key".
    """
    marks = {i: mark for i, line in enumerate(lines) if (mark := _read_mark(line.text))}
    signed = {i for i, mark in marks.items() if _is_signed_number(lines[i].text, mark)}
    found = {
        i: mark
        for i, mark in marks.items()
        if mark.kind == "bullet"
        or _has_neighbour(i, lines, marks=marks)
        or (i not in signed and _hangs(i, lines, marks=marks))
    }
    for i in signed & found.keys():
        is_list = any(j not in signed and found[j].kind == found[i].kind for j in found)
        if not is_list or _QUANTITY.match(lines[i].text, found[i].length):
            found[i] = replace(found[i], length=0)
    return found


def is_bullet(text: str) -> bool:
    """Whether a text is a bullet alone."""
    return len(text) == 1 and _BULLET.match(f"{text}x") is not None


def _read_mark(text: str) -> Mark | None:
    if match := _BULLET.match(text):
        return Mark(match.end(), "bullet")
    if match := _SIGN.match(text):
        return Mark(match.end(), match[1])
    match = _ORDERED.match(text)
    if match is None:
        return None
    before, value, after = (match[i] or match[i + 3] or "" for i in (1, 2, 3))
    lower = value.lower()
    values = [int(value)] if value.isdigit() else []
    values += [ord(lower) - 96] if len(lower) == 1 and lower.isalpha() else []
    values += [_ROMAN.index(lower)] if lower in _ROMAN else []
    case = "1" if value.isdigit() else "a" if value.islower() else "A"
    return Mark(match.end(), f"{before}{case}{after}", tuple(values), match[0].strip())


def _is_signed_number(text: str, mark: Mark) -> bool:
    """Whether a sign stands before a number, as in "+ 3 mm"."""
    return not mark.values and mark.kind != "bullet" and text[mark.length].isdigit()


def _has_neighbour(at: int, lines: Sequence[TextLine], *, marks: dict[int, Mark]) -> bool:
    """Whether the item before or after it in the list is there."""
    mark, line = marks[at], lines[at]
    near = [
        i
        for i in marks
        if i != at
        and abs(i - at) <= _MAX_APART
        and marks[i].kind == mark.kind
        and _is_same_list(lines[i], line)
    ]
    if mark.values:
        steps = {(1 if i > at else -1, value) for i in near for value in marks[i].values}
        return any((way, value + way) in steps for value in mark.values for way in (1, -1))
    return any(abs(i - at) <= _MAX_SIGNS_APART for i in near)


def _is_same_list(line: TextLine, other: TextLine) -> bool:
    """Whether two marks, or the texts after them, are at one position of a page or column."""
    step, width = line.indent - other.indent, line.mark_width - other.mark_width
    return min(abs(step), abs(step + width), abs(line.left - other.left)) <= _SAME_LEFT


def _hangs(at: int, lines: Sequence[TextLine], *, marks: dict[int, Mark]) -> bool:
    """Whether the next line is indented to the text after the mark."""
    if at + 1 >= len(lines) or at + 1 in marks:
        return False
    line, after = lines[at], lines[at + 1]
    is_indented = abs(after.indent - line.indent - line.mark_width) < 0.5 * line.size
    return is_indented and line.mark_width > 0 and after.column == line.column
