"""Cells of a sheet that Excel shows, and which of them belong together."""

from bisect import bisect
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.worksheet.worksheet import Worksheet

from ftdist.library.readers.inline import lowered, raised
from ftdist.library.readers.office.number_format import shown

_MAX_MERGED = 100_000
"""Cells that merged cells may cover in all."""


@dataclass(frozen=True)
class ShownCell:
    """A cell as text."""

    text: str = ""
    is_text: bool = True
    is_bold: bool = False


Row = tuple[int, int, dict[int, ShownCell]]
"""Number of a row, its number among those shown, and its cells by column, counted likewise."""


def shown_rows(sheet: Worksheet) -> tuple[list[Row], int]:
    """The rows that are not hidden, and how many rows and columns are.

    Merged cells stand in every place that they cover.
    """
    hidden_rows = {number for number, row in sheet.row_dimensions.items() if row.hidden}
    hidden_columns = {
        number
        for column in sheet.column_dimensions.values()
        if column.hidden
        for number in range(column.min, column.max + 1)
    }
    cells: dict[int, dict[int, ShownCell]] = {}
    # In place of iter_rows, which makes a cell for each place up to the last row and column.
    for (row, column), cell in sheet._cells.items():
        own = _shown_cell(cell)
        if own.text:
            cells.setdefault(row, {})[column] = own
    _repeat_merged(sheet, cells)
    used_columns = {column for row in cells.values() for column in row}
    left_out = len(hidden_rows & cells.keys()) + len(hidden_columns & used_columns)
    row_ranks = _ranks(cells.keys(), hidden=hidden_rows)
    column_ranks = _ranks(used_columns, hidden=hidden_columns)
    rows = [
        (row, rank, {column_ranks[c]: cell for c, cell in cells[row].items() if c in column_ranks})
        for row, rank in row_ranks.items()
    ]
    return [row for row in rows if row[2]], left_out


def _ranks(numbers: Collection[int], *, hidden: Collection[int]) -> dict[int, int]:
    """Numbers of what is shown, and how many are shown up to each."""
    above = sorted(hidden)
    return {n: n - bisect(above, n) for n in sorted(numbers) if n not in hidden}


def _repeat_merged(sheet: Worksheet, cells: dict[int, dict[int, ShownCell]]) -> None:
    left = _MAX_MERGED
    for merged in sheet.merged_cells.ranges:
        own = cells.get(merged.min_row, {}).get(merged.min_col)
        left -= merged.size["rows"] * merged.size["columns"]
        if own is None or left < 0:
            continue
        for row in range(merged.min_row, merged.max_row + 1):
            for column in range(merged.min_col, merged.max_col + 1):
                cells.setdefault(row, {})[column] = own


def _shown_cell(cell: Any) -> ShownCell:
    """A cell's value in its number format; raised text as such, struck-out text left out."""
    value = cell.value
    if value is None:
        return ShownCell()
    font = cell.font
    runs = value if isinstance(value, CellRichText) else [shown(value, cell.number_format)]
    text = ""
    for run in runs:
        text += _run_text(run, font=font, before=text)
    lines = (" ".join(line.split()) for line in text.strip().split("\n"))
    is_text = isinstance(value, str | CellRichText)
    return ShownCell(text="\n".join(lines), is_text=is_text, is_bold=bool(font and font.b))


def _run_text(run: Any, *, font: Any, before: str) -> str:
    if isinstance(run, TextBlock):
        run, font = run.text, run.font
    if font is not None and font.strike:
        return ""
    position = getattr(font, "vertAlign", None) if font is not None else None
    if position == "superscript":
        return raised(str(run), before=before)
    return lowered(str(run), before=before) if position == "subscript" else str(run)


def regions(rows: list[Row]) -> Iterator[list[tuple[int, list[ShownCell]]]]:
    """Rows between empty rows, cut between empty columns, with their empty cells."""
    group: list[Row] = []
    for row in rows:
        if group and row[1] > group[-1][1] + 1:
            yield from _side_by_side(group)
            group = []
        group.append(row)
    if group:
        yield from _side_by_side(group)


def _side_by_side(group: list[Row]) -> Iterator[list[tuple[int, list[ShownCell]]]]:
    columns = sorted({column for *_, cells in group for column in cells})
    starts = [0, *(i for i in range(1, len(columns)) if columns[i] > columns[i - 1] + 1)]
    for start, end in zip(starts, [*starts[1:], len(columns)], strict=True):
        own = columns[start:end]
        table = [
            (row, [cells.get(column, ShownCell()) for column in own]) for row, _, cells in group
        ]
        yield [(row, cells) for row, cells in table if any(cell.text for cell in cells)]
