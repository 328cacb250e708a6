"""What pdfium knows of a page: words with position and font, straight lines, pictures."""

import ctypes
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from ftdist.library.readers.pdf.ruled_tables import NEAR, RuledLine
from ftdist.library.readers.pdf.words import Word

_MONOSPACED = re.compile(r"mono|courier|consola|typewriter|cmtt|txtt|menlo|ttf?\d*$", re.IGNORECASE)
_BOLD_WEIGHT = 600
_MIN_LETTERS = 6
"""Different letters that show whether a font is monospaced."""

_MAX_GAP = 0.5
"""Gap within a word, in font sizes; pdfium writes no space between text of two columns."""

_MAX_BREAK_GAP = 0.08
"""The same where pdfium writes a line break."""

_MIN_SPACE = 0.17
"""Smallest width of a space, in font sizes, beyond the usual gap between letters."""

_HYPHENS = dict.fromkeys("\x02\ufffe\u2010\u2011", "-")
"""pdfium replaces the hyphen at the end of a line by a control character."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""


@dataclass(frozen=True)
class Turn:
    """Quarter turns that make text horizontal; coordinates then start at the lower left corner."""

    quarters: int
    area: Box
    """The visible part of the page, before turning."""

    @property
    def size(self) -> Point:
        """Width and height after turning."""
        width, height = self.area[2] - self.area[0], self.area[3] - self.area[1]
        return (height, width) if self.quarters % 2 else (width, height)

    def point(self, x: float, y: float) -> Point:
        """A point after turning."""
        left, bottom, right, top = self.area
        match self.quarters:
            case 1:
                return y - bottom, right - x
            case 2:
                return right - x, top - y
            case 3:
                return top - y, x - left
        return x - left, y - bottom

    def box(self, box: Box) -> Box:
        """A rectangle after turning."""
        xs, ys = zip(self.point(*box[:2]), self.point(*box[2:]), strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True)
class _Font:
    name: str
    size: float
    quarters: int
    is_mono: bool
    is_bold: bool
    origin: Point


_Char = tuple[str, Box, _Font]


def read_words(page: Any, textpage: Any) -> list[tuple[Turn, list[Word]]]:
    """The words of a page by the direction in which they run, the commonest direction first."""
    area: Box = page.get_cropbox(fallback_ok=True)
    read = list(_split_words(textpage))
    monospaced = _monospaced_fonts(char for _, chars in read for char in chars)
    words: dict[int, list[Word]] = {}
    for number, (is_glued, chars) in enumerate(read):
        font = chars[0][2]
        turn = Turn(font.quarters, area)
        lefts, bottoms, rights, tops = zip(*(box for _, box, _ in chars), strict=True)
        left, _, right, _ = turn.box((min(lefts), min(bottoms), max(rights), max(tops)))
        word = Word(
            text=_CONTROL.sub("", "".join(char for char, _, _ in chars)),
            left=left,
            right=right,
            baseline=turn.point(*font.origin)[1],
            size=font.size,
            is_mono=font.is_mono or font.name in monospaced,
            is_bold=font.is_bold,
            number=number,
            is_glued=is_glued,
        )
        width, height = turn.size
        is_visible = word.right > 0 and word.left < width and 0 < word.baseline < height
        if word.text and is_visible:
            words.setdefault(font.quarters, []).append(word)
    length = {quarters: sum(len(word.text) for word in each) for quarters, each in words.items()}
    return [(Turn(each, area), words[each]) for each in sorted(length, key=length.__getitem__)][
        ::-1
    ]


def _monospaced_fonts(chars: Iterable[_Char]) -> set[str]:
    """Names of fonts whose letters are all equally wide."""
    widths: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for char, box, font in chars:
        if "a" <= char <= "z":
            axis = font.quarters % 2
            widths[font.name][char] = (box[axis + 2] - box[axis]) / font.size
    return {
        name
        for name, each in widths.items()
        if len(each) >= _MIN_LETTERS and max(each.values()) - min(each.values()) < 0.02
    }


def _split_words(textpage: Any) -> Iterator[tuple[bool, list[_Char]]]:
    """Characters of each word, in the order of the content; whether no space precedes it."""
    word: list[_Char] = []
    is_glued = is_break = False
    for char in _read_chars(textpage):
        if char == "\n":
            is_break = True
            continue
        if isinstance(char, str) or (word and is_break and not _follows(word[-1], char)):
            yield from _split_at_spaces(word, is_glued=is_glued)
            word, is_glued = [] if isinstance(char, str) else [char], False
        elif word and not is_break and _is_apart(word[-1], char):
            yield from _split_at_spaces(word, is_glued=is_glued)
            word, is_glued = [char], True
        else:
            word.append(char)
        is_break = False
    yield from _split_at_spaces(word, is_glued=is_glued)


def _split_at_spaces(chars: list[_Char], *, is_glued: bool) -> Iterator[tuple[bool, list[_Char]]]:
    """Words in text without spaces, by gaps much wider than the others; pdfium overlooks some."""
    if not chars:
        return
    axis, sign = chars[0][2].quarters % 2, -1 if chars[0][2].quarters > 1 else 1
    end, start = (axis + 2, axis) if sign > 0 else (axis, axis + 2)
    gaps = [
        sign * (after[start] - before[end]) / font.size
        for (_, before, font), (_, after, _) in pairwise(chars)
    ]
    usual = median(gaps) if len(gaps) > 1 else _MAX_GAP
    starts = [i for i, gap in enumerate(gaps, 1) if gap > max(usual, 0.0) + _MIN_SPACE]
    for first, last in pairwise([0, *starts, len(chars)]):
        yield is_glued and first == 0, chars[first:last]


def _gap(last: _Char, char: _Char) -> float:
    """Distance from a character to the next along their direction."""
    (_, before, font), (_, after, _) = last, char
    axis = font.quarters % 2
    return before[axis] - after[axis + 2] if font.quarters > 1 else after[axis] - before[axis + 2]


def _is_apart(last: _Char, char: _Char) -> bool:
    """Whether two characters in a row are on other lines, or a step back or a gap is between.

    A table's word is in the cell in which it starts: one that is too long for its cell crosses the
    border, and may overlap the next cell's text.
    """
    (_, before, font), (text, _, other) = last, char
    if font is not other:
        across = 0 if font.quarters % 2 else 1
        shift = abs(font.origin[across] - other.origin[across])
        if font.quarters != other.quarters or shift > 0.08 * max(font.size, other.size):
            return True
    gap, back = _gap(last, char), _gap(char, last)
    if unicodedata.bidirectional(text) in ("R", "AL"):
        return max(gap, back) > _MAX_GAP * font.size
    axis = font.quarters % 2
    is_back = gap < before[axis] - before[axis + 2] - NEAR
    return is_back or gap > _MAX_GAP * font.size


def _follows(last: _Char, char: _Char) -> bool:
    """Whether a character stands right behind another on its line.

    Where each character is drawn on its own, pdfium puts a line break after each.
    """
    font, other = last[2], char[2]
    across = 1 - font.quarters % 2
    shift = abs(font.origin[across] - other.origin[across])
    if font.quarters != other.quarters or shift > 0.08 * font.size:
        return False
    return -0.25 * font.size <= _gap(last, char) <= _MAX_BREAK_GAP * font.size


def _read_chars(textpage: Any) -> Iterator[_Char | str]:
    """The characters of a page; a string for whitespace, a line feed for a line break."""
    text: str = textpage.get_text_range()
    count = textpage.count_chars()
    if len(text) != count:  # characters outside the BMP: indices would be off
        text = "".join(chr(pdfium.FPDFText_GetUnicode(textpage, i)) for i in range(count))
    rect, font = pdfium.FS_RECTF(), None
    last_edges: tuple[float, ...] = ()
    for i, char in enumerate(text):
        if char.isspace():
            yield "\n" if char in "\r\n" else " "
            continue
        pdfium.FPDFText_GetLooseCharBox(textpage, i, rect)
        box = (rect.left, rect.bottom, rect.right, rect.top)
        across = (1, 3) if font is None or font.quarters % 2 == 0 else (0, 2)
        edges = tuple(round(box[edge], 1) for edge in across)
        if font is None or edges != last_edges:
            font = _read_font(textpage, i)
        last_edges = edges
        yield _HYPHENS.get(char, char), box, font


def _read_font(textpage: Any, index: int) -> _Font:
    """The font of the character at an index of the page's text."""
    buffer, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(textpage, index, buffer, 128, flags)
    name = buffer.value.decode("utf-8", errors="replace")
    weight = pdfium.FPDFText_GetFontWeight(textpage, index)
    matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetMatrix(textpage, index, matrix)
    pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
    scale = math.hypot(matrix.c, matrix.d) or 1.0
    return _Font(
        name=name,
        size=round(pdfium.FPDFText_GetFontSize(textpage, index) * scale, 1),
        quarters=round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4,
        is_mono=bool(flags.value & 1) or _MONOSPACED.search(name) is not None,
        is_bold=weight >= _BOLD_WEIGHT or "bold" in name.lower(),
        origin=(x.value, y.value),
    )


def read_pictures(page: Any, turn: Turn) -> list[Box]:
    """Rectangles of the pictures on a page, those behind its text left out."""
    width, height = turn.size
    boxes = []
    for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4):
        box = turn.box(image.get_bounds())
        if (box[2] - box[0]) * (box[3] - box[1]) < 0.5 * width * height:
            boxes.append(box)
    return boxes


def read_rules(page: Any, turn: Turn) -> Iterator[RuledLine]:
    """The straight lines that are drawn on a page, edges of rectangles included."""
    for shape in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4):
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDFPath_GetDrawMode(shape, fill, stroke)
        if not (fill.value or stroke.value):
            continue
        matrix, form = shape.get_matrix(), shape.container
        while form is not None:
            matrix, form = matrix.multiply(form.get_matrix()), form.container
        lines = [(turn.point(*a), turn.point(*b)) for a, b in _segments(shape, matrix)]
        points = np.array(lines).reshape(-1, 2)
        is_edge = bool(lines) and float(np.ptp(points, axis=0).min()) > NEAR
        yield from filter(None, (RuledLine.from_points(*ends, is_edge=is_edge) for ends in lines))


def _segments(shape: Any, matrix: Any) -> Iterator[tuple[Point, Point]]:
    """The straight segments of a shape, from point to point on the page."""
    first = last = (0.0, 0.0)
    x, y = ctypes.c_float(), ctypes.c_float()
    for number in range(pdfium.FPDFPath_CountSegments(shape)):
        segment = pdfium.FPDFPath_GetPathSegment(shape, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = matrix.on_point(x.value, y.value)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_LINETO:
            yield last, point
        first = point if kind == pdfium.FPDF_SEGMENT_MOVETO else first
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield point, first
        last = point
