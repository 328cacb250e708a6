"""Reading order of a page: columns are found from the gaps between words; pure functions.

A gap separates columns if the text on both sides of it runs on from line to line, or if the lines
of both sides are not at the same heights. Where neither holds, the gap is one in a table, a form
or a list, which are read line by line. The order in which a page was drawn plays no part.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ftdist.library.readers.pdf.words import Word, group_lines

Boxes = npt.NDArray[np.float64]
"""float64[n, 4]: left, bottom, right and top of each word, table or picture."""

_MIN_GAP = 0.7
_CLEAR_GAP = 1.4
"""Width of a gap between columns, in font sizes; `_CLEAR_GAP` if few lines show it."""

_FEW_LINES = 5
_MAX_TRIES = 40
_MAX_WIDTH = 5000
"""Font sizes across a page; a damaged page may be wider, and has no columns."""

_SENTENCE_END = (".", "!", "?", ":", ";", "\u3002", "\u061f", ".\u201d", ".)", "\u2026")
_MIN_WORDS = 4
"""Words per line in text beside a list, on average; cells of a table have fewer."""

_MIN_FLOW = 0.15
"""Share of lines that run on from the line before, in running text."""


class _Gap(NamedTuple):
    x: float
    bottom: float
    top: float


def order_columns(boxes: Boxes, words: Sequence[Word | None]) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of what each column contains, columns in reading order.

    Args:
        boxes: of words, tables and pictures.
        words: the word of each box; None for a table or a picture.
    """
    yield from _order(np.arange(len(boxes)), boxes, words)


def _order(
    inside: npt.NDArray[np.int64], boxes: Boxes, words: Sequence[Word | None]
) -> Iterator[npt.NDArray[np.int64]]:
    """As `order_columns`, for the boxes with indices `inside`."""
    split = _split(inside, boxes, words)
    if split is None:
        if len(inside):
            yield inside
    else:
        for part in split:
            yield from _order(part, boxes, words)


def _split(
    inside: npt.NDArray[np.int64], boxes: Boxes, words: Sequence[Word | None]
) -> list[npt.NDArray[np.int64]] | None:
    """What is above columns, the columns and what is below them; None if there are none."""
    sizes = [word.size for word in (words[i] for i in inside.tolist()) if word is not None]
    if len(sizes) < 4:
        return None
    em = float(np.median(sizes))
    own = boxes[inside]
    middles = (own[:, :2] + own[:, 2:]) / 2
    for gap in _find_gaps(own, em=em):
        is_between = (middles[:, 1] > gap.bottom) & (middles[:, 1] < gap.top)
        is_left = is_between & (middles[:, 0] < gap.x)
        left, right = inside[is_left], inside[is_between & ~is_left]
        sides = [_Side([words[i] for i in side.tolist()]) for side in (left, right)]
        if not _are_columns(*sides, em=em):
            continue
        rows = _rows_of_cells(*sides)
        if rows:
            bands = np.searchsorted(-np.array(rows), -middles[:, 1])
            is_above, is_below = middles[:, 1] >= gap.top, middles[:, 1] <= gap.bottom
            cells = [
                inside[is_between & (bands == band) & (is_left == side)]
                for band in range(len(rows) + 1)
                for side in (True, False)
            ]
            return [inside[is_above], *cells, inside[is_below]]
        cut = _find_heading(*sides, em=em)
        if cut is not None:
            return [inside[middles[:, 1] >= cut], inside[middles[:, 1] < cut]]
        top = _top_of_columns(*sides, em=em)
        is_above = middles[:, 1] >= min(gap.top, top)
        is_below = middles[:, 1] <= gap.bottom
        columns = [inside[is_left & ~is_above], inside[is_between & ~is_left & ~is_above]]
        return [inside[is_above], *columns, inside[is_below]]
    return None


def _find_gaps(boxes: Boxes, *, em: float) -> list[_Gap]:
    """Gaps with boxes on both sides, the tallest first."""
    found: dict[tuple[float, float], list[float]] = {}
    left, bottom, right, top = boxes.T
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    order = np.argsort(-top)
    width = _MIN_GAP * em
    floor, ceiling = bottom.min() - 1, top.max() + 1
    if right.max() - left.min() > _MAX_WIDTH * em:
        return []
    for x in np.arange(left.min() + em, right.max() - em, width / 3).tolist():
        across = order[(left[order] < x + width) & (right[order] > x)]
        lows = np.concatenate([[ceiling], np.minimum.accumulate(bottom[across])])
        tops = np.concatenate([top[across], [floor]])
        for free in np.flatnonzero(lows - tops > 2 * em).tolist():
            found.setdefault((float(tops[free]), float(lows[free])), []).append(x + width / 2)
    gaps = []
    for (low, high), xs in found.items():
        is_between = (middles[:, 1] > low) & (middles[:, 1] < high)
        for group in np.split(np.array(xs), np.flatnonzero(np.diff(xs) > width) + 1):
            x = float(np.median(group))
            num_left = int((is_between & (middles[:, 0] < x)).sum())
            if num_left >= 2 and int(is_between.sum()) - num_left >= 2:
                gaps.append(_Gap(x, low, high))
    return sorted(gaps, key=lambda gap: gap.bottom - gap.top)[:_MAX_TRIES]


class _Side:
    """What is on one side of a gap."""

    def __init__(self, words: Sequence[Word | None]) -> None:
        own = [word for word in words if word is not None]
        self.lines = group_lines(own)
        self.left = min((word.left for word in own), default=0.0)
        self.right = max((word.right for word in own), default=0.0)
        self.baselines = np.array([line[0].baseline for line in self.lines])
        self.is_mono = 2 * sum(word.is_mono for word in own) > len(own)

    def flows(self) -> bool:
        """Whether lines break in sentences, where the next word does not fit."""
        count = sum(
            runs_on(last, line, right=self.right) and len(last) > 1
            for last, line in pairwise(self.lines)
        )
        return count > 0 and count >= _MIN_FLOW * (len(self.lines) - 1)


def runs_on(last: Sequence[Word], line: Sequence[Word], *, right: float) -> bool:
    """Whether a line goes on with the sentence of the line before, which was full."""
    first = line[0].text
    text = last[-1].text
    if text.endswith(_SENTENCE_END) or last[-1].baseline - line[0].baseline > 2.5 * line[0].size:
        return False
    is_inside = first[0].islower() or (first[0].isalpha() and first[0] == first[0].upper().lower())
    width = line[0].right - line[0].left
    return is_inside and last[-1].right + 0.2 * line[0].size + width > right


def _are_columns(left: _Side, right: _Side, *, em: float) -> bool:
    if min(len(left.lines), len(right.lines)) < 2:
        return False
    gap = right.left - left.right
    few = min(len(left.lines), len(right.lines)) < _FEW_LINES
    if gap < (_CLEAR_GAP if few else _MIN_GAP) * em or left.is_mono or right.is_mono:
        return False
    if left.flows() and right.flows():
        return True
    if not _is_aligned(left, right, em=em):
        return left.flows() or right.flows() or not few
    return (left.flows() and _runs_past(left, right)) or (right.flows() and _runs_past(right, left))


def _runs_past(side: "_Side", other: "_Side") -> bool:
    """Whether the text of one side runs on beside lines of the other, so is none of their cells."""
    beside = [
        runs_on(last, line, right=side.right)
        for last, line in pairwise(side.lines)
        if (abs(other.baselines - line[0].baseline) < 2).any()
    ]
    is_long = sum(map(len, side.lines)) >= _MIN_WORDS * len(side.lines)
    return is_long and sum(beside) > 0.3 * len(beside)


def _is_aligned(left: _Side, right: _Side, *, em: float) -> bool:
    """Whether lines of the side with fewer have lines of the other beside them."""
    fewer, more = sorted((left.baselines, right.baselines), key=len)
    distance = abs(fewer[:, None] - more[None, :]).min(axis=1)
    return float((distance < 0.15 * em).mean()) > 0.7


def _rows_of_cells(left: _Side, right: _Side) -> list[float]:
    """Above what y rows begin, if both sides are cells: gaps on both, then lines at one height."""
    starts = []
    for side in (left, right):
        steps = -np.diff(side.baselines)
        is_wide = steps > 1.25 * np.median(steps)
        starts.append(side.baselines[1:][is_wide])
    if min(map(len, starts)) < 2 or len(starts[0]) != len(starts[1]):
        return []
    if (abs(starts[0] - starts[1]) > 2).any():
        return []
    return [float(y + left.lines[0][0].size) for y in starts[0]]


def _find_heading(left: _Side, right: _Side, *, em: float) -> float | None:
    """Where a heading of both columns is, that stands in the left one: a y above it."""
    for number, line in enumerate(left.lines[1:], start=1):
        high, low = line[0].baseline + 1.3 * em, line[0].baseline - 0.8 * em
        is_bold = all(word.is_bold for word in line) and not left.lines[number - 1][-1].is_bold
        is_apart = left.baselines[number - 1] - line[0].baseline > 1.5 * line[0].size
        if not is_apart or not (is_bold or line[0].size > 1.1 * em):
            continue
        above, below = right.baselines > line[0].baseline, right.baselines < line[0].baseline
        is_free = not ((right.baselines > low) & (right.baselines < high)).any()
        if is_free and above.any() and below.any():
            return float(line[0].baseline + line[0].size)
    return None


def _top_of_columns(left: _Side, right: _Side, *, em: float) -> float:
    """Above what y lines on the right stand alone, such as a date above two columns."""
    above = right.baselines[right.baselines > left.baselines[0] + 0.5 * em]
    if 0 < len(above) < len(right.baselines):
        after = right.baselines[len(above)]
        if above[-1] - after > 2 * em and len(above) <= 2:
            return float(above[-1] - 0.3 * em)
    return np.inf
