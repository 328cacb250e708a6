"""Curves of a report: everything drawn lies on the drawing."""

import re

import pytest

from ftdist.observe.charts import Chart, chart, downsampled
from ftdist.observe.training_charts import summary_charts

SOURCES = ("library", "tickets", "replay", "out_of_scope", "manuals", "faq", "general")


def _drawn(count: int) -> Chart:
    curves = {
        name: [(float(step), 2.0 / (step + 1)) for step in range(30)] for name in SOURCES[:count]
    }
    drawn = chart("Loss", curves, logarithmic=True)
    assert drawn is not None
    return drawn


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_every_row_of_the_legend_is_inside_the_drawing(count: int) -> None:
    svg = _drawn(count).svg
    (_, height) = map(float, re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0])
    (top,) = re.findall(r'translate\([\d.]+, ([\d.]+)\)" class="legends"', svg)
    legend = svg[svg.index('class="legends"') :]
    rows = [float(y) for y in re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="12"', legend)]
    assert len(rows) == count
    assert float(top) + max(rows) + 12 <= height


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((8e-5, 1.2e-4, 1e-3, 0.0), ("8e-5", "1.2e-4", "1e-3", "0")),
        ((8e-5, 0.00123, 0.5, 0.0), ("0.00008", "0.00123", "0.5", "0")),
        ((0.5, 123.456, 12345.6), ("0.5", "123", "12,346")),
    ],
)
def test_the_values_of_a_chart_share_one_notation(
    values: tuple[float, ...], texts: tuple[str, ...]
) -> None:
    drawn = chart("Rate", {"rate": [(float(step), v) for step, v in enumerate(values)]})
    assert drawn is not None
    assert tuple(text for _, (text,) in drawn.rows) == texts


def test_long_curves_keep_the_lowest_and_the_highest_of_neighbours() -> None:
    zigzag = [
        (float(step), value) for step, value in enumerate((5.0, 1.0, 9.0, 4.0, 3.0, 8.0, 2.0))
    ]
    assert downsampled(zigzag, max_points=7) == (zigzag, 1)
    drawn, bucket = downsampled(zigzag, max_points=6)
    # Buckets of four: 5 1 9 4 and 3 8 2.
    assert (drawn, bucket) == ([(1.0, 1.0), (2.0, 9.0), (5.0, 8.0), (6.0, 2.0)], 4)


@pytest.mark.parametrize("length", [239, 240, 241, 480, 1001, 100_000])
def test_any_curve_is_drawn_with_a_bounded_number_of_points_and_ends_at_its_end(
    length: int,
) -> None:
    curve = [(float(n), float(n % 7)) for n in range(length)]
    drawn, _ = downsampled(curve, max_points=240)
    assert len(drawn) <= 240
    assert drawn[-1] == curve[-1]
    assert {value for _, value in drawn} >= {0.0, 6.0}


def test_a_chart_says_how_it_was_thinned_out() -> None:
    rows = [{"step": step, "train/loss": float(step)} for step in range(1, 482)]
    loss = summary_charts(rows, kl_sources=())[0]
    assert loss.bucket == 5
    assert loss.rows[0] == (1, ("1",))
    assert loss.rows[-1] == (481, ("481",))


def test_curves_skip_non_finite_values_and_log_scales_skip_zero() -> None:
    rows = [
        {"step": 1, "train/loss": 0.0},
        {"step": 2, "train/loss": float("nan")},
        {"step": 3, "train/loss": 1.0},
    ]
    assert [step for step, _ in summary_charts(rows, kl_sources=())[0].rows] == [1, 3]
    assert summary_charts([], kl_sources=()) == []


def test_restarts_are_vertical_lines_with_gaps_between_them() -> None:
    curve = [(float(step), 1.0 + step) for step in range(10)]
    drawn = chart("Loss", {"training": curve}, restarts=(3.0, 6.0))
    assert drawn is not None
    (lines,) = re.findall(r'class="[^"]*restart[^"]*">(.*?)</g>', drawn.svg, re.DOTALL)[:1]
    paths = re.findall(r'd="M([\d.]+) [\d.]+ L([\d.]+) [\d.]+"', lines)
    assert len(paths) == 2
    assert all(begin == end for begin, end in paths)
    assert paths[0] != paths[1]
    assert drawn.columns == ("training",)
