"""Tables of printed pages that have lines between their rows only: columns told by the blanks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ftdist.library.readers.pdf.ruled_tables import MAX_CELL, NEAR, Grid, Rule, merged

_COLUMN_GAP = 8.0
"""Points that are blank between two columns, at least, where no line parts them."""


_HEADINGS = 2
"""Rows of headings, at most, above a body that has no lines between its rows."""

_MIN_LINES = 3
"""Lines of such a body, at least: fewer may be one row, wrapped."""


@dataclass(frozen=True)
class Ladder:
    """Level lines of one width, three or more."""

    left: float
    right: float
    tops: tuple[float, ...]
    """Where they are, from the top."""


def ladders(rules: Sequence[Rule], *, beside: Sequence[Grid]) -> list[Ladder]:
    """Lines that may part the rows of tables; those inside the grids `beside` are theirs."""
    level = [
        rule
        for rule in merged([rule for rule in rules if rule.is_level and not rule.is_edge])
        if not any(grid.tops[-1] - NEAR <= rule.at <= grid.tops[0] + NEAR for grid in beside)
    ]
    found: list[Ladder] = []
    while level:
        first, others = level[-1], list[Rule]()
        tops: list[float] = []
        for rule in reversed(level):
            if max(abs(rule.start - first.start), abs(rule.end - first.end)) <= NEAR:
                tops.append(rule.at)
            else:
                others.append(rule)
        level = others[::-1]
        if len(tops) > 2:
            found.append(Ladder(first.start, first.end, tuple(tops)))
    return found


def level_grids(ladder: Ladder, words: npt.NDArray[np.float64], *, height: float) -> Iterator[Grid]:
    """The grids of tables that have lines between rows only.

    Lines of one width belong together from the top as long as what stands between them has blanks
    in common.

    Args:
        ladder: those lines.
        words: of a page, left, bottom, right and top of each.
        height: of the page.
    """
    middles = (words[:, 0] + words[:, 2]) / 2
    words = words[(middles >= ladder.left) & (middles <= ladder.right)]
    tops = list(ladder.tops)
    while len(tops) > 2:
        end = 1
        while end < len(tops) and _is_band(tops[end - 1 : end + 1], words, page=height):
            if len(_gaps(_between(words, tops[0], tops[end]))) == 0:
                break
            end += 1
        rows, tops = tops[:end], tops[max(1, end - 1) :]
        if len(rows) < 3:
            continue
        gaps = _gaps(_between(words, rows[0], rows[-1]))
        if len(rows) == 3:  # a line below the headings, and none between the rows
            rows[2:2] = _line_tops(_between(words[words[:, 0] < gaps[0]], *rows[1:]))[1:]
        lefts = np.array([words[:, 0].min() - NEAR, *gaps, words[:, 2].max() + NEAR])
        shape = (len(rows) - 1, len(lefts) - 1)
        yield Grid(lefts=lefts, tops=np.array(rows), cells=np.arange(np.prod(shape)).reshape(shape))


def with_rows(grid: Grid, words: npt.NDArray[np.float64]) -> Grid:
    """A grid in which the last row, where all its columns have equally many lines, is as many."""
    rows, columns = grid.cells.shape
    body = _between(words, *grid.tops[-2:])
    middles = (body[:, 0] + body[:, 2]) / 2
    lines = [
        _line_tops(body[(middles > left) & (middles < right)])
        for left, right in pairwise(grid.lefts.tolist())
    ]
    counts = {len(tops) for tops in lines}
    if rows > _HEADINGS + 1 or len(counts) > 1 or min(counts) < _MIN_LINES:
        return grid
    tops = np.insert(grid.tops, -1, lines[0][1:])
    more = np.arange(rows * columns, (len(tops) - 1) * columns).reshape(-1, columns)
    return Grid(lefts=grid.lefts, tops=tops, cells=np.concatenate([grid.cells, more]))


def _is_band(tops: Sequence[float], words: npt.NDArray[np.float64], *, page: float) -> bool:
    return tops[0] - tops[1] <= MAX_CELL * page and len(_between(words, tops[0], tops[1])) > 0


def _between(words: npt.NDArray[np.float64], top: float, bottom: float) -> npt.NDArray[np.float64]:
    middles = (words[:, 1] + words[:, 3]) / 2
    return words[(middles < top) & (middles > bottom)]


def _gaps(words: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Middles of the blanks, from the left, that are wide enough to part columns."""
    ordered = words[np.argsort(words[:, 0])]
    reached = np.maximum.accumulate(ordered[:, 2])[:-1]
    starts = ordered[1:, 0]
    is_gap = starts - reached >= _COLUMN_GAP
    middles: npt.NDArray[np.float64] = (starts[is_gap] + reached[is_gap]) / 2
    return middles


def _line_tops(words: npt.NDArray[np.float64]) -> list[float]:
    """Where lines of words begin, from the top."""
    tops: list[float] = []
    bottom = np.inf
    for _, low, _, high in words[np.argsort(-words[:, 3])].tolist():
        if high <= bottom:
            tops.append(high + 1)
            bottom = low
        bottom = min(bottom, low) if tops and high > bottom else bottom
    return tops
