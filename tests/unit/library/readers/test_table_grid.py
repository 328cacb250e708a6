"""Tables with spans read as grids."""

from hypothesis import given
from hypothesis import strategies as st

from ftdist.library.readers.table_grid import Cell, to_grid

H = "header"


def header(text: str, *, rows: int = 1, columns: int = 1) -> Cell:
    return Cell(text, rows=rows, columns=columns, is_header=True)


@st.composite
def spans(draw: st.DrawFn) -> tuple[list[list[Cell]], list[list[str]]]:
    """A table's cells, and its grid: the first row and column have no spans."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    grid = [["" for _ in range(width)] for _ in range(height)]
    rows: list[list[Cell]] = [[] for _ in range(height)]
    for y in range(height):
        for x in range(width):
            if grid[y][x]:
                continue
            down = right = 1
            if x and y:
                down = draw(st.integers(1, height - y))
                free = next((i for i in range(x, width) if grid[y][i]), width)
                right = draw(st.integers(1, free - x))
            text = f"{y},{x}"
            for i in range(y, y + down):
                for j in range(x, x + right):
                    grid[i][j] = text
            to_end = y + down == height and draw(st.booleans())
            rows[y].append(Cell(text, rows=0 if to_end else down, columns=right))
    return rows, grid


@given(spans())
def test_any_grid_written_with_spans_is_read_back(
    table: tuple[list[list[Cell]], list[list[str]]],
) -> None:
    cells, grid = table
    rows, has_header = to_grid(cells)
    assert [list(row) for row in rows] == grid
    assert not has_header


def test_two_rows_of_headers_become_one() -> None:
    rows, has_header = to_grid(
        [
            [header("Mode", rows=2), header("Pressure", columns=2)],
            [header("min"), header("max")],
            [Cell("Eco"), Cell("1 bar"), Cell("4 bar")],
            [Cell("Boost"), Cell("6 bar", columns=2)],
        ]
    )
    assert has_header
    assert rows == (
        ("Mode", "Pressure min", "Pressure max"),
        ("Eco", "1 bar", "4 bar"),
        ("Boost", "6 bar", "6 bar"),
    )


def test_a_header_above_a_group_of_rows_is_no_column_s() -> None:
    rows, has_header = to_grid(
        [
            [header("Part"), header("Torque")],
            [header("Models from 2030", columns=2)],
            [Cell("Plug"), Cell("25 Nm")],
        ]
    )
    assert has_header
    assert rows[:2] == (("Part", "Torque"), ("Models from 2030", "Models from 2030"))


def test_a_table_of_headers_only_has_one_row_of_them() -> None:
    assert to_grid([[header("A"), header("B")], [header("1"), header("2")]]) == (
        (("A", "B"), ("1", "2")),
        True,
    )


def test_spans_beyond_the_table_add_nothing() -> None:
    rows, _ = to_grid([[Cell("a", rows=9), Cell("b", columns=9)], [Cell("c")], []])
    assert rows == (("a", "b"), ("a", "c"))


def test_short_rows_are_filled() -> None:
    rows, _ = to_grid([[Cell("a"), Cell("b")], [Cell("c")]])
    assert rows == (("a", "b"), ("c", ""))
