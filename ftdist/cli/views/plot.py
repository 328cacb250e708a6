"""Line plots of text: braille dots, or plain ASCII where the terminal has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

Points = Sequence[tuple[float, float]]
"""x and y, in order of x."""

MIN_RATIO_OF_LOG = 50.0
"""Values that differ by a larger factor are plotted on a logarithmic axis."""

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column."""

_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a plot."""

    points: Points
    style: str
    mark: str
    """A character: of the line in ASCII, and of each point if `is_marked`."""

    is_marked: bool = False
    """Whether its points are single marks instead of a line."""


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """Maps values to dots: x from the left, y from the top."""

    x: tuple[float, float]
    y: tuple[float, float]
    columns: int
    rows: int
    is_log: bool

    def column(self, x: float) -> int:
        low, high = self.x
        return round((x - low) / ((high - low) or 1.0) * (self.columns - 1))

    def row(self, y: float) -> int:
        low, high = map(self._scale, self.y)
        value = (self._scale(y) - low) / ((high - low) or 1.0)
        return round((1.0 - min(1.0, max(0.0, value))) * (self.rows - 1))

    def value(self, row: int) -> float:
        """The y value of a row."""
        low, high = map(self._scale, self.y)
        scaled = high - (high - low) * row / max(1, self.rows - 1)
        return math.exp(scaled) if self.is_log else scaled

    def _scale(self, y: float) -> float:
        return math.log(y) if self.is_log else y


def plot(series: Sequence[Series], *, width: int, height: int, unicode: bool) -> list[Text]:
    """A plot with labelled axes: `height` lines of at most `width` cells, and one for x.

    Later series are drawn over earlier ones. Empty without finite points.

    Args:
        series: what to draw.
        width: in cells, with the labels of the y axis.
        height: in lines, without the labels of the x axis.
        unicode: whether the terminal shows braille.
    """
    points = [p for each in series for p in each.points if all(map(math.isfinite, p))]
    if not points:
        return []
    label_width = max(len(format_value(y)) for _, y in points)
    cells = max(2, width - label_width - 2)
    per_cell = (2, 4) if unicode else (1, 1)
    axes = _axes(points, columns=cells * per_cell[0], rows=height * per_cell[1])
    canvas = [[Text(" ")] * cells for _ in range(height)]
    for each in series:
        dots = _dots(each, axes)
        if each.is_marked or not unicode:
            for column, row in dots:
                cell = Text(each.mark, style=each.style)
                canvas[row // per_cell[1]][column // per_cell[0]] = cell
        else:
            _draw_braille(canvas, dots, style=each.style)
    labelled = {0, height - 1, *([height // 2] if height > 4 else [])}
    lines = []
    for index, cells_of_row in enumerate(canvas):
        value = axes.value(index * per_cell[1] if index < height - 1 else axes.rows - 1)
        label = format_value(value) if index in labelled else ""
        bar = "┤" if unicode else "|"
        line = Text(no_wrap=True).append(f"{label:>{label_width}} {bar}", style="dim")
        lines.append(line + Text("").join(cells_of_row))
    return [*lines, _x_labels(axes, indent=label_width + 2, cells=cells)]


def sparkline(values: Sequence[float], *, width: int, unicode: bool) -> str:
    """The course of some values in one line of at most `width` cells; empty in ASCII."""
    finite = [value for value in values if math.isfinite(value)]
    if not unicode or len(finite) < 2:
        return ""
    count = min(width, len(finite))
    bounds = [len(finite) * index // count for index in range(count + 1)]
    means = [sum(finite[start:end]) / (end - start) for start, end in pairwise(bounds)]
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / ((high - low) or 1.0)
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def format_value(value: float) -> str:
    """A label of an axis: 12.3, 0.0123."""
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def _axes(points: Points, *, columns: int, rows: int) -> _Axes:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    return _Axes(
        x=(min(xs), max(xs)),
        y=(low, high),
        columns=columns,
        rows=rows,
        is_log=low > 0 and high / low > MIN_RATIO_OF_LOG,
    )


def _dots(series: Series, axes: _Axes) -> list[tuple[int, int]]:
    """Columns and rows of a series: one mean per column, joined by vertical lines."""
    sums: dict[int, list[float]] = {}
    for x, y in series.points:
        if math.isfinite(x) and math.isfinite(y):
            sums.setdefault(axes.column(x), []).append(y)
    dots: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for column, ys in sorted(sums.items()):
        here = (column, axes.row(sum(ys) / len(ys)))
        if before is not None and not series.is_marked:
            dots += _between(before, here)
        dots.append(here)
        before = here
    return dots


def _between(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line between two dots, without its ends."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    return [
        (
            round(start[0] + (end[0] - start[0]) * step / steps),
            round(start[1] + (end[1] - start[1]) * step / steps),
        )
        for step in range(1, steps)
    ]


def _draw_braille(canvas: list[list[Text]], dots: Sequence[tuple[int, int]], *, style: str) -> None:
    bits: dict[tuple[int, int], int] = {}
    for column, row in dots:
        cell = (row // 4, column // 2)
        bits[cell] = bits.get(cell, 0) | _DOTS[row % 4][column % 2]
    for (row, column), mask in bits.items():
        below = canvas[row][column].plain
        mask |= ord(below) - 0x2800 if "\u2800" <= below <= "\u28ff" else 0
        canvas[row][column] = Text(chr(0x2800 + mask), style=style)


def _x_labels(axes: _Axes, *, indent: int, cells: int) -> Text:
    first, last = (f"{x:.0f}" for x in axes.x)
    scale = " (logarithmic)" if axes.is_log else ""
    middle = f"step{scale}"
    room = cells - len(first) - len(last)
    text = f"{first}{middle:^{max(0, room)}}{last}" if room > len(middle) + 1 else f"{first} {last}"
    return Text(" " * indent + text, style="dim", no_wrap=True)
