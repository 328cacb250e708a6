"""Draw curves as inline SVG, each with a text summary and a table. No torch."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pygal
from pygal.style import Style

from ftdist.io.sampling import evenly_spaced
from ftdist.observe.metrics import STEP, Row

# pygal installs an import finder for its plugins in a form that Python has deprecated and warns
# about. No plugin is used here.
sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]

MAX_POINTS = 240
"""Points per curve; of longer curves, the lowest and the highest of neighbouring points."""

SMALL = 0.01
"""A chart whose values are all smaller writes them with exponents."""

MAX_ROWS = 12
"""Rows of the table under a chart."""

_LEGEND_COLUMNS = 2
_LEGEND_ROW_PX = 24

Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing with its text alternative for screen readers.

    Attributes:
        title: quantity and unit.
        svg: the drawing as markup; the page sets its colours.
        words: first, last and lowest value of each curve.
        columns: names of the curves.
        rows: evenly spaced steps with the value of each curve; "" if it has none.
        bucket: neighbouring points of the longest curve of which two are drawn; 1: all are.
    """

    title: str
    svg: str
    words: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float, tuple[str, ...]], ...]
    bucket: int


def points(rows: Sequence[Row], name: str, *, x: str = STEP.name) -> Points:
    """One metric over another, where it is a finite number."""
    return [
        (row[x], float(row[name]))
        for row in rows
        if isinstance(row.get(name), int | float) and math.isfinite(row[name])
    ]


def downsampled(curve: Points, *, max_points: int) -> tuple[Points, int]:
    """A curve of at most `max_points`: the lowest and the highest of each bucket, and its end.

    A mean would hide spikes.

    Returns:
        The points in their order, and the points per bucket.
    """
    if len(curve) <= max_points:
        return curve, 1
    width = -(-len(curve) // (max_points // 2 - 1))
    drawn: Points = []
    for start in range(0, len(curve), width):
        part = range(start, min(start + width, len(curve)))
        ends = {pick(part, key=lambda n: curve[n][1]) for pick in (min, max)}
        drawn += [curve[n] for n in sorted(ends)]
    return (drawn if drawn[-1] == curve[-1] else [*drawn, curve[-1]]), width


def chart(
    title: str,
    series: Mapping[str, Points],
    *,
    logarithmic: bool = False,
    x_title: str = "step",
    restarts: Sequence[float] = (),
) -> Chart | None:
    """Draw the named curves that have points.

    Args:
        title: quantity and unit.
        series: the curves by name.
        logarithmic: whether the vertical axis is logarithmic, if all values are positive.
        x_title: what the horizontal axis counts.
        restarts: positions of vertical lines.
    """
    series = {name: curve for name, curve in series.items() if curve}
    if not series:
        return None
    logarithmic = logarithmic and all(value > 0 for curve in series.values() for _, value in curve)
    text = _formatter(series)
    drawing = _empty_drawing(x_title, text=text, num_curves=len(series) + bool(restarts))
    if logarithmic:
        # pygal's logarithmic scale would apply to the steps too.
        marks = _decades(series)
        drawing.y_labels = [{"value": math.log10(m), "label": text(m)} for m in marks]
    bucket = 1
    for name, curve in series.items():
        drawn, width = downsampled(curve, max_points=MAX_POINTS)
        bucket = max(bucket, width)
        if logarithmic:
            drawn = [(step, math.log10(value)) for step, value in drawn]
        drawing.add(name, drawn, show_dots=len(drawn) < 10, dots_size=4)
    if restarts:
        lines = _vertical_lines(restarts, series, logarithmic=logarithmic)
        drawing.add("restart", lines, show_dots=False, allow_interruptions=True)
        drawing.add_xml_filter(_mark_restarts(f"serie-{len(series)}"))
    # A fixed identifier instead of a random one: the same run gives the same bytes.
    drawing.uuid = "-".join(f"{title} over {x_title}".lower().replace(",", "").split())
    drawing.add_xml_filter(_strip_styles)
    return Chart(
        title=title,
        svg=drawing.render(is_unicode=True),
        words=". ".join(_curve_text(name, curve, x_title, text) for name, curve in series.items())
        + ".",
        columns=tuple(series),
        rows=_table(series, text),
        bucket=bucket,
    )


def _empty_drawing(x_title: str, *, text: Callable[[float], str], num_curves: int) -> Any:
    # pygal makes room for one row of the legend.
    more_legend = _LEGEND_ROW_PX * (max(0, num_curves - 1) // _LEGEND_COLUMNS)
    return pygal.XY(
        # The page brings the style and the size; there is no script.
        js=[],
        css=[],
        style=Style(label_font_size=13, major_label_font_size=13, legend_font_size=14),
        disable_xml_declaration=True,
        explicit_size=False,
        width=520,
        height=316 + more_legend,
        margin=8,
        margin_bottom=24 + more_legend // 2,
        x_title=x_title,
        show_legend=num_curves > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=_LEGEND_COLUMNS,
        truncate_legend=-1,
        x_value_formatter=_x_text,
        value_formatter=text,
        include_x_axis=False,
        max_scale=7,
    )


def _vertical_lines(
    positions: Sequence[float], series: Mapping[str, Points], *, logarithmic: bool
) -> list[tuple[float | None, float | None]]:
    """Lines from the lowest to the highest value, with gaps between them."""
    values = [value for curve in series.values() for _, value in curve]
    ends = [math.log10(v) if logarithmic else v for v in (min(values), max(values))]
    lines: list[tuple[float | None, float | None]] = []
    for position in positions:
        lines += [(position, ends[0]), (position, ends[1]), (None, None)]
    return lines


def _mark_restarts(class_name: str) -> Callable[[Any], Any]:
    """A filter that gives the lines of restarts a class of their own, for the page's style."""

    def mark(svg: Any) -> Any:
        for group in svg.iter("g"):
            if class_name in group.get("class", "").split():
                group.set("class", f"{group.get('class')} restart")
        return svg

    return mark


def _decades(series: Mapping[str, Points]) -> list[float]:
    """Axis marks at 1 and 3 times each power of ten that enclose the curves."""
    values = [value for curve in series.values() for _, value in curve]
    low, high = (math.floor(math.log10(end)) for end in (min(values), max(values)))
    steps = [factor * 10.0**power for power in range(low, high + 1) for factor in (1, 3)]
    steps.append(10.0 ** (high + 1))
    first = max((n for n, step in enumerate(steps) if step <= min(values)), default=0)
    last = next(n for n, step in enumerate(steps) if step >= max(values))
    return steps[first : last + 1]


def _strip_styles(svg: Any) -> Any:
    """Remove pygal's styles, scripts and comments from a drawing."""
    for child in list(svg):
        if callable(child.tag) or child.tag == "defs":
            svg.remove(child)
    return svg


def _formatter(series: Mapping[str, Points]) -> Callable[[float], str]:
    """One notation for all values of a chart: 0.00012 beside 8e-05 would be hard to compare."""
    largest = max(abs(value) for curve in series.values() for _, value in curve)
    return _exponent_text if largest < SMALL else _decimal_text


def _exponent_text(value: float) -> str:
    if value == 0:
        return "0"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _decimal_text(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):.9f}".rstrip("0").rstrip(".")


def _x_text(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:,.9g}"


def _curve_text(name: str, curve: Points, x_title: str, text: Callable[[float], str]) -> str:
    (first, begin), (last, end) = curve[0], curve[-1]
    if first == last:
        return f"{name}: {text(end)} at {x_title} {_x_text(last)}"
    lowest, least = min(curve, key=lambda point: point[1])
    return (
        f"{name}: from {text(begin)} at {x_title} {_x_text(first)} "
        f"to {text(end)} at {x_title} {_x_text(last)}, "
        f"lowest {text(least)} at {x_title} {_x_text(lowest)}"
    )


def _table(
    series: Mapping[str, Points], text: Callable[[float], str]
) -> tuple[tuple[float, tuple[str, ...]], ...]:
    """Evenly spaced steps of the longest and the shortest curve, including the last one."""
    longest, shortest = max(series.values(), key=len), min(series.values(), key=len)
    steps = {
        step
        for curve in (longest, shortest)
        for step, _ in evenly_spaced(curve, MAX_ROWS, with_last=True)
    }
    values = {name: dict(curve) for name, curve in series.items()}
    return tuple(
        (step, tuple(text(v[step]) if step in v else "" for v in values.values()))
        for step in sorted(steps)
    )
