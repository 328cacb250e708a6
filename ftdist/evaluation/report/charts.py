"""Draw a run's curves as inline SVG, each with a text summary and a table."""

import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pygal
from pygal.style import Style

from ftdist.io.sampling import evenly_spaced
from ftdist.observe.metrics import HELD_OUT_LOSS, LEARNING_RATE, LOSS, Row, source_loss

# pygal installs an import finder for its plugins in a form that Python has deprecated and warns
# about. No plugin is used here.
sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]

MAX_POINTS = 240
"""Points per curve; longer curves are averaged over neighbouring points."""

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
        averaged: steps averaged per point of the longest curve.
    """

    title: str
    svg: str
    words: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float, tuple[str, ...]], ...]
    averaged: int


def curves(rows: Sequence[Row]) -> list[Chart]:
    """The charts of a run's metrics that exist: loss, loss per source, learning rate."""
    losses = {
        "training": points(rows, LOSS.name),
        "held-out": points(rows, HELD_OUT_LOSS.name),
    }
    found = [chart("Loss, nats a token", losses, logarithmic=True)]
    prefix = source_loss("")
    names = sorted({name for row in rows for name in row if name.startswith(prefix)})
    sources = {name.removeprefix(prefix): points(rows, name) for name in names}
    found.append(chart("Training loss of each source, nats a token", sources, logarithmic=True))
    rates = {"learning rate": points(rows, LEARNING_RATE.name)}
    found.append(chart("Learning rate", rates, logarithmic=False))
    return [drawn for drawn in found if drawn is not None]


def points(rows: Sequence[Row], name: str) -> Points:
    """Step and value of one metric, where it is a finite number."""
    return [
        (row["step"], float(row[name]))
        for row in rows
        if isinstance(row.get(name), int | float) and math.isfinite(row[name])
    ]


def thinned(curve: Points, *, most: int) -> tuple[Points, int]:
    """The curve averaged to at most `most` points, and the number of points in each mean."""
    width = -(-len(curve) // most) or 1
    parts = [curve[start : start + width] for start in range(0, len(curve), width)]
    return [(part[-1][0], statistics.fmean(value for _, value in part)) for part in parts], width


def chart(
    title: str, series: Mapping[str, Points], *, logarithmic: bool = False, x_title: str = "step"
) -> Chart | None:
    """Draw the named curves that have points; `x_title` names the horizontal axis."""
    series = {name: curve for name, curve in series.items() if curve}
    if not series:
        return None
    logarithmic = logarithmic and all(value > 0 for curve in series.values() for _, value in curve)
    drawing = _empty_drawing(x_title, num_curves=len(series))
    if logarithmic:
        # pygal's logarithmic scale would apply to the steps too.
        marks = _decades(series)
        drawing.y_labels = [{"value": math.log10(m), "label": _value_text(m)} for m in marks]
    averaged = 1
    for name, curve in series.items():
        drawn, width = thinned(curve, most=MAX_POINTS)
        averaged = max(averaged, width)
        if logarithmic:
            drawn = [(step, math.log10(value)) for step, value in drawn]
        drawing.add(name, drawn, show_dots=len(drawn) < 10, dots_size=4)
    # A fixed identifier instead of a random one: the same run gives the same bytes.
    drawing.uuid = "-".join(title.lower().replace(",", "").split())
    drawing.add_xml_filter(_strip_styles)
    return Chart(
        title=title,
        svg=drawing.render(is_unicode=True),
        words=". ".join(_curve_text(name, curve, x_title) for name, curve in series.items()) + ".",
        columns=tuple(series),
        rows=_table(series),
        averaged=averaged,
    )


def _empty_drawing(x_title: str, *, num_curves: int) -> Any:
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
        value_formatter=_value_text,
        include_x_axis=False,
        max_scale=7,
    )


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


def _value_text(value: float) -> str:
    # 1.2e-4 and 8e-5, since 0.00012 beside 8e-05 would be hard to compare.
    if 0 < abs(value) < 1e-3:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:.3g}"


def _x_text(x_title: float) -> str:
    return f"{x_title:,.9g}"


def _curve_text(name: str, curve: Points, x_title: str) -> str:
    (first, begin), (last, end) = curve[0], curve[-1]
    if first == last:
        return f"{name}: {_value_text(end)} at {x_title} {_x_text(last)}"
    lowest, least = min(curve, key=lambda point: point[1])
    return (
        f"{name}: from {_value_text(begin)} at {x_title} {_x_text(first)} "
        f"to {_value_text(end)} at {x_title} {_x_text(last)}, "
        f"lowest {_value_text(least)} at {x_title} {_x_text(lowest)}"
    )


def _table(series: Mapping[str, Points]) -> tuple[tuple[float, tuple[str, ...]], ...]:
    """Evenly spaced steps of the longest and the shortest curve, including the last one."""
    longest, shortest = max(series.values(), key=len), min(series.values(), key=len)
    steps = {
        step
        for curve in (longest, shortest)
        for step, _ in evenly_spaced(curve, MAX_ROWS, with_last=True)
    }
    values = {name: dict(curve) for name, curve in series.items()}
    return tuple(
        (step, tuple(_value_text(v[step]) if step in v else "" for v in values.values()))
        for step in sorted(steps)
    )
