"""Curves of a run as inline SVG, each with words and a table that say the same."""

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

# pygal has every later import of the process ask a finder of its plugins, of a form that Python no
# longer knows and warns of. No plugin is used here.
sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]

MAX_POINTS = 240
"""Of a curve; more are drawn as the mean of neighbours."""

MAX_ROWS = 12
"""Of the table under a chart."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing, and the same for those who cannot see it.

    Attributes:
        title: what is drawn, and its unit.
        svg: the drawing, which is markup, without colours: they are the page's.
        words: where each curve begins and ends.
        columns: names of the curves.
        rows: some steps, and the value of each curve there; "" where it has none.
        averaged: how many steps' mean one point of the longest curve is.
    """

    title: str
    svg: str
    words: str
    columns: tuple[str, ...]
    rows: tuple[tuple[float, tuple[str, ...]], ...]
    averaged: int


def curves(rows: Sequence[Row]) -> list[Chart]:
    """The charts of a run's measurements, of those there are: loss, sources, learning rate."""
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
    """A curve of at most `most` points, each the mean of its neighbours, and of how many."""
    width = -(-len(curve) // most) or 1
    parts = [curve[start : start + width] for start in range(0, len(curve), width)]
    return [(part[-1][0], statistics.fmean(value for _, value in part)) for part in parts], width


def chart(
    title: str, series: Mapping[str, Points], *, logarithmic: bool = False, along: str = "step"
) -> Chart | None:
    """Draw curves by name, of those that have points; `along`: what the horizontal axis is."""
    series = {name: curve for name, curve in series.items() if curve}
    if not series:
        return None
    logarithmic = logarithmic and all(value > 0 for curve in series.values() for _, value in curve)
    drawing = pygal.XY(
        # No script, no style and no size of its own: the page brings what it needs.
        js=[],
        css=[],
        style=Style(label_font_size=13, major_label_font_size=13, legend_font_size=14),
        disable_xml_declaration=True,
        explicit_size=False,
        width=520,
        height=316,
        margin=8,
        margin_bottom=24,
        x_title=along,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        truncate_legend=-1,
        x_value_formatter=_place,
        value_formatter=_short,
        include_x_axis=False,
        max_scale=7,
    )
    if logarithmic:
        # pygal's own logarithm would bend the steps as well.
        marks = _decades(series)
        drawing.y_labels = [{"value": math.log10(m), "label": _short(m)} for m in marks]
    averaged = 1
    for name, curve in series.items():
        drawn, width = thinned(curve, most=MAX_POINTS)
        averaged = max(averaged, width)
        if logarithmic:
            drawn = [(step, math.log10(value)) for step, value in drawn]
        drawing.add(name, drawn, show_dots=len(drawn) < 10, dots_size=4)
    # A mark of its own in place of a random one: the same run gives the same bytes.
    drawing.uuid = "-".join(title.lower().replace(",", "").split())
    drawing.add_xml_filter(_bare)
    return Chart(
        title=title,
        svg=drawing.render(is_unicode=True),
        words=". ".join(_told(name, curve, along) for name, curve in series.items()) + ".",
        columns=tuple(series),
        rows=_table(series),
        averaged=averaged,
    )


def _decades(series: Mapping[str, Points]) -> list[float]:
    """1, 3 and 10 of each power of ten that the curves reach into, and one beyond on each side."""
    values = [value for curve in series.values() for _, value in curve]
    low, high = (math.floor(math.log10(end)) for end in (min(values), max(values)))
    steps = [factor * 10.0**power for power in range(low, high + 1) for factor in (1, 3)]
    steps.append(10.0 ** (high + 1))
    first = max((n for n, step in enumerate(steps) if step <= min(values)), default=0)
    last = next(n for n, step in enumerate(steps) if step >= max(values))
    return steps[first : last + 1]


def _bare(svg: Any) -> Any:
    """A drawing without pygal's own styles and script, and its comments with addresses and date."""
    for child in list(svg):
        if callable(child.tag) or child.tag == "defs":
            svg.remove(child)
    return svg


def _short(value: float) -> str:
    return f"{value:.3g}"


def _place(along: float) -> str:
    return f"{along:,.9g}"


def _told(name: str, curve: Points, along: str) -> str:
    (first, begin), (last, end) = curve[0], curve[-1]
    if first == last:
        return f"{name}: {_short(end)} at {along} {_place(last)}"
    lowest, least = min(curve, key=lambda point: point[1])
    return (
        f"{name}: from {_short(begin)} at {along} {_place(first)} to {_short(end)} at {along} "
        f"{_place(last)}, lowest {_short(least)} at {along} {_place(lowest)}"
    )


def _table(series: Mapping[str, Points]) -> tuple[tuple[float, tuple[str, ...]], ...]:
    """Some steps of the fullest curve and of the rarest, evenly spread, the last one among them."""
    fullest, rarest = max(series.values(), key=len), min(series.values(), key=len)
    steps = {
        step
        for curve in (fullest, rarest)
        for step, _ in evenly_spaced(curve, MAX_ROWS, with_last=True)
    }
    values = {name: dict(curve) for name, curve in series.items()}
    return tuple(
        (step, tuple(_short(v[step]) if step in v else "" for v in values.values()))
        for step in sorted(steps)
    )
