"""Tables with ruling lines in both directions: grids of cells from crossing lines.

Pure functions. `unruled_tables` finds tables with lines between rows only; text in columns without
any lines is read as text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

NEAR = 2.5
"""Points within which borders are the same: lines have a width, and are drawn cell by cell."""

_MAX_RULES = 4000
"""A page with more lines is a drawing."""

MAX_CELL = 0.4
"""Share of a page that a cell may take; a larger one is a frame around the text."""

_MIN_FILLED = 0.3
"""Share of a table's cells that contain text; the grid of a chart has less."""


@dataclass(frozen=True, order=True)
class RuledLine:
    """A straight line; coordinates in points, from the page's lower left corner."""

    is_horizontal: bool
    position: float
    """y of a horizontal line, x of a vertical one."""

    start: float
    end: float
    is_edge: bool = False
    """Whether it bounds an area, such as the shading behind a code listing."""

    @classmethod
    def from_points(
        cls, first: tuple[float, float], last: tuple[float, float], *, is_edge: bool
    ) -> Self | None:
        """The line between two points; None if it is slanted or too short."""
        (left, bottom), (right, top) = first, last
        width, height = abs(right - left), abs(top - bottom)
        if min(width, height) > NEAR / 2 or max(width, height) <= NEAR:
            return None
        if width > height:
            return cls(True, (bottom + top) / 2, min(left, right), max(left, right), is_edge)
        return cls(False, (left + right) / 2, min(bottom, top), max(bottom, top), is_edge)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Borders of rows and columns; positions that no line separates are one cell."""

    lefts: npt.NDArray[np.float64]
    """Borders of columns, one more than columns, from the left."""

    tops: npt.NDArray[np.float64]
    """Borders of rows, one more than rows, from the top."""

    cells: npt.NDArray[np.int64]
    """int64[rows, columns]: the cell, named by its first position in row order; -1: a frame."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top."""
        left, right, top, bottom = (
            float(edge) for edges in (self.lefts, self.tops) for edge in edges[[0, -1]]
        )
        return left, bottom, right, top

    def cells_at(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The cell of each point (x, y), or -1."""
        rows, columns = self.cells.shape
        column = np.searchsorted(self.lefts, points[:, 0], side="right") - 1
        row = np.searchsorted(-self.tops, -points[:, 1], side="right") - 1
        is_inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return np.where(is_inside, self.cells[row % rows, column % columns], -1)

    def fill(self, texts: Mapping[int, tuple[str, ...]]) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Rows of lines of text without empty rows and columns; () if it is not a table.

        The text of a cell that spans several rows is in each of them, and in its first column.
        """
        rows, columns = self.cells.shape
        table = [
            [texts.get(row * columns + column, ()) for column in range(columns)]
            for row in range(rows)
        ]
        used = [column for column in range(columns) if any(row[column] for row in table)]
        starts = [row for row in range(rows) if any(table[row])]
        filled = tuple(
            tuple(
                texts.get(int(cell), ())
                if (cell := self.cells[row, column]) % columns == column
                else ()
                for column in used
            )
            for row in starts
        )
        if len(filled) < 2 or len(used) < 2:
            return ()
        cells = [sum(map(bool, table[row])) for row in starts]
        is_sparse = sum(cells) < _MIN_FILLED * len(filled) * len(used)
        is_list = 2 * sum(count > 1 for count in cells) < len(filled)
        return () if is_sparse or is_list else filled


def find_grids(rules: Sequence[RuledLine], *, width: float, height: float) -> list[Grid]:
    """The grids of a page's lines, from the top; `width` and `height` are the page's."""
    if len(rules) > _MAX_RULES:
        return []
    horizontal = merge_rules([rule for rule in rules if rule.is_horizontal])
    vertical = merge_rules([rule for rule in rules if not rule.is_horizontal])
    if len(horizontal) < 2 or len(vertical) < 1:
        return []
    grids = [
        _build_grid(rows, columns, max_area=MAX_CELL * width * height)
        for rows, columns in _connected(horizontal, vertical)
        if len(rows) > 1
    ]
    return sorted(
        (grid for grid in grids if min(grid.cells.shape) > 1 and _has_only_rectangles(grid.cells)),
        key=lambda grid: (-grid.tops[0], grid.lefts[0]),
    )


def _has_only_rectangles(cells: npt.NDArray[np.int64]) -> bool:
    """Whether all cells are rectangles; the areas between the boxes of a drawing are not."""
    for cell in np.unique(cells[cells >= 0]).tolist():
        rows, columns = np.nonzero(cells == cell)
        if len(rows) != (np.ptp(rows) + 1) * (np.ptp(columns) + 1):
            return False
    return True


def merge_rules(rules: Sequence[RuledLine]) -> list[RuledLine]:
    """Lines of one direction, with lines that continue each other merged."""
    positions = _cluster([rule.position for rule in rules])
    moved = [replace(rule, position=_nearest(positions, rule.position)) for rule in rules]
    merged: list[RuledLine] = []
    for rule in sorted(moved, key=lambda rule: (rule.position, rule.start)):
        last = merged[-1] if merged else None
        if last and last.position == rule.position and rule.start <= last.end + NEAR:
            merged[-1] = replace(last, end=max(last.end, rule.end))
        else:
            merged.append(replace(rule, is_edge=False))
    return merged


def _cluster(positions: Sequence[float]) -> npt.NDArray[np.float64]:
    """Sorted positions, with those near each other replaced by their mean."""
    ordered = np.sort(np.array(positions, dtype=np.float64))
    if not len(ordered):
        return ordered
    groups = np.cumsum(np.concatenate([[0], np.diff(ordered) > NEAR]))
    means: npt.NDArray[np.float64] = np.bincount(groups, weights=ordered) / np.bincount(groups)
    return means


def _nearest(positions: npt.NDArray[np.float64], position: float) -> float:
    return float(positions[np.abs(positions - position).argmin()])


def _connected(
    horizontal: Sequence[RuledLine], vertical: Sequence[RuledLine]
) -> Iterator[tuple[list[RuledLine], list[RuledLine]]]:
    """Groups of horizontal and vertical lines that are connected by crossing or touching."""
    across, down = _arrays(horizontal), _arrays(vertical)
    meets = (
        (across[1][:, None] <= down[0] + NEAR)
        & (across[2][:, None] >= down[0] - NEAR)
        & (down[1] <= across[0][:, None] + NEAR)
        & (down[2] >= across[0][:, None] - NEAR)
    )
    group = np.arange(len(horizontal))
    while True:
        of_vertical = np.where(meets, group[:, None], len(group)).min(axis=0)
        grown = np.where(meets, of_vertical, group[:, None]).min(axis=1)
        if (grown == group).all():
            break
        group = grown
    for first in np.unique(group[meets.any(axis=1)]).tolist():
        rows = np.flatnonzero(group == first)
        columns = np.flatnonzero(meets[rows].any(axis=0))
        yield [horizontal[i] for i in rows.tolist()], [vertical[i] for i in columns.tolist()]


def _arrays(rules: Sequence[RuledLine]) -> npt.NDArray[np.float64]:
    return np.array([(rule.position, rule.start, rule.end) for rule in rules]).T


def _build_grid(
    horizontal: Sequence[RuledLine], vertical: Sequence[RuledLine], *, max_area: float
) -> Grid:
    """The grid of connected lines; a table may have no lines at its left and right edges."""
    ends = [end for rule in horizontal for end in (rule.start, rule.end)]
    lefts = _cluster([*(rule.position for rule in vertical), *ends])
    ends = [end for rule in vertical for end in (rule.start, rule.end)]
    tops = _cluster([*(rule.position for rule in horizontal), *ends])[::-1]
    rows, columns = len(tops) - 1, len(lefts) - 1
    middles = (tops[:-1] + tops[1:]) / 2
    walls = np.zeros((rows, columns + 1), dtype=np.bool_)
    for rule in vertical:
        index = int(np.abs(lefts - rule.position).argmin())
        walls[:, index] |= (rule.start < middles) & (middles < rule.end)
    middles = (lefts[:-1] + lefts[1:]) / 2
    floors = np.zeros((rows + 1, columns), dtype=np.bool_)
    for rule in horizontal:
        index = int(np.abs(tops - rule.position).argmin())
        floors[index] |= (rule.start < middles) & (middles < rule.end)
    cells = _join_open(walls, floors)
    areas = np.outer(tops[:-1] - tops[1:], np.diff(lefts))
    sizes = np.bincount(cells.ravel(), weights=areas.ravel(), minlength=cells.size)
    return Grid(lefts=lefts, tops=tops, cells=np.where(sizes[cells] > max_area, -1, cells))


def _join_open(
    walls: npt.NDArray[np.bool_], floors: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Positions that no line separates, named by the first of them."""
    is_open_right, is_open_below = ~walls[:, 1:-1], ~floors[1:-1]
    cells = np.arange(len(walls) * floors.shape[1]).reshape(len(walls), floors.shape[1])
    while True:
        before = cells.copy()
        for a, b, is_open in (
            (cells[:, :-1], cells[:, 1:], is_open_right),
            (cells[:-1], cells[1:], is_open_below),
        ):
            lowest = np.minimum(a, b)
            np.copyto(a, np.minimum(a, lowest), where=is_open)
            np.copyto(b, np.minimum(b, lowest), where=is_open)
        if (cells == before).all():
            return cells
