"""Plots of text: the right dots, the right labels, never wider than asked."""

import math

import pytest
from rich.cells import cell_len

from ftdist.cli.views.plot import Series, plot, sparkline


def line(*points: tuple[float, float], mark: str = "*", is_marked: bool = False) -> Series:
    return Series(points=points, style="", mark=mark, is_marked=is_marked)


def test_a_diagonal_in_ascii() -> None:
    """Three cells by three lines: from the top left to the bottom right."""
    lines = plot([line((0, 3.0), (1, 2.0), (2, 1.0))], width=9, height=3, unicode=False)
    assert [each.plain.rstrip() for each in lines] == [
        "3.00 |*",
        "     | *",
        "1.00 |  *",
        "      0 2",
    ]


def test_a_diagonal_in_braille() -> None:
    """Two by two cells are four by eight dots: two dots down for each one to the right."""
    lines = plot([line((0, 3.0), (3, 1.0))], width=8, height=2, unicode=True)
    bits = [ord(cell) - 0x2800 for each in lines[:2] for cell in each.plain[6:] if cell != " "]
    assert bits[0] & 0x01, "the first dot is at the top left"
    assert bits[-1] & 0x80, "the last dot is at the bottom right"


@pytest.mark.parametrize("width", [20, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_asked(width: int, unicode: bool) -> None:
    points = [(float(step), 5.0 / step + math.sin(step)) for step in range(1, 5000)]
    lines = plot([line(*points)], width=width, height=8, unicode=unicode)
    assert len(lines) == 9
    assert max(cell_len(each.plain) for each in lines) <= width


def test_values_over_several_orders_of_magnitude_are_plotted_logarithmically() -> None:
    """The middle of 100 and 0.01 on such an axis is 1."""
    lines = plot([line((0, 100.0), (1, 0.01))], width=40, height=5, unicode=False)
    labels = [each.plain.split("|")[0].strip() for each in lines[:5]]
    assert labels == ["100.00", "", "1.00", "", "0.01"]
    assert "logarithmic" in lines[-1].plain


def test_points_that_are_not_finite_are_left_out_and_nothing_is_no_plot() -> None:
    points = [(0.0, math.nan), (1.0, math.inf)]
    assert plot([line(*points)], width=40, height=5, unicode=True) == []
    assert plot([], width=40, height=5, unicode=True) == []
    lines = plot([line(*points, (2.0, 1.0))], width=40, height=5, unicode=False)
    assert sum(each.plain.count("*") for each in lines) == 1


def test_marks_are_drawn_over_lines() -> None:
    curve, marks = line((0, 1.0), (9, 1.0)), line((5, 1.0), mark="o", is_marked=True)
    bottom = plot([curve, marks], width=20, height=2, unicode=False)[1].plain
    assert bottom.count("o") == 1
    assert bottom.count("*") == 13, "20 cells, of which 6 are the axis and one is the mark"


def test_sparkline_shows_the_course_of_values() -> None:
    assert sparkline([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], width=8, unicode=True) == "▁▂▃▄▅▆▇█"
    assert len(sparkline([float(n) for n in range(1000)], width=8, unicode=True)) == 8
    assert sparkline([1.0, 2.0], width=8, unicode=False) == ""
    assert sparkline([math.nan], width=8, unicode=True) == ""
