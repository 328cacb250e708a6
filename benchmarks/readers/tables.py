"""Tables in a text (pipes, tabs, or aligned columns), and what stands under a heading."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.readers.normalise import one_line

_CELL = re.compile(r"\S+(?: \S+)*")


@dataclass(frozen=True)
class _Cell:
    text: str
    start: int
    end: int


def holds_row(lines: Sequence[str], pairs: Mapping[str, str]) -> bool:
    """Whether a row has each value under its heading, or a line names each heading and its value.

    Args:
        lines: of `plain_lines`.
        pairs: a value for each heading.
    """
    piped = any(_row_in_grid(grid, pairs) for grid in [*_grids(lines, "|"), *_grids(lines, "\t")])
    return piped or _row_in_columns(lines, pairs) or any(_in_line(line, pairs) for line in lines)


def _grids(lines: Sequence[str], mark: str) -> Iterator[list[list[str]]]:
    """Runs of lines with that mark, cut into cells."""
    grid: list[list[str]] = []
    for line in [*lines, ""]:
        if mark in line:
            bare = line.strip().removeprefix("|").removesuffix("|") if mark == "|" else line
            grid.append([one_line(cell) for cell in bare.split(mark)])
        elif grid:
            yield grid
            grid = []


def _row_in_grid(grid: Sequence[Sequence[str]], pairs: Mapping[str, str]) -> bool:
    return any(
        all(_under(grid[:at], cells, heading, value) for heading, value in pairs.items())
        for at, cells in enumerate(grid)
    )


def _under(above: Sequence[Sequence[str]], cells: Sequence[str], heading: str, value: str) -> bool:
    """Whether one of the cells is the value and stands in a column of that heading."""
    for column, cell in enumerate(cells):
        if _without_bullets(cell) != _without_bullets(value):
            continue
        headings = [_spanning(line, column) for line in above[:2] if column < len(line)]
        headings += [line[column] for line in above[2:] if column < len(line)]
        joined = " ".join(dict.fromkeys(headings[:2]))
        if any(_same_words(heading, each) for each in (*headings, joined)):
            return True
    return False


def _spanning(line: Sequence[str], column: int) -> str:
    """A heading, or the one that spans an empty cell from the left."""
    return next((cell for cell in line[column::-1] if cell), "")


def _without_bullets(cell: str) -> str:
    return " ".join(word for word in cell.split() if word not in ("-", "*", "\u2022"))


def _same_words(one: str, other: str) -> bool:
    return re.findall(r"[^\W_]+", one.casefold()) == re.findall(r"[^\W_]+", other.casefold())


def _row_in_columns(lines: Sequence[str], pairs: Mapping[str, str]) -> bool:
    """The same for columns set apart by two blanks; a cell belongs to the heading over it."""
    cut = [
        [_Cell(one_line(cell[0]), cell.start(), cell.end()) for cell in _CELL.finditer(line)]
        for line in lines
    ]
    for at, cells in enumerate(cut):
        if len(cells) < 2 or not all(
            any(cell.text == value for cell in cells) for value in pairs.values()
        ):
            continue
        above = cut[max(0, at - 60) : at]
        if all(_column_of(above, cells, heading, value) for heading, value in pairs.items()):
            return True
    return False


def _column_of(
    above: Sequence[Sequence[_Cell]], cells: Sequence[_Cell], heading: str, value: str
) -> bool:
    for line in above:
        for number, head in enumerate(line):
            if len(line) < 2 or not _same_words(head.text, heading):
                continue
            until = line[number + 1].start if number + 1 < len(line) else 10**6
            mine = [cell for cell in cells if cell.text == value]
            if any(
                head.start - 1 <= cell.start < until
                or (cell.start < head.end and head.start < cell.end)
                for cell in mine
            ):
                return True
    return False


def _in_line(line: str, pairs: Mapping[str, str]) -> bool:
    """Whether a line has "heading: value" for each."""
    flat = one_line(line)
    return all(
        re.search(rf"(?<!\w){re.escape(heading)}\s*[:=]\s*{re.escape(value)}(?!\w)(?![.,]\d)", flat)
        for heading, value in pairs.items()
    )
