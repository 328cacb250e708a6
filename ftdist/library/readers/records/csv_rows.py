"""CSV files: header, separator and quotes as programs write them; a doubtful row is a bad row."""

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.library.readers.rows.values import shown, standard_key
from ftdist.library.schema import BadRowError, Note

_SEPARATORS = ",;\t|"
_MAX_FIELD = 64 * 2**20
_MAX_TITLES = 10
"""Lines in which the header is looked for."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>[^\n"])"?[ \t]*\n', re.IGNORECASE)
_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_UNCLOSED = "unexpected end of data"


@dataclass(frozen=True)
class _Layout:
    separator: str
    start: int
    """Where the header begins in the text."""

    line: int
    """Number of lines before it."""


def read_csv(
    text: str, *, header: Collection[str], notes: list[Note]
) -> Iterator[tuple[int, dict[str, Any] | BadRowError]]:
    """Numbered rows by the names of their columns; a row that cannot be read is a BadRowError.

    Args:
        text: of the file, with line feeds.
        header: names of columns, in snake case, by which the header is recognised.
        notes: receives the notes.

    Raises:
        BadRowError: the header cannot be used.
    """
    csv.field_size_limit(_MAX_FIELD)
    layout = _find_header(text, names=header, notes=notes)
    body = _unescaped(text[layout.start :], layout.separator, notes=notes)
    reader = _reader(body, layout.separator)
    columns = _columns(reader)
    number = 0
    while True:
        first = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            lines = (layout.line + first + 1, layout.line + reader.line_num)
            yield number, _quote_error(error, lines=lines)
            if _UNCLOSED in str(error):
                reason = f"follows a quote that is never closed (line {lines[0]})"
                rest = [line for line in body.split("\n")[first + 1 :] if line.strip()]
                yield from (
                    (number + at, BadRowError(reason, _REMEDY_QUOTE))
                    for at in range(1, len(rest) + 1)
                )
            continue
        number += bool(cells)
        if any(cell.strip() for cell in cells):
            yield number, _row(cells, columns=columns)


_REMEDY_QUOTE = 'Write "" for a quote inside a quoted cell.'


def _reader(text: str, separator: str) -> Any:
    lines = io.StringIO(text, newline="")  # splits at line feeds only, not at other separators
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)


def _unescaped(body: str, separator: str, *, notes: list[Note]) -> str:
    r"""A text that writes a quote as `\"`, with `""` in its place, if that alone makes it valid."""
    if '\\"' not in body or _is_valid(body, separator):
        return body
    unescaped = body.replace('\\"', '""')
    if not _is_valid(unescaped, separator):
        return body
    notes.append(Note("quotes escaped with backslashes read as quotes"))
    return unescaped


def _is_valid(text: str, separator: str) -> bool:
    try:
        for _ in _reader(text, separator):
            pass
    except csv.Error:
        return False
    return True


def _find_header(text: str, *, names: Collection[str], notes: list[Note]) -> _Layout:
    """Where the header is: the first line with a known name and more cells than those before it.

    Without such a line it is the first one that is not empty.
    """
    start = line = 0
    given = _SEPARATOR_LINE.match(text)
    if given:
        start, line = given.end(), 1
    separators = given["separator"] if given else _SEPARATORS
    first: _Layout | None = None
    titles: list[str] = []
    widest = 0
    for row in text[start:].split("\n", _MAX_TITLES)[:_MAX_TITLES]:
        known, width, separator = max(_split(row, mark, names=names) for mark in separators)
        layout = _Layout(separator, start, line)
        if known and width > widest:
            notes += [Note("line before the header left out", shown(title)) for title in titles]
            return layout
        if width:
            first = first or layout
            titles.append(row)
        widest = max(widest, width)
        start, line = start + len(row) + 1, line + 1
    return first or _Layout(separators[0], start, line)


def _split(row: str, separator: str, *, names: Collection[str]) -> tuple[int, int, str]:
    """How many cells of a row are known names, and how many are filled, with a separator."""
    cells: list[str] = next(csv.reader([row], delimiter=separator, skipinitialspace=True), [])
    filled = [cell for cell in cells if cell.strip()]
    return sum(standard_key(cell) in names for cell in filled), len(filled), separator


def _columns(reader: Any) -> list[str]:
    """The names of the columns; those without one get their number.

    Raises:
        BadRowError: two columns have the same name, or the header is not valid CSV.
    """
    try:
        cells: list[str] = next(reader, [])
    except csv.Error as error:
        raise _quote_error(error, lines=(1, reader.line_num)) from error
    columns = [cell.strip() or f"column {at}" for at, cell in enumerate(cells, start=1)]
    double = [name for name, count in Counter(map(standard_key, columns)).items() if count > 1]
    if double:
        raise BadRowError(f"has two columns {double[0]!r}", "Remove or rename one of them.")
    return columns


def _row(cells: Sequence[str], *, columns: Sequence[str]) -> dict[str, Any] | BadRowError:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return BadRowError(
            "has more cells than the header", "Quote cells that contain the separator."
        )
    return {name: _value(cell) for name, cell in zip(columns, cells, strict=False)}


def _value(cell: str) -> str:
    """A cell's text; `="00123"`, with which spreadsheets keep zeros, without the formula."""
    formula = _FORMULA.fullmatch(cell.strip())
    return formula[1].replace('""', '"') if formula else cell


def _quote_error(error: csv.Error, *, lines: tuple[int, int]) -> BadRowError:
    first, last = lines
    where = f"line {last}" if first >= last else f"lines {first} to {last}"
    if _UNCLOSED in str(error):
        return BadRowError(f"opens a quote that is never closed (line {first})", _REMEDY_QUOTE)
    if "expected after" in str(error):
        return BadRowError(f"has text after a closing quote ({where})", _REMEDY_QUOTE)
    return BadRowError(f"is not valid CSV ({error}, {where})", "Save it as CSV again.")
