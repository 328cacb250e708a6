"""Tables of text that fit a terminal: without borders, one line per row."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

GAP = 2
"""Blanks between two columns."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table."""

    name: str
    is_number: bool = False
    """Whether its cells are aligned right."""

    drop: int = 0
    """Columns with a higher value are left out first where the table is too wide; 0: never."""

    min_width: int | None = None
    """How far its cells may be cut; None: not at all."""


def fit(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], *, width: int | None
) -> list[Text]:
    """A header and a line for each row, of at most `width` cells.

    Empty columns are left out. Where the table is too wide, columns are dropped or cut as they
    allow. A row with fewer cells than columns ends early.

    Args:
        columns: from left to right.
        rows: cells, in the order of the columns.
        width: of the terminal; None: without limit.
    """
    table = [[Text(column.name, style="bold") for column in columns], *map(list, rows)]
    used = _used(rows, len(columns))
    while True:
        widths = _widths(table, used)
        over = 0 if width is None else sum(widths.values()) + GAP * (len(used) - 1) - width
        droppable = [index for index in used if columns[index].drop]
        if over <= 0 or not droppable:
            break
        used.remove(max(droppable, key=lambda index: columns[index].drop))
    for index in used:
        least = columns[index].min_width
        if over > 0 and least is not None:
            cut = min(over, max(0, widths[index] - least))
            widths[index] -= cut
            over -= cut
    return [_line([(columns[i], row[i], widths[i]) for i in used if len(row) > i]) for row in table]


def natural_width(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> int:
    """How wide a table is from which nothing is dropped or cut."""
    used = _used(rows, len(columns))
    table = [[Text(column.name) for column in columns], *map(list, rows)]
    return sum(_widths(table, used).values()) + GAP * (len(used) - 1)


def _used(rows: Sequence[Sequence[Text]], count: int) -> list[int]:
    """Indices of the columns with any text."""
    return [i for i in range(count) if any(len(row) > i and row[i].plain for row in rows)]


def _widths(table: Sequence[Sequence[Text]], used: Sequence[int]) -> dict[int, int]:
    return {i: max(cell_len(row[i].plain) for row in table if len(row) > i) for i in used}


def _line(cells: Sequence[tuple[Column, Text, int]]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for index, (column, cell, width) in enumerate(cells):
        text = shorten(cell, width)
        blanks = " " * (width - cell_len(text.plain))
        last = index == len(cells) - 1
        line.append(" " * GAP if index else "")
        line.append_text(Text(blanks) + text if column.is_number else text)
        line.append("" if column.is_number or last else blanks)
    line.rstrip()
    return line


def shorten(text: Text, width: int) -> Text:
    """The text, cut to a width with an ellipsis if it is longer."""
    if cell_len(text.plain) <= width:
        return text
    return Text(set_cell_size(text.plain, max(0, width - 1)) + "…", style=text.style)
