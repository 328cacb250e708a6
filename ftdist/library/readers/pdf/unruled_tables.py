"""Tables with lines between rows only: columns are found from the gaps between words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ftdist.library.readers.pdf.ruled_tables import MAX_CELL, NEAR, Grid, RuledLine, merge_rules

Boxes = npt.NDArray[np.float64]
"""float64[n, 4]: left, bottom, right and top of each word."""

_MIN_COLUMN_GAP = 8.0
"""Points of the gap between two columns without a line between them."""

_MAX_HEADING_ROWS = 2
"""Rows of headings above a body without lines between its rows."""

_MIN_BODY_LINES = 3
"""Lines of text in such a body; fewer may be one wrapped row."""


@dataclass(frozen=True)
class Ladder:
    """Three or more horizontal lines of one width."""

    left: float
    right: float
    tops: tuple[float, ...]
    """Their y coordinates, from the top."""


def find_ladders(rules: Sequence[RuledLine], *, grids: Sequence[Grid]) -> list[Ladder]:
    """Lines that may separate the rows of tables, other than those inside `grids`."""
    left = [
        rule
        for rule in merge_rules([rule for rule in rules if rule.is_horizontal and not rule.is_edge])
        if not any(grid.tops[-1] - NEAR <= rule.position <= grid.tops[0] + NEAR for grid in grids)
    ][::-1]
    ladders: list[Ladder] = []
    while left:
        first = left[0]
        rungs = [
            rule
            for rule in left
            if max(abs(rule.start - first.start), abs(rule.end - first.end)) <= NEAR
        ]
        left = [rule for rule in left if rule not in rungs]
        if len(rungs) > 2:
            tops = tuple(rule.position for rule in rungs)
            ladders.append(Ladder(first.start, first.end, tops))
    return ladders


def grids_of_ladder(ladder: Ladder, words: Boxes, *, height: float) -> Iterator[Grid]:
    """The grids of tables that have lines between rows only.

    Lines of one width belong together, from the top, as long as the words between them have column
    gaps in common.

    Args:
        ladder: those lines.
        words: of a page.
        height: of the page.
    """
    middles = (words[:, 0] + words[:, 2]) / 2
    words = words[(middles >= ladder.left) & (middles <= ladder.right)]
    tops = list(ladder.tops)
    while len(tops) > 2:
        end = 1
        while end < len(tops) and _is_row(tops[end - 1 : end + 1], words, page_height=height):
            if len(_column_gaps(_between(words, tops[0], tops[end]))) == 0:
                break
            end += 1
        rows, tops = tops[:end], tops[max(1, end - 1) :]
        if len(rows) < 3:
            continue
        gaps = _column_gaps(_between(words, rows[0], rows[-1]))
        rows = [*_heading_top(rows, words, gaps=gaps), *rows]
        if len(rows) == 3:  # a line below the headings, and none between the rows
            rows[2:2] = _line_tops(_between(words[words[:, 0] < gaps[0]], *rows[1:]))[1:]
        lefts = np.array([words[:, 0].min() - NEAR, *gaps, words[:, 2].max() + NEAR])
        shape = (len(rows) - 1, len(lefts) - 1)
        yield Grid(lefts=lefts, tops=np.array(rows), cells=np.arange(np.prod(shape)).reshape(shape))


def _heading_top(
    rows: Sequence[float], words: Boxes, *, gaps: npt.NDArray[np.float64]
) -> list[float]:
    """The top of the line of headings above the first rule, where there is one; else nothing.

    Args:
        rows: tops of the rows.
        words: of a page, within the width of the table.
        gaps: between its columns.
    """
    above = _between(words, rows[0] + (rows[0] - rows[1]), rows[0])
    table = np.concatenate([above, _between(words, rows[0], rows[-1])])
    columns = set(np.searchsorted(gaps, above[:, 0]).tolist())
    is_heading = len(_line_tops(above)) == 1 and len(columns) == len(gaps) + 1
    if not is_heading or len(_column_gaps(table)) != len(gaps):
        return []
    return [float(above[:, 3].max()) + 1]


def split_last_row(grid: Grid, words: Boxes) -> Grid:
    """A grid whose last row becomes a row per line of text, if all columns have equally many."""
    rows, columns = grid.cells.shape
    body = _between(words, *grid.tops[-2:])
    middles = (body[:, 0] + body[:, 2]) / 2
    lines = [
        _line_tops(body[(middles > left) & (middles < right)])
        for left, right in pairwise(grid.lefts.tolist())
    ]
    counts = {len(tops) for tops in lines}
    if rows > _MAX_HEADING_ROWS + 1 or len(counts) > 1 or min(counts) < _MIN_BODY_LINES:
        return grid
    tops = np.insert(grid.tops, -1, lines[0][1:])
    added = np.arange(rows * columns, (len(tops) - 1) * columns).reshape(-1, columns)
    return Grid(lefts=grid.lefts, tops=tops, cells=np.concatenate([grid.cells, added]))


def _is_row(tops: Sequence[float], words: Boxes, *, page_height: float) -> bool:
    return tops[0] - tops[1] <= MAX_CELL * page_height and len(_between(words, *tops)) > 0


def _between(words: Boxes, top: float, bottom: float) -> Boxes:
    middles = (words[:, 1] + words[:, 3]) / 2
    return words[(middles < top) & (middles > bottom)]


def _column_gaps(words: Boxes) -> npt.NDArray[np.float64]:
    """Middles of the gaps, from the left, that are wide enough to separate columns."""
    ordered = words[np.argsort(words[:, 0])]
    reached = np.maximum.accumulate(ordered[:, 2])[:-1]
    starts = ordered[1:, 0]
    is_gap = starts - reached >= _MIN_COLUMN_GAP
    middles: npt.NDArray[np.float64] = (starts[is_gap] + reached[is_gap]) / 2
    return middles


def _line_tops(words: Boxes) -> list[float]:
    """Top edges of the lines of words, from the top."""
    tops: list[float] = []
    bottom = np.inf
    for _, low, _, high in words[np.argsort(-words[:, 3])].tolist():
        if high <= bottom:
            tops.append(high + 1)
            bottom = low
        bottom = min(bottom, low) if tops and high > bottom else bottom
    return tops
