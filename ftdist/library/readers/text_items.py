"""Paragraphs and list items in lines of plain text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ftdist.library.qa_marks import starts_marked
from ftdist.library.readers.text_layout import indent_of, is_forced_break
from ftdist.library.schema import Block

_MARK = re.compile(
    r"(?P<mark>[-*+\u2022\u25cf\u25aa\u25e6\u2023\u2013]"
    r"|(?P<open>\(?)(?P<number>\d{1,3}|[A-Za-z]|[ivx]{2,5}|[IVX]{2,5})(?P<close>[.)]))\s+(?=\S)"
)
_ROMAN = {"i": 1, "v": 5, "x": 10}
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
    has_first_line_indents = len(lines) > 1 and indent_of(lines[0]) > indent_of(lines[1])
    blocks: list[Block] = []
    indents: list[int] = []
    for number, line in enumerate(lines):
        text = " ".join(line.split())
        if mark := marks.get(number):
            indents = [*(each for each in indents if each < mark.indent), mark.indent]
            blocks.append(_item(line, mark, level=len(indents)))
        elif (
            not blocks
            or starts_marked(text)
            or (has_first_line_indents and indent_of(line) > indent_of(lines[1]))
            or _begins_paragraph(lines, number, indents)
        ):
            blocks.append(Block(kind="paragraph", text=text))
            indents = []
        else:
            last = blocks[-1]
            blocks[-1] = Block(
                kind=last.kind,
                text=f"{last.text} {text}",
                level=last.level,
                marker=last.marker,
            )
    return blocks


def _item(line: str, mark: _Mark, *, level: int) -> Block:
    """An item; before a number a sign may be meant, so it stays."""
    text = " ".join(line[mark.end :].split())
    is_bullet = not mark.values and not (mark.text in "+*" and text[0].isdigit())
    return Block(kind="item", text=text, level=level, marker="" if is_bullet else mark.text)


def _begins_paragraph(lines: list[str], number: int, indents: list[int]) -> bool:
    """Whether a line without a mark is not the rest of what stands above it."""
    above, line = lines[number - 1], lines[number]
    if indents:
        return indent_of(line) <= indents[0] and bool(_SENTENCE_END.search(above))
    is_deeper = indent_of(line) > indent_of(above)  # what defines the term above it
    return is_deeper and not is_forced_break(above, line, lines=lines)


def _accepted(lines: list[str]) -> dict[int, _Mark]:
    """The marks, by line, that begin items.

    A mark in the first line does; one further down needs the number before or after it, or another
    bullet, at the same indentation: a line of a paragraph may begin with a date or a sign.
    """
    candidates = {number: mark for number, line in enumerate(lines) if (mark := _mark(line))}
    accepted: dict[int, _Mark] = {}
    for number, mark in candidates.items():
        others = [other for at, other in candidates.items() if at != number]
        is_first = number == 0 and not _is_letter(mark)
        if (
            _has_neighbour(mark, others)
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


def _has_neighbour(mark: _Mark, others: list[_Mark]) -> bool:
    alike = [each for each in others if (each.style, each.indent) == (mark.style, mark.indent)]
    if not mark.values:
        return bool(alike)
    return any(
        abs(own - other) == 1
        for each in alike
        for own, other in zip(mark.values, each.values, strict=True)
        if own and other
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
