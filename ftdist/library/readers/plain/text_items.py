"""Paragraphs and list items in lines of plain text."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from ftdist.library.readers.pdf.hyphens import SUSPENDED
from ftdist.library.readers.plain.text_layout import indent_of, is_forced_break
from ftdist.library.schema import Block
from ftdist.text.qa_marks import starts_marked

_MARK = re.compile(
    r"(?P<mark>[-*+\u2022\u25cf\u25aa\u25e6\u2023\u2013]"
    r"|(?P<open>\(?)(?P<number>\d{1,3}|[A-Za-z]|[ivx]{2,5}|[IVX]{2,5})(?P<close>[.)]))\s+(?=\S)"
)
_ROMAN = {"i": 1, "v": 5, "x": 10}
_HYPHEN_END = re.compile(r"[^\W_]-$")
_SENTENCE_END = re.compile("[.!?:;\u3002\uff1f][\"')\u201d\u00bb]*$")


@dataclass(frozen=True)
class _Mark:
    """The mark that an item may begin with."""

    text: str
    style: str
    """The same for all items of a list."""

    values: tuple[int, ...]
    """What its number or letter counts, in each reading; none: a bullet."""

    indent: int
    end: int
    """Offset of the item's text in its line."""


def starts_item(lines: list[str]) -> bool:
    """Whether the first line begins an item."""
    return 0 in _accepted(lines)


def has_item(lines: list[str]) -> bool:
    """Whether any line begins an item."""
    return bool(_accepted(lines))


def prose_blocks(lines: list[str]) -> list[Block]:
    """Lines of prose as paragraphs and items; a number inside a paragraph stays part of it."""
    marks = _accepted(lines)
    starts = _starts(lines, marks)
    blocks: list[Block] = []
    indents: list[int] = []
    for start, end in pairwise([*starts, len(lines)]):
        first = lines[start]
        if mark := marks.get(start):
            indents = [*(each for each in indents if each < mark.indent), mark.indent]
            first = first[mark.end :]
        text = _joined([first, *lines[start + 1 : end]])
        if mark:
            blocks.append(_item(text, mark, level=len(indents)))
            continue
        is_option = bool(blocks) and blocks[-1].kind == "paragraph" and blocks[-1].text[0] == "-"
        if is_option and _deepens(lines, start) > 0:
            blocks[-1] = replace(blocks[-1], kind="term")
            blocks.append(Block(kind="definition", text=text))
        else:
            blocks.append(Block(kind="paragraph", text=text))
        indents = []
    return blocks


def _joined(lines: list[str]) -> str:
    """Lines as one text; a hyphen at a line's end belongs to its word, as nobody typeset them."""
    text = ""
    for words in map(str.split, lines):
        is_word = words[:1] and words[0][0].isalnum() and words[0].casefold() not in SUSPENDED
        glue = "" if is_word and _HYPHEN_END.search(text) else " "
        text += glue + " ".join(words)
    return text.strip()


def _starts(lines: list[str], marks: Mapping[int, _Mark]) -> list[int]:
    """Numbers of the lines that begin a paragraph or an item."""
    has_first_line_indents = len(lines) > 1 and indent_of(lines[0]) > indent_of(lines[1])
    width = max(map(len, lines), default=0)
    starts: list[int] = []
    list_indent: int | None = None
    for number, line in enumerate(lines):
        if mark := marks.get(number):
            list_indent = mark.indent if list_indent is None else min(list_indent, mark.indent)
            starts.append(number)
        elif (
            number == 0
            or starts_marked(line.strip())
            or (has_first_line_indents and indent_of(line) > indent_of(lines[1]))
            or (not has_first_line_indents and list_indent is None and _deepens(lines, number) < 0)
            or _begins_paragraph(lines, number, list_indent=list_indent, width=width)
        ):
            starts.append(number)
            list_indent = None
    return starts


def _item(text: str, mark: _Mark, *, level: int) -> Block:
    """An item; before a number a sign may be meant, so it stays."""
    is_bullet = not mark.values and not (mark.text in "+*" and text[0].isdigit())
    return Block(kind="item", text=text, level=level, marker="" if is_bullet else mark.text)


def _deepens(lines: list[str], number: int) -> int:
    """By how many blanks a line is indented more than the one above it."""
    return indent_of(lines[number]) - indent_of(lines[number - 1])


def _begins_paragraph(
    lines: list[str], number: int, *, list_indent: int | None, width: int
) -> bool:
    """Whether a line without a mark is not the rest of what stands above it."""
    above, line = lines[number - 1], lines[number]
    if list_indent is not None:
        return indent_of(line) <= list_indent and bool(_SENTENCE_END.search(above))
    is_deeper = _deepens(lines, number) > 0  # what defines the term above it
    return is_deeper and not is_forced_break(above, line, width=width)


def _accepted(lines: list[str]) -> dict[int, _Mark]:
    """The marks, by line, that begin items.

    A mark in the first line does; one further down needs the number before or after it, or another
    bullet, at the same indentation: a line of a paragraph may begin with a date or a sign.
    """
    candidates = {number: mark for number, line in enumerate(lines) if (mark := _mark(line))}
    accepted: dict[int, _Mark] = {}
    values = Counter(
        (mark.style, mark.indent, reading, value)
        for mark in candidates.values()
        for reading, value in enumerate(mark.values or (0,))
    )
    for number, mark in candidates.items():
        is_first = number == 0 and not _is_letter(mark)
        if (
            _has_neighbour(mark, values)
            or is_first
            or _is_led_bullet(lines, number, mark, accepted)
        ):
            accepted[number] = mark
    return accepted


def _is_led_bullet(
    lines: list[str], number: int, mark: _Mark, accepted: Mapping[int, _Mark]
) -> bool:
    """Whether a bullet without another stands below a colon, or inside an item."""
    if mark.values or number == 0 or lines[number][mark.end].isdigit():
        return False
    item = accepted.get(number - 1)
    return lines[number - 1].endswith(":") or (item is not None and mark.indent >= item.end - 1)


def _is_letter(mark: _Mark) -> bool:
    """Whether it may be the initial of a name."""
    return bool(mark.values) and not any(character.isdigit() for character in mark.text)


def _has_neighbour(mark: _Mark, values: Counter[tuple[str, int, int, int]]) -> bool:
    """Whether the number before or after it, or another such bullet, begins a line too."""
    if not mark.values:
        return values[mark.style, mark.indent, 0, 0] > 1
    return any(
        values[mark.style, mark.indent, reading, value + step] > 0
        for reading, value in enumerate(mark.values)
        for step in (-1, 1)
        if value and value + step
    )


def _mark(line: str) -> _Mark | None:
    indent = indent_of(line)
    match = _MARK.match(line, indent)
    if match is None:
        return None
    number = match["number"]
    if number is None:
        is_dash = match["mark"] == "\u2013" and line[match.end()].isdigit()
        return None if is_dash else _Mark(match["mark"], match["mark"], (), indent, match.end())
    kind = "1" if number.isdigit() else "a" if number.islower() else "A"
    style = f"{match['open']}{kind}{match['close']}"
    return _Mark(match["mark"], style, _values(number), indent, match.end())


def _values(number: str) -> tuple[int, ...]:
    """What it counts as a number or a letter, and as a Roman number; 0: it is none."""
    if number.isdigit():
        return (int(number) + 1, 0)
    letter = ord(number.lower()) - ord("a") + 1 if len(number) == 1 else 0
    digits = [_ROMAN.get(character, 0) for character in number.lower()]
    following = [*digits[1:], 0]
    signed = (-d if d < f else d for d, f in zip(digits, following, strict=True))
    return (letter, sum(signed) if all(digits) else 0)
