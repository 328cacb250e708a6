"""Excel workbooks: the tables of each sheet as Excel shows them."""

import re
from pathlib import Path

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.office.xlsx_sheet import ShownCell, regions, shown_rows
from ftdist.library.readers.office.zip_parts import open_zip
from ftdist.library.schema import BadRow, BadRowError, Block, Document, Location, Note

_DEFAULT_NAME = re.compile(r"[^\W\d]+ ?\d+")
_NO_VALUE = re.compile(rb"<f\b[^<>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")
_MIN_REMARK = 40
"""Characters of a text below a table that is no row of it, although nothing is between."""

_SAVE_AGAIN = "Open it in Excel, and save it again."


def read_xlsx(path: Path, *, name: str) -> Document | BadRow:
    """Read the sheets of a workbook that are not hidden.

    Raises:
        BadRowError: it is damaged or too large.
    """
    with open_zip(path) as parts:
        sheets = [parts.read(part) for part in sorted(parts.names) if part.endswith(".xml")]
    missing = sum(len(_NO_VALUE.findall(sheet)) for sheet in sheets)
    try:
        workbook = openpyxl.load_workbook(path, data_only=True, keep_links=False, rich_text=True)
    except Exception as error:  # whatever openpyxl trips over in a damaged file
        message = " ".join(str(error).split()) or type(error).__name__
        raise BadRowError(f"cannot be read as a workbook: {message}", _SAVE_AGAIN) from error
    notes = [Note("formula without a value left out", count=missing)] if missing else []
    visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    hidden = [sheet for sheet in workbook.worksheets if sheet not in visible]
    notes += [Note("hidden sheet left out", sheet.title) for sheet in hidden]
    blocks: list[Block] = []
    for sheet in visible:
        rows, left_out = shown_rows(sheet)
        notes += [Note("hidden row or column left out", sheet.title, left_out)] if left_out else []
        if rows and (len(visible) > 1 or not _DEFAULT_NAME.fullmatch(sheet.title)):
            blocks.append(Block(kind="heading", text=sheet.title, level=2))
        for region in regions(rows):
            blocks += _region_blocks(region, header_rows=_header_rows(sheet))
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    return Document(
        title=str(workbook.properties.title or "").strip() or title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=tuple(notes),
    )


def _header_rows(sheet: Worksheet) -> set[int]:
    """Rows that Excel treats as headings: of tables, of filters, and above a frozen pane."""
    ranges = [table.ref for table in sheet.tables.values() if table.headerRowCount != 0]
    ranges += [sheet.auto_filter.ref] if sheet.auto_filter.ref else []
    rows = {int(re.sub(r"\D", "", reference.partition(":")[0])) for reference in ranges}
    frozen = re.fullmatch(r"[A-Z]+(\d+)", str(sheet.freeze_panes or ""))
    return rows | ({int(frozen[1]) - 1} if frozen else set())


def _region_blocks(
    region: list[tuple[int, list[ShownCell]]], *, header_rows: set[int]
) -> list[Block]:
    """Rows that belong together as a table; titles above and remarks below as paragraphs."""
    above, below = 0, len(region)
    while above < below and _is_line(region[above][1], min_length=0):
        above += 1
    while below > above and _is_line(region[below - 1][1], min_length=_MIN_REMARK):
        below -= 1
    blocks = [_paragraph(cells) for _, cells in region[:above]]
    table = region[above:below]
    if table:
        has_header = table[0][0] in header_rows or _is_header([cells for _, cells in table])
        rows = tuple(tuple(cell.text for cell in cells) for _, cells in table)
        blocks.append(Block(kind="table", text="", rows=rows, has_header=has_header))
    return [*blocks, *(_paragraph(cells) for _, cells in region[below:])]


def _is_line(cells: list[ShownCell], *, min_length: int) -> bool:
    """Whether a row holds one text, in merged cells or, if it is long enough, in the first."""
    texts = [cell.text for cell in cells if cell.text]
    is_merged = len(texts) == len(cells) > 1
    is_first = len(texts) == 1 and len(cells[0].text) > min_length
    return len(set(texts)) == 1 and (is_merged or is_first or len(cells) == 1)


def _is_header(rows: list[list[ShownCell]]) -> bool:
    """Whether the first row names the columns: in bold, or as text above what is none."""
    first, body = rows[0], rows[1:]
    if not body or not all(cell.is_text and cell.text for cell in first):
        return False
    is_bold = all(cell.is_bold for cell in first) and not all(cell.is_bold for cell in body[0])
    has_numbers = any(not cell.is_text for row in body for cell in row)
    are_distinct = len({cell.text for cell in first}) == len(first)
    return are_distinct and (is_bold or has_numbers or len(first) > 2)


def _paragraph(cells: list[ShownCell]) -> Block:
    return Block(kind="paragraph", text=next(cell.text for cell in cells if cell.text))
