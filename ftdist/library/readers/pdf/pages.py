"""A page of a PDF: its words, tables and pictures, and its lines in reading order."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ftdist.library.readers.pdf.columns import Boxes, order_columns
from ftdist.library.readers.pdf.drawing import Box, Turn, read_pictures, read_rules, read_words
from ftdist.library.readers.pdf.lists import is_bullet
from ftdist.library.readers.pdf.ruled_tables import Grid, find_grids
from ftdist.library.readers.pdf.running import ZONE, EdgeLine
from ftdist.library.readers.pdf.unruled_tables import find_ladders, grids_of_ladder, split_last_row
from ftdist.library.readers.pdf.words import (
    TextLine,
    Word,
    attach_scripts,
    group_lines,
    join_words,
    split_at_gaps,
)

_PART_GAP = 1.2
"""Gap between parts of a header, such as title and page number, in font sizes."""

_WIDE_GAP = 2.0


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table and where it is."""

    box: Box
    rows: tuple[tuple[tuple[str, ...], ...], ...]
    """The lines of each cell."""

    size: float
    has_bold_header: bool


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is on a page."""

    number: int
    height: float
    words: tuple[Word, ...]
    turned: tuple[tuple[Word, ...], ...]
    """Words that run in other directions, by direction."""

    tables: tuple[Table, ...]
    pictures: tuple[Box, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it has no text."""
        return not self.words and not self.tables

    @property
    def sizes(self) -> Counter[float]:
        """Characters of each font size."""
        sizes = Counter[float]()
        for word in self.words:
            sizes[word.size] += len(word.text)
        for table in self.tables:
            sizes[table.size] += len(_table_text(table))
        return sizes

    def edge_lines(self) -> dict[EdgeLine, Sequence[Word] | Table]:
        """Text near the upper and lower edges, and what it consists of."""
        edges: dict[EdgeLine, Sequence[Word] | Table] = {}
        lines = group_lines(self.words)
        for i, line in enumerate(lines):
            inner = i + 1 if line[0].baseline > self.height / 2 else i - 1
            neighbour = lines[inner][0].baseline if 0 <= inner < len(lines) else np.inf
            for part in split_at_gaps(line, gap=_PART_GAP):
                left, right, bottom = part[0].left, part[-1].right, line[0].baseline
                top = bottom + max(word.size for word in part)
                edge = self._edge_line(
                    join_words(part),
                    (left, bottom, right, top),
                    size=top - bottom,
                    is_bold=all(word.is_bold for word in part),
                    distance=abs(neighbour - bottom) / (top - bottom),
                )
                edges |= {edge: part} if edge else {}
        for table in self.tables:
            edge = self._edge_line(_table_text(table), table.box, size=table.size)
            edges |= {edge: table} if edge else {}
        return edges

    def _edge_line(
        self,
        text: str,
        box: Box,
        *,
        size: float,
        distance: float = np.inf,
        is_bold: bool = False,
    ) -> EdgeLine | None:
        """What is inside a box, if it is near an edge."""
        left, bottom, right, top = box
        is_top = bottom > (1 - ZONE) * self.height
        if not is_top and bottom > ZONE * self.height:
            return None
        if not is_top and top > 1.5 * ZONE * self.height:
            return None
        return EdgeLine(
            text=text,
            page=self.number,
            left=left,
            right=right,
            baseline=bottom - (self.height if is_top else 0.0),
            size=round(size, 1),
            is_top=is_top,
            is_bold=is_bold,
            distance=distance,
        )

    def without(self, parts: Sequence[Sequence[Word] | Table]) -> "Page":
        """The page without words and tables."""
        words = {word for part in parts if not isinstance(part, Table) for word in part}
        tables = [part for part in parts if isinstance(part, Table)]
        return replace(
            self,
            words=tuple(word for word in self.words if word not in words),
            tables=tuple(table for table in self.tables if table not in tables),
        )


def _table_text(table: Table) -> str:
    return " ".join(line for row in table.rows for cell in row for line in cell)


def read_page(page: Any, *, number: int) -> Page:
    """Read a page."""
    textpage = page.get_textpage()
    try:
        directions = read_words(page, textpage)
    finally:
        textpage.close()
    if not directions:
        return Page(number=number, height=1.0, words=(), turned=(), tables=(), pictures=())
    (turn, words), *others = directions
    words = attach_scripts(words)
    tables, used = _read_tables(page, turn, words)
    return Page(
        number=number,
        height=turn.size[1],
        words=tuple(word for word in words if word.number not in used),
        turned=tuple(tuple(attach_scripts(each)) for _, each in others),
        tables=tuple(tables),
        pictures=tuple(read_pictures(page, turn)),
    )


def _read_tables(page: Any, turn: Turn, words: Sequence[Word]) -> tuple[list[Table], Set[int]]:
    """The tables of a page and the numbers of their words."""
    used: set[int] = set()
    tables: list[Table] = []
    boxes = _boxes(words)
    for grid in _find_grids(page, turn, boxes):
        cells: dict[int, list[Word]] = {}
        starts = np.stack([boxes[:, 0] + 1, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1)
        for word, cell in zip(words, grid.cells_at(starts).tolist(), strict=True):
            if cell >= 0 and word.number not in used:
                cells.setdefault(cell, []).append(word)
        texts = {
            cell: tuple(join_words(line) for line in group_lines(each))
            for cell, each in cells.items()
        }
        rows = grid.fill(texts)
        if rows:
            used.update(word.number for each in cells.values() for word in each)
            sizes = Counter(word.size for each in cells.values() for word in each)
            tables.append(
                Table(
                    box=grid.box,
                    rows=rows,
                    size=sizes.most_common(1)[0][0],
                    has_bold_header=_has_bold_header(cells, columns=grid.cells.shape[1]),
                )
            )
    return tables, used


def _find_grids(page: Any, turn: Turn, boxes: Boxes) -> list[Grid]:
    width, height = turn.size
    rules = list(read_rules(page, turn))
    ruled = find_grids(rules, width=width, height=height)
    ladders = find_ladders(rules, grids=ruled)
    unruled = (grid for each in ladders for grid in grids_of_ladder(each, boxes, height=height))
    return [*(split_last_row(grid, boxes) for grid in ruled), *unruled]


def _boxes(words: Sequence[Word]) -> Boxes:
    return np.array([word.box for word in words]).reshape(-1, 4)


def _has_bold_header(cells: dict[int, list[Word]], *, columns: int) -> bool:
    """Whether the first row with text is bold, and the rows after it are not."""
    bold: dict[int, list[bool]] = {}
    for cell, words in sorted(cells.items()):
        bold.setdefault(cell // columns, []).append(words[0].is_bold)
    first, *others = bold.values()
    return all(first) and not all(map(all, others))


def text_lines(page: Page, *, first_column: int) -> Iterator[TextLine]:
    """The lines and tables of a page in reading order."""
    items: list[Word | Table | None] = [*page.words, *page.tables, *[None] * len(page.pictures)]
    boxes = np.array(
        [*(word.box for word in page.words), *(t.box for t in page.tables), *page.pictures]
    ).reshape(-1, 4)
    words = [item if isinstance(item, Word) else None for item in items]
    column = first_column
    for inside in order_columns(boxes, words):
        parts = [items[i] for i in inside.tolist()]
        yield from _lines_of_column(parts, page=page.number, column=column)
        column += 1
    for turned in page.turned:
        yield from _lines_of_column(turned, page=page.number, column=column)
        column += 1


def _lines_of_column(
    parts: Sequence[Word | Table | None], *, page: int, column: int
) -> Iterator[TextLine]:
    words = [part for part in parts if isinstance(part, Word)]
    tables = sorted((p for p in parts if isinstance(p, Table)), key=lambda table: -table.box[3])
    left = min((word.left for word in words), default=0.0)
    for line in _join_bullets(group_lines(words)):
        while tables and tables[0].box[3] > line[0].baseline:
            yield _table_line(tables.pop(0), page=page, column=column)
        letters = Counter[float]()
        for word in line:
            letters[word.size] += 0 if word.shift else len(word.text)
        size = letters.most_common(1)[0][0]
        yield TextLine(
            words=tuple(line),
            page=page,
            column=column,
            column_left=left,
            column_right=max(word.right for word in words if word.size <= 1.1 * abs(size)),
            left=line[0].left,
            right=line[-1].right,
            baseline=line[0].baseline,
            size=size,
            is_mono=sum(len(w.text) for w in line if w.is_mono)
            > 0.85 * sum(len(w.text) for w in line),
            is_bold=all(word.is_bold for word in line),
        )
    for table in tables:
        yield _table_line(table, page=page, column=column)


def _join_bullets(lines: Sequence[list[Word]]) -> Iterator[list[Word]]:
    """Lines with bullets that stand a little higher or lower than their text put on its line."""
    waiting: list[Word] = []
    for line in lines:
        if len(line) == 1 and is_bullet(line[0].text):
            waiting = line
            continue
        if waiting and waiting[0].left < line[0].left:
            distance = waiting[0].baseline - line[0].baseline
            line = [*waiting, *line] if distance < 2 * line[0].size else line
        waiting = []
        yield line


def _table_line(table: Table, *, page: int, column: int) -> TextLine:
    left, bottom, right, _ = table.box
    return TextLine(
        page=page,
        column=column,
        column_left=left,
        column_right=right,
        left=left,
        right=right,
        baseline=bottom,
        size=table.size,
        is_bold=table.has_bold_header,
        rows=table.rows,
    )
