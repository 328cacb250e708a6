"""Tables in pages: their cells as grids, or as text where a table only lays out the page."""

from collections.abc import Callable, Iterator

from bs4 import Tag

from ftdist.library.readers.markup.tree import (
    ADMONITIONS,
    HEADINGS,
    attribute,
    classes,
    integer,
    is_text,
    spaced_text,
)
from ftdist.library.readers.table_grid import Cell, count_header_rows, to_grid
from ftdist.library.schema import Block

_Rows = list[list[Cell]]
_GROUPS = ("thead", "tbody", "tfoot")


def is_layout(table: Tag) -> bool:
    """Whether a table only lays out the page: it has no headers, and one row, column or text."""
    if attribute(table, "role") in ("presentation", "none"):
        return True
    if table.parent is not None and any(map(ADMONITIONS.match, classes(table.parent))):
        return True
    groups = _groups(table)
    cells = [
        [cell for cell in _cells(row) if spaced_text(cell)] for group in groups for row in group
    ]
    if max(map(len, cells), default=0) <= 1:
        return True
    if any(cell.name == "th" for row in cells for cell in row):
        return False
    is_one_row = sum(map(bool, cells)) == 1
    return is_one_row or table.find(list(HEADINGS)) is not None or _is_mostly_nested(table)


def _is_mostly_nested(table: Tag) -> bool:
    """Whether most words of a table stand in tables within it."""
    inner = [each for each in table("table") if each.find_parent("table") is table]
    words = sum(len(spaced_text(each).split()) for each in inner)
    return 2 * words > len(spaced_text(table).split())


def read_table(table: Tag, *, text: Callable[[Tag], str]) -> Iterator[Block]:
    """A table's caption and grid; a row of one cell stands between the parts of the table.

    Args:
        table: the element.
        text: reads a cell.
    """
    for caption in table.find_all("caption"):
        if caption.find_parent("table") is table:
            yield from _paragraph(" ".join(text(caption).split()))
    rows = _rows(table, text=text)
    width = max(map(len, to_grid(rows)[0]), default=0)
    header: _Rows = []
    part: _Rows = []
    for row in rows:
        if len(row) == 1 and row[0].columns >= width > 1:
            if not row[0].text:
                continue
            if part and count_header_rows(part) == len(part):
                header = part
            else:
                yield from _part(header, part)
                header = header or part[: count_header_rows(part)]
            part = []
            yield from _paragraph(row[0].text)
        else:
            part.append(row)
    yield from _part(header, part)


def _part(header: _Rows, part: _Rows) -> Iterator[Block]:
    """The rows between two that span the table, below the header of the whole table."""
    if not part:
        return
    own = count_header_rows(part)
    rows, has_header = to_grid(part if own else [*header, *part])
    rows = tuple(row for row in rows if any(row))
    if rows:
        yield Block(kind="table", text="", rows=rows, has_header=has_header)


def _paragraph(text: str) -> Iterator[Block]:
    if text.strip():
        yield Block(kind="paragraph", text=text)


def _groups(table: Tag) -> list[list[Tag]]:
    """The rows of a table by group, the head first and the foot last."""
    groups: dict[int, tuple[str, list[Tag]]] = {}
    for row in table.find_all("tr"):
        if row.find_parent("table") is not table:
            continue
        group = row.find_parent(_GROUPS)
        is_own = group is not None and group.find_parent("table") is table
        key, name = (id(group), group.name) if is_own and group is not None else (0, "tbody")
        groups.setdefault(key, (name, []))[1].append(row)
    ordered = sorted(groups.values(), key=lambda group: _GROUPS.index(group[0]))
    return [rows for _, rows in ordered]


def _cells(row: Tag) -> list[Tag]:
    return list(row.find_all(["td", "th"], recursive=False))


def _rows(table: Tag, *, text: Callable[[Tag], str]) -> _Rows:
    rows: _Rows = []
    groups = _groups(table)
    lines = [_cells(row) for group in groups for row in group]
    is_bold = len(lines) > 1 and _is_bold(lines[0]) and not _is_bold(lines[1])
    for group in groups:
        for number, row in enumerate(group):
            is_head = row.find_parent("thead") is not None or (is_bold and not rows)
            left = len(group) - number
            cells = _cells(row)
            rows.append([_cell(tag, text=text, is_head=is_head, left=left) for tag in cells])
    return [row for row in rows if row] if not any(map(_spans_rows, rows)) else rows


def _spans_rows(row: list[Cell]) -> bool:
    return any(cell.rows > 1 for cell in row)


def _is_bold(cells: list[Tag]) -> bool:
    """Whether all words of a row are bold, and none of its cells is a header by name."""
    bold = [cell for cell in cells if spaced_text(cell)]
    return len(bold) > 1 and all(_is_all_bold(cell) for cell in bold)


def _is_all_bold(cell: Tag) -> bool:
    return cell.name == "td" and not any(
        is_text(node) and str(node).strip() and node.find_parent(["b", "strong"]) is None
        for node in cell.descendants
    )


def _cell(tag: Tag, *, text: Callable[[Tag], str], is_head: bool, left: int) -> Cell:
    rows = integer(tag, "rowspan", 1)
    is_row_header = attribute(tag, "scope") in ("row", "rowgroup")
    is_header = is_head or (tag.name == "th" and not is_row_header)
    words = text(tag)
    return Cell(
        " ".join(words.split()) if is_header else words,
        rows=left if rows <= 0 else min(rows, left),
        columns=max(1, integer(tag, "colspan", 1)),
        is_header=is_header,
    )
