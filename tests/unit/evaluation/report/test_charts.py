"""Curves of a report: everything drawn lies on the drawing."""

import re

import pytest

from ftdist.evaluation.report.charts import Chart, chart, curves, thinned

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


def test_small_values_share_one_notation() -> None:
    rates = [(float(step), rate) for step, rate in enumerate((8e-5, 1.2e-4, 1e-3, 0.5, 0.0))]
    drawn = chart("Learning rate", {"rate": rates})
    assert drawn is not None
    assert [values for _, values in drawn.rows] == [
        ("8e-5",),
        ("1.2e-4",),
        ("0.001",),
        ("0.5",),
        ("0",),
    ]


def test_long_curves_are_averaged_with_a_note() -> None:
    rows = [{"step": step, "train/loss": float(step)} for step in range(1, 482)]
    loss = curves(rows)[0]
    assert loss.averaged == 3
    assert loss.rows[0] == (1, ("1",))
    assert loss.rows[-1] == (481, ("481",))
    assert thinned([(1, 2.0), (2, 4.0), (3, 9.0)], most=2) == ([(2, 3.0), (3, 9.0)], 2)


def test_curves_skip_non_finite_values_and_log_scales_skip_zero() -> None:
    rows = [
        {"step": 1, "train/loss": 0.0},
        {"step": 2, "train/loss": float("nan")},
        {"step": 3, "train/loss": 1.0},
    ]
    assert [step for step, _ in curves(rows)[0].rows] == [1, 3]
    assert curves([]) == []
