"""Tables with cells that span rows and columns, as grids in which such cells are repeated."""

from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.library.schema import BadRowError

MAX_COLUMNS = 1000
"""As many columns may a cell span in HTML."""

MAX_CELLS = 1_000_000
"""Of a table, with the places that its cells span."""

Grid = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Cell:
    """A cell, once for all rows and columns that it spans."""

    text: str
    rows: int = 1
    """How many rows it spans; 0: all that follow."""

    columns: int = 1
    is_header: bool = False


def to_grid(rows: Sequence[Sequence[Cell]]) -> tuple[Grid, bool]:
    """Rows of texts, all equally long, and whether the first names the columns.

    A cell that spans several rows and columns is repeated in each. Rows and columns in which no
    cell begins are left out. Several rows of headers become one.
    """
    placed = _place(rows)
    columns = sorted({start for row in placed for start, starts in row if starts})
    grid = [
        ({column: cell for (column, _), cell in row.items()}, any(starts for _, starts in row))
        for row in placed
    ]
    lines = [[cells.get(column) for column in columns] for cells, has_start in grid if has_start]
    headers = count_header_rows(rows)
    headers = min(headers, 1) if headers == len(rows) else headers
    texts = [tuple("" if cell is None else cell.text for cell in line) for line in lines]
    if headers > 1:
        joined = tuple(_join(column) for column in zip(*texts[:headers], strict=True))
        texts = [joined, *texts[headers:]]
    return tuple(texts), headers > 0


def count_header_rows(rows: Sequence[Sequence[Cell]]) -> int:
    """How many rows at the top name the columns."""
    count = 0
    for row in _place(rows):
        line = [cell for _, cell in sorted(row.items(), key=lambda item: item[0])]
        cells = [cell for cell in line if cell.text]
        is_group = count > 0 and len({id(cell) for cell in cells}) == 1 and len(cells) > 1
        are_headers = all(cell.is_header or not cell.text for cell in line[:1]) and all(
            cell.is_header for cell in line[1:]
        )
        if not cells or not are_headers or is_group:
            break
        count += 1
    return count


_Placed = dict[tuple[int, bool], Cell]
"""The cells of a row by their column, and whether they begin there."""


def _place(rows: Sequence[Sequence[Cell]]) -> list[_Placed]:
    placed: list[_Placed] = []
    above: dict[int, tuple[int, Cell]] = {}
    left = MAX_CELLS
    for number, cells in enumerate(rows):
        line: _Placed = {(column, False): cell for column, (_, cell) in above.items()}
        taken = set(above)
        column = 0
        for cell in cells:
            while column in taken:
                column += 1
            last = len(rows) - 1 if cell.rows == 0 else number + max(1, cell.rows) - 1
            for offset in range(max(1, min(cell.columns, MAX_COLUMNS))):
                if column + offset in taken:
                    break
                taken.add(column + offset)
                line[column + offset, offset == 0] = cell
                above[column + offset] = (last, cell)
            column += max(1, min(cell.columns, MAX_COLUMNS))
        left -= len(line)
        if left < 0:
            reason = f"has a table of more than {MAX_CELLS} cells"
            raise BadRowError(reason, "Remove it, or write it as CSV.")
        above = {column: (last, cell) for column, (last, cell) in above.items() if last > number}
        placed.append(line)
    return placed


def _join(texts: Sequence[str]) -> str:
    """The headers of a column from top to bottom, each once."""
    unique: list[str] = []
    for text in texts:
        if text and text not in unique:
            unique.append(text)
    return " ".join(unique)
