"""Plain text files: split into headings, paragraphs, items, tables and lines kept as they are."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import dropwhile, groupby, takewhile
from pathlib import Path

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import decode
from ftdist.library.readers.plain.text_items import has_item, prose_blocks, starts_item
from ftdist.library.readers.plain.text_layout import (
    SENTENCE_END,
    are_facts,
    code_block,
    indent_of,
    is_art,
    is_code,
    is_filled,
    is_prose,
    is_rule,
    is_verbatim,
    table_block,
)
from ftdist.library.schema import BadRow, Block, Document, Location
from ftdist.text.qa_marks import starts_marked

_UNDERLINE = re.compile(r"(=+|-+|~+|\^+|\*+|#+|\++)[ \t]*")
_CAPITALS = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*\.? )?(?=.*[A-Z]{4})[A-Z][A-Z\d ,&/'():-]+")
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2})*\.? +[A-Z]")
_MAX_HEADING_WORDS = 10
_MIN_WIDTH, _MAX_WIDTH = 60, 100
_WIDE_GAP = re.compile(r"\S(?: {2,}|\t)\S|\|")


def read_text(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a text file as headings, paragraphs, items, tables and code."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    if not text.strip():
        return BadRow("contains no text", Location(name), "Remove it.")
    blocks = text_blocks(text)
    headings = [
        block.text for block in blocks if block.kind == "heading" and not _of_section(block)
    ]
    return Document(
        title=headings[0] if headings else title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=notes,
    )


def read_source(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read source code, a log or a configuration file: its lines as they are."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    chunks = re.split(r"\n(?:[ \t]*\n)+", text.strip("\n"))
    blocks = [Block(kind="code", text=chunk.rstrip()) for chunk in chunks if chunk.strip()]
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    return Document(title=path.name, blocks=tuple(blocks), location=Location(name), notes=notes)


def text_blocks(text: str) -> list[Block]:
    """Plain text as blocks, in order."""
    chunks = _chunks(text)
    indents = Counter[int]()
    for chunk in chunks:
        indents[min(map(indent_of, chunk))] += len(chunk)
    page = _Page(
        base=indents.most_common(1)[0][0] if indents else 0,
        width=max((len(line) for chunk in chunks for line in chunk), default=0),
    )
    blocks: list[Block] = []
    for at, chunk in enumerate(chunks):
        following = chunks[at + 1][0] if at + 1 < len(chunks) else ""
        blocks += _chunk_blocks(chunk, page, following=following)
    return blocks


@dataclass(frozen=True)
class _Page:
    """How a text is set: how far its prose is indented, and its longest line."""

    base: int
    width: int

    def has_breaks(self, lines: list[str]) -> bool:
        """Whether lines end far before the margin, as in an address or a poem."""
        is_short = max(map(len, lines)) * 5 < min(self.width, _MAX_WIDTH) * 3
        is_prose_page = self.width >= _MIN_WIDTH
        marks = has_item(lines) or any(starts_marked(line.strip()) for line in lines)
        return len(lines) > 2 and is_prose_page and is_short and not marks


def _chunks(text: str) -> list[list[str]]:
    """Lines between empty lines; tabs inside lines stay, those that indent become blanks."""
    lines = (line.rstrip() for line in text.split("\n"))
    groups = groupby(lines, key=bool)
    return [[_detab(line) for line in group] for has_text, group in groups if has_text]


def _detab(line: str) -> str:
    bare = line.lstrip()
    return line[: len(line) - len(bare)].expandtabs(8) + bare


def _chunk_blocks(lines: list[str], page: _Page, *, following: str) -> list[Block]:
    """Blocks of consecutive lines that are not empty, before the line that follows."""
    blocks: list[Block] = []
    if len(lines) == 1 and _stands_as_heading(lines[0], following):
        return [Block(kind="heading", text=lines[0].strip(), level=2)]
    first = 0
    for number in range(1, len(lines)):
        if number > first and _is_heading(lines[number - 1], underline=lines[number]):
            blocks += _body(lines[first : number - 1], page)
            level = 1 if lines[number][0] == "=" else 2
            blocks.append(Block(kind="heading", text=lines[number - 1].strip(), level=level))
            first = number + 1
    return blocks + _body(lines[first:], page)


def _stands_as_heading(line: str, following: str) -> bool:
    """Whether a line between empty lines is a heading: in capitals, or numbered before prose."""
    is_short = len(line.split()) <= _MAX_HEADING_WORDS and not SENTENCE_END.search(line)
    if not following or not is_short or indent_of(line):
        return False
    is_numbered = bool(_NUMBERED.match(line)) and not _NUMBERED.match(following)
    return bool(_CAPITALS.fullmatch(line)) or is_numbered


def _of_section(heading: Block) -> bool:
    """Whether a heading stands for a section: numbered or in capitals, without an underline."""
    is_marked = _NUMBERED.match(heading.text) or _CAPITALS.fullmatch(heading.text)
    return heading.level > 1 and bool(is_marked)


def _is_heading(line: str, *, underline: str) -> bool:
    is_underline = _UNDERLINE.fullmatch(underline) and len(underline) >= 3
    is_title = not is_rule(line) and not _WIDE_GAP.search(line) and indent_of(line) == 0
    return bool(is_underline and is_title and abs(len(line) - len(underline)) <= 3)


def _body(lines: list[str], page: _Page) -> list[Block]:
    """Lines without headings: a table, lines that keep their breaks, or prose and items."""
    if table := table_block(lines):
        return [table]
    if not is_art(lines):
        lines = [line for line in lines if not is_rule(line)]
    if not lines:
        return []
    lowest = min(map(indent_of, lines))
    if are_facts(lines):
        return [Block(kind="paragraph", text="\n".join(lines))]
    is_set_off = lowest > page.base + 1 and not is_prose(lines) and not starts_item(lines)
    if is_set_off or is_verbatim(lines) or page.has_breaks(lines):
        return [code_block(lines)]
    return _prose_and_code(lines, indent=lowest)


def _prose_and_code(lines: list[str], *, indent: int) -> list[Block]:
    """Prose, its deeper lines being either the rest of it or lines that keep their breaks."""
    prose: list[str] = []
    segments = [(False, prose)]
    for is_deep, group in groupby(lines, key=lambda line: indent_of(line) > indent):
        run = list(group)
        has_breaks, above = segments[-1]
        if is_deep and (has_breaks or (above and _keeps_breaks(run, above=above))):
            head = [above.pop()] if is_code(above[-1]) else []
            segments.append((True, [*head, *run]))
        elif has_breaks:
            above += takewhile(is_code, run)
            segments.append((False, list(dropwhile(is_code, run))))
        else:
            above += run
    blocks: list[Block] = []
    for has_breaks, of_segment in segments:
        blocks += [code_block(of_segment)] if has_breaks else prose_blocks(of_segment)
    return blocks


def _keeps_breaks(run: list[str], *, above: list[str]) -> bool:
    """Whether the breaks of lines deeper than those above mean something."""
    if has_item(above) or starts_item(run):
        is_set_off = above[-1].endswith(":") and not starts_item(run) and not is_prose(run)
        return is_set_off or sum(map(is_code, run)) * 2 > len(run)
    is_definition = is_prose(run) and bool(SENTENCE_END.search(run[-1]))
    return not (is_definition or is_filled(run) or is_prose([above[-1], *run]))
