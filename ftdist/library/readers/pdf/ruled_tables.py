"""Ruled tables of printed pages: crossing lines made into grids of cells, pure functions.

A table has lines between its rows at least (`bands` finds those that have no others); text that
stands in columns without any lines is read as text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

NEAR = 2.5
"""Points within which borders are one: rules have a breadth, and are drawn cell by cell."""

_MAX_RULES = 4000
"""A page with more of them is a drawing."""

MAX_CELL = 0.4
"""Share of a page that a cell takes at most: what takes more is a frame around the text."""

_MIN_FILLED = 0.3
"""Share of a table's cells that hold text, at least: a chart's grid is empty."""


@dataclass(frozen=True, order=True)
class Rule:
    """A straight line; places in points, from the page's lower left corner."""

    is_level: bool
    at: float
    """Height of a level line; of an upright one how far to the right."""

    start: float
    end: float
    is_edge: bool = False
    """Whether it bounds an area, such as the shade behind a listing."""

    @classmethod
    def between(
        cls, first: tuple[float, float], last: tuple[float, float], *, is_edge: bool
    ) -> Self | None:
        """The line between two points; None: it is slanted, or too short to part anything."""
        (left, bottom), (right, top) = first, last
        width, height = abs(right - left), abs(top - bottom)
        if min(width, height) > NEAR / 2 or max(width, height) <= NEAR:
            return None
        if width > height:
            return cls(True, (bottom + top) / 2, min(left, right), max(left, right), is_edge)
        return cls(False, (left + right) / 2, min(bottom, top), max(bottom, top), is_edge)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Borders of rows and columns; cells that no line parts are one."""

    lefts: npt.NDArray[np.float64]
    """Borders of columns, one more than columns, from the left."""

    tops: npt.NDArray[np.float64]
    """Borders of rows, one more than rows, from the top."""

    cells: npt.NDArray[np.int64]
    """int64[rows, columns]: the cell that a place belongs to, by its first place; -1: a frame."""

    def cells_at(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Of each point (x, y) its cell, or -1."""
        rows, columns = self.cells.shape
        column = np.searchsorted(self.lefts, points[:, 0], side="right") - 1
        row = np.searchsorted(-self.tops, -points[:, 1], side="right") - 1
        is_inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return np.where(is_inside, self.cells[row % rows, column % columns], -1)

    def filled(self, texts: Mapping[int, str]) -> tuple[tuple[str, ...], ...]:
        """Rows of texts, those and columns without any left out; (): it is no table.

        What stands in a cell of several rows or columns stands in the first of them.
        """
        rows, columns = self.cells.shape
        table = [
            [texts.get(row * columns + column, "") for column in range(columns)]
            for row in range(rows)
        ]
        used = [at for at in range(columns) if any(row[at] for row in table)]
        found = tuple(tuple(row[at] for at in used) for row in table if any(row))
        size = len(found) * len(used)
        is_table = len(found) > 1 and len(used) > 1
        is_filled = sum(cell != "" for row in found for cell in row) >= _MIN_FILLED * size
        is_filled &= 2 * sum(sum(map(bool, row)) > 1 for row in found) >= len(found)
        return found if is_table and is_filled else ()


def grids(rules: Sequence[Rule], *, width: float, height: float) -> list[Grid]:
    """The grids that lines of a page make, from the top; `width` and `height` are the page's."""
    if len(rules) > _MAX_RULES:
        return []
    level = merged([rule for rule in rules if rule.is_level])
    upright = merged([rule for rule in rules if not rule.is_level])
    if len(level) < 2 or len(upright) < 1:
        return []
    found = [
        _grid(rows, columns, most=MAX_CELL * width * height)
        for rows, columns in _connected(level, upright)
        if len(rows) > 1
    ]
    return sorted(
        (grid for grid in found if min(grid.cells.shape) > 1 and _is_of_oblongs(grid.cells)),
        key=lambda grid: (-grid.tops[0], grid.lefts[0]),
    )


def _is_of_oblongs(cells: npt.NDArray[np.int64]) -> bool:
    """Whether each cell is one: between the boxes of a drawing there are other shapes."""
    for cell in np.unique(cells[cells >= 0]).tolist():
        rows, columns = np.nonzero(cells == cell)
        if len(rows) != (np.ptp(rows) + 1) * (np.ptp(columns) + 1):
            return False
    return True


def word_starts(places: npt.NDArray[np.int64], boxes: npt.NDArray[np.float64]) -> list[int]:
    """Where words begin among characters: a word stands whole in the cell in which it begins.

    One that is too long for its cell crosses the border, and may stand on the next cell's text.

    Args:
        places: of the characters in the page's text; what parts words there is no character.
        boxes: left, bottom, right and top of each.
    """
    is_first = np.ones(len(places), dtype=np.bool_)
    back = boxes[1:, 0] < boxes[:-1, 0] - NEAR
    other_line = (boxes[1:, 1] > boxes[:-1, 3]) | (boxes[1:, 3] < boxes[:-1, 1])
    is_first[1:] = (np.diff(places) > 1) | back | other_line
    return np.flatnonzero(is_first).tolist()


def merged(rules: Sequence[Rule]) -> list[Rule]:
    """Lines of one direction, those that go on in each other as one."""
    places = _borders([rule.at for rule in rules])
    by_place: dict[float, list[Rule]] = {}
    for rule in rules:
        by_place.setdefault(float(_nearest(places, rule.at)), []).append(rule)
    found: list[Rule] = []
    for at, beside in sorted(by_place.items()):
        start, end = None, 0.0
        for rule in sorted(beside, key=lambda rule: rule.start):
            if start is not None and rule.start > end + NEAR:
                found.append(Rule(rule.is_level, at, start, end))
                start = None
            start, end = (rule.start, rule.end) if start is None else (start, max(end, rule.end))
        if start is not None:
            found.append(Rule(beside[0].is_level, at, start, end))
    return found


def _borders(places: Sequence[float]) -> npt.NDArray[np.float64]:
    """Places, those that are near each other as one; sorted."""
    ordered = np.sort(np.array(places, dtype=np.float64))
    if not len(ordered):
        return ordered
    groups = np.cumsum(np.concatenate([[0], np.diff(ordered) > NEAR]))
    means: npt.NDArray[np.float64] = np.bincount(groups, weights=ordered) / np.bincount(groups)
    return means


def _nearest(places: npt.NDArray[np.float64], at: float) -> np.float64:
    nearest: np.float64 = places[np.abs(places - at).argmin()]
    return nearest


def _connected(
    level: Sequence[Rule], upright: Sequence[Rule]
) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """Level and upright lines that hang together by crossing or touching each other."""
    across, down = _arrays(level), _arrays(upright)
    meets = (
        (across[1][:, None] <= down[0] + NEAR)
        & (across[2][:, None] >= down[0] - NEAR)
        & (down[1] <= across[0][:, None] + NEAR)
        & (down[2] >= across[0][:, None] - NEAR)
    )
    left = meets.any(axis=1)
    while left.any():
        rows = np.zeros(len(level), dtype=np.bool_)
        rows[left.argmax()] = True
        while True:
            columns = meets[rows].any(axis=0)
            grown = meets[:, columns].any(axis=1)
            if (grown == rows).all():
                break
            rows = grown
        left &= ~rows
        yield (
            [level[at] for at in np.flatnonzero(rows).tolist()],
            [upright[at] for at in np.flatnonzero(columns).tolist()],
        )


def _arrays(rules: Sequence[Rule]) -> npt.NDArray[np.float64]:
    return np.array([(rule.at, rule.start, rule.end) for rule in rules]).T


def _grid(level: Sequence[Rule], upright: Sequence[Rule], *, most: float) -> Grid:
    """The grid of lines that hang together; a table may have no lines at its left and right."""
    ends = [end for rule in level for end in (rule.start, rule.end)]
    lefts = _borders([*(rule.at for rule in upright), *ends])
    ends = [end for rule in upright for end in (rule.start, rule.end)]
    tops = _borders([*(rule.at for rule in level), *ends])[::-1]
    rows, columns = len(tops) - 1, len(lefts) - 1
    walls = np.zeros((rows, columns + 1), dtype=np.bool_)
    for rule in upright:
        middles = (tops[:-1] + tops[1:]) / 2
        at = int(np.abs(lefts - rule.at).argmin())
        walls[:, at] |= (rule.start < middles) & (middles < rule.end)
    floors = np.zeros((rows + 1, columns), dtype=np.bool_)
    for rule in level:
        middles = (lefts[:-1] + lefts[1:]) / 2
        at = int(np.abs(tops - rule.at).argmin())
        floors[at] |= (rule.start < middles) & (middles < rule.end)
    cells = _joined(walls, floors)
    areas = np.outer(tops[:-1] - tops[1:], np.diff(lefts))
    sizes = np.bincount(cells.ravel(), weights=areas.ravel(), minlength=cells.size)
    return Grid(lefts=lefts, tops=tops, cells=np.where(sizes[cells] > most, -1, cells))


def _joined(walls: npt.NDArray[np.bool_], floors: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Places that no line parts, named by the first of them."""
    rows, columns = len(walls), floors.shape[1]
    cells = np.full((rows, columns), -1, dtype=np.int64)
    for first in range(rows * columns):
        if cells[divmod(first, columns)] >= 0:
            continue
        waiting = [divmod(first, columns)]
        while waiting:
            row, column = waiting.pop()
            if cells[row, column] >= 0:
                continue
            cells[row, column] = first
            beside = (
                (row, column + 1, column + 1 < columns and not walls[row, column + 1]),
                (row, column - 1, column > 0 and not walls[row, column]),
                (row + 1, column, row + 1 < rows and not floors[row + 1, column]),
                (row - 1, column, row > 0 and not floors[row, column]),
            )
            waiting += [(down, right) for down, right, is_open in beside if is_open]
    return cells
