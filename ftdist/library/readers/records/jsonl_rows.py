"""JSON Lines: rows of a file, or of a span of a long one, line by line in bounded memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ftdist.io.compression import DAMAGED, is_compressed, open_data
from ftdist.library.readers.encoding import (
    decode,
    find_mark,
    guess_encodings,
    guess_note,
    refuse_mixed,
)
from ftdist.library.readers.records.table_rows import damaged
from ftdist.library.schema import BadRowError, Note

MAX_LINE = 64 * 2**20
"""Bytes of the longest line that is read; longer ones are skipped."""

_SAMPLE_BYTES = 2**16
_UTF8_MARK = b"\xef\xbb\xbf"

Span = tuple[int, int]
"""First byte, and the one after the last."""


def read_jsonl(
    path: Path,
    *,
    span: Span | None,
    first_row: int,
    encoding: str | None,
    notes: list[Note],
) -> Iterator[tuple[int, Any]]:
    """Numbered rows; a line that cannot be read is replaced by a BadRowError.

    Raises:
        BadRowError: the file is UTF-16 or UTF-32 that cannot be decoded.
    """
    if _is_wide(path):
        with open_data(path) as file:
            text, _ = decode(file.read())
        yield from (
            (row, parse_json(line))
            for row, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        )
        return
    codec: str | None = encoding
    for row, line in _lines(path, span=span, first_row=first_row):
        if isinstance(line, BadRowError):
            yield row, line
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            if codec is None:
                codec = _guess(path) or ""
                notes += (
                    [guess_note(line.decode(codec, "replace"), encoding=codec)] if codec else []
                )
            try:
                text = line.decode(codec or "utf-8")
            except (UnicodeError, LookupError):
                reason = f"is not UTF-8 text (byte {error.start + 1})"
                yield row, BadRowError(reason, "Save it as UTF-8, or set library.encoding.")
                continue
        yield row, parse_json(text)


def parse_json(text: str) -> Any:
    """A JSON value; a BadRowError if the text is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return BadRowError(f"is not valid JSON ({error.msg} at character {error.pos + 1})")
    except (ValueError, RecursionError) as error:  # too many digits, too many brackets
        return BadRowError(f"is not JSON that can be read ({error})")


def _lines(
    path: Path, *, span: Span | None, first_row: int
) -> Iterator[tuple[int, bytes | BadRowError]]:
    """Numbered lines that are not empty."""
    row = first_row
    with open_data(path) as file:
        offset, end = span or (0, None)
        if offset:
            file.seek(offset)
        try:
            while (end is None or offset < end) and (line := file.readline(MAX_LINE)):
                text = line if offset else line.removeprefix(_UTF8_MARK)
                offset += len(line)
                if len(line) == MAX_LINE and not line.endswith(b"\n"):
                    while (rest := file.readline(2**20)) and not rest.endswith(b"\n"):
                        offset += len(rest)
                    offset += len(rest)
                    reason = f"is longer than {MAX_LINE >> 20} MiB"
                    yield row, BadRowError(reason, "Split it, or remove it.")
                elif text.strip():
                    yield row, text
                row += 1
        except DAMAGED as error:
            yield row, damaged(error)


def _is_wide(path: Path) -> bool:
    """Whether it is UTF-16 or UTF-32, whose lines are not those of bytes."""
    with open_data(path) as file:
        mark = find_mark(file.read(4))
    return mark is not None and mark[0] != _UTF8_MARK


def _guess(path: Path) -> str | None:
    """The encoding of a file's lines that are not UTF-8; None if the file mixes encodings.

    Every span of the file comes to the same result.
    """
    lines: list[bytes] = []
    size = 0
    with open_data(path) as file:
        is_first = True
        while size < _SAMPLE_BYTES and (line := file.readline(MAX_LINE)):
            if is_first and line.startswith(_UTF8_MARK):
                return None
            is_first = False
            if not line.isascii():
                lines.append(line[:_SAMPLE_BYTES])
                size += len(lines[-1])
    sample = b"".join(lines)
    try:
        refuse_mixed(sample)
    except BadRowError:
        return None
    return next(iter(guess_encodings(sample)), None)


def split_jsonl(path: Path, *, span_bytes: int) -> list[tuple[Span | None, int]]:
    """Spans of a JSONL file that start at lines, each with the number of its first line.

    A file that is compressed, or whose lines are not those of bytes, is one span: None.
    """
    size = path.stat().st_size
    if is_compressed(path) or _is_wide(path):
        return [(None, 1)]
    spans: list[tuple[Span | None, int]] = []
    first, row = 0, 1
    with path.open("rb") as file:
        while first < size:
            end = _next_line(file, first + span_bytes, size=size)
            spans.append(((first, end), row))
            row += _count_lines(file, first, end)
            first = end
    return spans


def _next_line(file: BinaryIO, offset: int, *, size: int) -> int:
    """The first byte after the line that contains byte `offset`."""
    if offset >= size:
        return size
    file.seek(offset)
    while chunk := file.read(2**20):
        newline = chunk.find(b"\n")
        if newline >= 0:
            return file.tell() - len(chunk) + newline + 1
    return size


def _count_lines(file: BinaryIO, first: int, end: int) -> int:
    file.seek(first)
    lines, left = 0, end - first
    while left > 0 and (chunk := file.read(min(left, 2**20))):
        lines += chunk.count(b"\n")
        left -= len(chunk)
    return lines
