"""What pdfium knows of a page: straight lines that are drawn, words with their boxes, fonts."""

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from ftdist.library.readers.pdf.ruled_tables import NEAR, RuledLine

_MONOSPACED = re.compile(r"mono|courier|consola|typewriter|cmtt|txtt|menlo|ttf?\d*$", re.IGNORECASE)
_BOLD_WEIGHT = 600

Point = tuple[float, float]


@dataclass(frozen=True)
class Font:
    """The font of a character."""

    size: float
    is_mono: bool
    is_bold: bool


@dataclass(frozen=True)
class Word:
    """Indices of its characters in the page's text, and where it is on the page."""

    chars: Sequence[int]
    middle: Point
    """Of the first character."""

    box: tuple[float, float, float, float]
    """Left, bottom, right, top."""


def read_font(textpage: Any, index: int) -> Font:
    """The font of the character at an index of the page's text."""
    buffer, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(textpage, index, buffer, 128, flags)
    name = buffer.value.decode("utf-8", errors="replace")
    weight = pdfium.FPDFText_GetFontWeight(textpage, index)
    return Font(
        size=pdfium.FPDFText_GetFontSize(textpage, index),
        is_mono=bool(flags.value & 1) or _MONOSPACED.search(name) is not None,
        is_bold=weight >= _BOLD_WEIGHT or "bold" in name.lower(),
    )


def read_words(textpage: Any, text: str) -> list[Word]:
    """The words of a page."""
    inked = [i for i, char in enumerate(text) if not char.isspace()]
    boxes = np.array([textpage.get_charbox(i) for i in inked]).reshape(-1, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    lows, highs = boxes[:, :2], boxes[:, 2:]
    return [
        Word(
            inked[start:end],
            middle=tuple(middles[start].tolist()),
            box=(*lows[start:end].min(axis=0).tolist(), *highs[start:end].max(axis=0).tolist()),
        )
        for start, end in pairwise([*_word_starts(np.array(inked), boxes), len(inked)])
    ]


def _word_starts(indices: npt.NDArray[np.int64], boxes: npt.NDArray[np.float64]) -> list[int]:
    """Where words start among characters: after whitespace, a step back, or on another line.

    A table's word is in the cell in which it starts: one that is too long for its cell crosses the
    border, and may overlap the next cell's text.
    """
    is_first = np.ones(len(indices), dtype=np.bool_)
    back = boxes[1:, 0] < boxes[:-1, 0] - NEAR
    other_line = (boxes[1:, 1] > boxes[:-1, 3]) | (boxes[1:, 3] < boxes[:-1, 1])
    is_first[1:] = (np.diff(indices) > 1) | back | other_line
    return np.flatnonzero(is_first).tolist()


def read_rules(page: Any) -> Iterator[RuledLine]:
    """The straight lines that are drawn on a page, edges of rectangles included."""
    for shape in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4):
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDFPath_GetDrawMode(shape, fill, stroke)
        if not (fill.value or stroke.value):
            continue
        matrix, form = shape.get_matrix(), shape.container
        while form is not None:
            matrix, form = matrix.multiply(form.get_matrix()), form.container
        lines = list(_segments(shape, matrix))
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
