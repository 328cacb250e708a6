"""Lines of pages, in reading order, into headings, paragraphs, items, code; pure functions."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ftdist.library.readers.pdf.hyphens import HYPHENS, Vocabulary, join_lines
from ftdist.library.readers.pdf.lists import Mark, find_marks
from ftdist.library.readers.pdf.words import TextLine, join_code, split_at_gaps
from ftdist.library.schema import Block

_NUMBERED = re.compile(r"^((?:\d{1,2}\.)*\d{1,2}|[A-Z]|[A-Z]\.\d{1,2}(?:\.\d{1,2})*)\.?\s+\S")
_NUMBERED_PREFIX = re.compile(r"^(?:Chapter|Appendix)?\s*(?:[A-Z]|\d{1,2})(?:\.\d{1,2})*\.?\s+")
LARGER = 1.12
"""Smallest ratio of a heading's font size to the body's."""

_MAX_HEADING = 120
_MAX_HEADING_LINES = 4
_SENTENCE_END = re.compile(r"[.:?!\u3002\uff1f\uff01\u061f][\"'\u201d\u2019)\]]*$")
_LABEL = re.compile(r"[^\W\d_][^:.,;!?]{0,30}:\s+\S")
"""The beginning of a line such as "Voltage: 230 V"."""

_LEADER = re.compile(r"(?:\. ?){4,} ?\w+$")
_PITCH = 1.2
"""Usual distance of baselines, in font sizes, where the document does not show its own."""

_MAX_HEADING_PITCH = 1.6
"""Distance up to which a line goes on a heading, in font sizes."""

_MAX_CODE_PITCH = 2.8
"""Distance up to which a gap between lines of code is blank lines."""


def normalize_title(text: str) -> str:
    """Letters and digits of a title, in lower case, for comparison."""
    return "".join(filter(str.isalnum, text.casefold()))


def find_body_size(lines: Sequence[TextLine]) -> float:
    """The commonest font size, by characters."""
    body = Counter[float]()
    for line in lines:
        body[line.size] += len(line.text)
    return body.most_common(1)[0][0] if body else 0.0


def build_blocks(
    lines: Sequence[TextLine], *, outline: Mapping[tuple[int, str], int]
) -> list[Block]:
    """Join lines into blocks.

    Args:
        lines: of all pages, in reading order.
        outline: (page, normalised title) to level, from the bookmarks; may be empty.
    """
    return _Builder(lines, outline=outline).build()


class _Builder:
    """Goes through the lines once and adds blocks."""

    def __init__(
        self, lines: Sequence[TextLine], *, outline: Mapping[tuple[int, str], int]
    ) -> None:
        self._lines = lines
        self._outline = outline
        self._body_size = find_body_size(lines)
        texts = [line for line in lines if not line.rows]
        larger = {line.size for line in texts if line.size >= LARGER * self._body_size}
        self._levels = {
            size: min(6, level) for level, size in enumerate(sorted(larger)[::-1], start=1)
        }
        self._words = Vocabulary(line.text for line in lines)
        self._marks: dict[int, Mark] = find_marks(lines)
        self._max_pitch = 1.22 * _usual_pitch(texts)
        self._blocks: list[Block] = []
        self._waiting: list[int] = []
        self._item_lefts: list[float] = []
        self._open: tuple[int, list[int]] | None = None
        """Where the last block is whose sentence goes on after what is in small type, its lines."""

        self._put_at: int | None = None
        self._heading: TextLine | None = None

    def build(self) -> list[Block]:
        """All blocks."""
        i = 0
        while i < len(self._lines):
            line = self._lines[i]
            level, taken = self._bookmarked(i)
            level = level or self._heading_level(i)
            if line.rows:
                self._flush()
                self._add_table(line)
                taken = 1
            elif level:
                self._flush()
                self._add_heading(self._lines[i : i + taken], level, is_marked=taken > 1)
            else:
                if self._waiting and not self._continues(i):
                    self._flush()
                    self._reopen(i)
                self._waiting.append(i)
            i += taken
        self._flush()
        return self._blocks

    def _bookmarked(self, start: int) -> tuple[int, int]:
        """The level of a heading in the bookmarks, or 0, and how many lines it takes."""
        first, text = self._lines[start], ""
        if first.rows or not (first.is_bold or first.size >= self._body_size):
            return 0, 1
        following = self._lines[start : start + _MAX_HEADING_LINES]
        for taken, line in enumerate(following, start=1):
            text = f"{text} {line.text}".strip()
            titles = (normalize_title(text), normalize_title(_NUMBERED_PREFIX.sub("", text)))
            for page in (first.page, first.page - 1, first.page + 1):
                for title in titles:
                    if title and (page, title) in self._outline:
                        return self._outline[page, title], taken
        return 0, 1

    def _heading_level(self, i: int) -> int:
        """The level of a heading in a larger font than the body, or 0."""
        line = self._lines[i]
        text = line.text
        is_short = len(text) <= _MAX_HEADING and any(map(str.isalpha, text))
        if line.is_mono or not is_short or text.rstrip().endswith((".", ",", ";")):
            return 0
        if line.size not in self._levels:
            return 0
        numbered = _NUMBERED.match(text)
        return numbered[1].count(".") + 1 if numbered else self._levels[line.size]

    def _add_heading(self, lines: Sequence[TextLine], level: int, *, is_marked: bool) -> None:
        """Add a heading; one that continues in the next line of the same page is one heading."""
        self._open = None
        text = join_lines([line.text for line in lines], words=self._words)
        page = lines[0].page
        last = self._blocks[-1] if self._blocks else None
        above, self._heading = self._heading, lines[-1]
        follows = (
            last is not None
            and above is not None
            and (last.kind, last.page, above.column) == ("heading", page, lines[0].column)
            and (last.level == level or _is_next_line(above, lines[0]))
        )
        if last is not None and follows and not is_marked and not _NUMBERED.match(text):
            text = join_lines([last.text, text], words=self._words)
            self._blocks[-1] = replace(last, text=text)
        else:
            self._blocks.append(Block(kind="heading", text=text, level=level, page=page))

    def _continues(self, i: int) -> bool:
        """Whether a line continues the block before it."""
        line, last, first = (self._lines[j] for j in (i, self._waiting[-1], self._waiting[0]))
        is_code = first.is_mono
        if i in self._marks and not is_code:
            return False
        pitch = last.baseline - line.baseline
        if line.is_mono != is_code and not (self._is_wrapped(last, line) and not is_code):
            return False
        if line.column != last.column or pitch < -0.5 * line.size:
            return self._goes_on(i)
        if is_code:
            return pitch <= _MAX_CODE_PITCH * line.size
        if pitch > self._max_pitch * max(line.size, last.size):
            return False
        if abs(line.size - last.size) > 0.15 * last.size or _is_row(last, below=line):
            return False
        if _LEADER.search(last.text):
            return False
        return not self._is_new_paragraph(first, last, line)

    def _is_wrapped(self, last: TextLine, line: TextLine) -> bool:
        """Whether the first word of a line did not fit on the line before."""
        pitch = last.baseline - line.baseline
        is_near = line.column == last.column and pitch <= self._max_pitch * line.size
        end = last.right + line.words[0].right - line.left + 0.2 * line.size
        return is_near and end > last.column_right and last.text[-1:] not in ":.;"

    def _goes_on(self, i: int) -> bool:
        """Whether a sentence, or code, goes on in the next column or on the next page."""
        line, last = self._lines[i], self._lines[self._waiting[-1]]
        if line.is_mono:
            return line.page != last.page
        text = last.text.rstrip()
        if _SENTENCE_END.search(text) or abs(line.size - last.size) > 0.05 * last.size:
            return False
        is_full = last.right > last.column_right - 0.15 * (last.column_right - last.column_left)
        is_text = len(text) >= 30 and (text[-1].isalpha() or text[-1] in ",;")
        is_text = is_text and not _is_row(last) and not line.is_bold
        return line.text[:1].islower() or text.endswith(HYPHENS) or (is_full and is_text)

    def _reopen(self, i: int) -> None:
        """Take up a sentence that goes on after a footnote or a caption."""
        line = self._lines[i]
        if self._open is None or i in self._marks or not line.text[:1].islower():
            return
        at, lines = self._open
        last = self._lines[lines[-1]]
        if line.column != last.column and abs(line.size - last.size) < 0.05 * last.size:
            del self._blocks[at]
            self._put_at, self._waiting = at, [*lines]

    def _is_new_paragraph(self, first: TextLine, last: TextLine, line: TextLine) -> bool:
        """Whether a line without a larger distance begins a paragraph."""
        ends = _SENTENCE_END.search(last.text) is not None
        step = line.left - last.left
        is_item = self._waiting[0] in self._marks
        is_indented = 0.8 * line.size < step < 6 * line.size and (not is_item or first is not last)
        if is_indented and (ends or first is not last) and not line.text[:1].islower():
            return ends or first is not last
        is_outdented = step < -0.8 * line.size and not line.text[:1].islower()
        if is_outdented and (first is not last or (ends and not self._is_wrapped(last, line))):
            return True
        if is_item and first.left - line.left > 0.8 * line.size:
            return True
        if _LABEL.match(line.text) and _LABEL.match(last.text):
            return True
        first_word = line.words[0].right - line.left
        room = last.column_right - last.right - first_word
        has_room = room > 2 * line.size
        return has_room and (ends or line.is_bold != last.is_bold) and not line.text[:1].islower()

    def _flush(self) -> None:
        if not self._waiting:
            return
        lines = [self._lines[i] for i in self._waiting]
        first, mark = lines[0], self._marks.get(self._waiting[0])
        at = len(self._blocks) if self._put_at is None else self._put_at
        if first.is_mono or _SENTENCE_END.search(lines[-1].text):
            self._open = self._open if first.size < 0.95 * self._body_size else None
        elif first.size >= 0.95 * self._body_size:
            self._open = at, self._waiting
        self._waiting, self._put_at = [], None
        if first.is_mono:
            block = Block(kind="code", text=join_code(lines), page=first.page)
        else:
            text = join_lines([line.text for line in lines], words=self._words)
            block = self._text_block(text, first, mark)
        self._blocks.insert(at, block)

    def _text_block(self, text: str, first: TextLine, mark: Mark | None) -> Block:
        """A paragraph or an item, with the level of its indentation."""
        if mark is None or not mark.length:
            self._item_lefts = []
            return Block(kind="paragraph", text=text, page=first.page)
        while self._item_lefts and self._item_lefts[-1] > first.indent + 0.5 * first.size:
            self._item_lefts.pop()
        if not self._item_lefts or self._item_lefts[-1] < first.indent - 0.5 * first.size:
            self._item_lefts.append(first.indent)
        level = min(6, len(self._item_lefts))
        text = text[mark.length :].strip()
        return Block(kind="item", text=text, level=level, marker=mark.text, page=first.page)

    def _add_table(self, line: TextLine) -> None:
        """A table; a continuation from the page before gets its header."""
        rows = tuple(
            tuple(join_lines(cell, words=self._words) for cell in row) for row in line.rows
        )
        has_header = line.is_bold
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.kind == "table" and last.page == line.page - 1:
            if last.rows[0] == rows[0]:
                has_header = True
            elif last.has_header and not has_header and len(last.rows[0]) == len(rows[0]):
                rows, has_header = (last.rows[0], *rows), True
        self._blocks.append(
            Block(kind="table", text="", page=line.page, rows=rows, has_header=has_header)
        )


def _is_next_line(line: TextLine, below: TextLine) -> bool:
    """Whether a line is right below another and set like it."""
    pitch = (line.baseline - below.baseline) / line.size
    is_alike = (line.size, line.column, line.is_bold) == (below.size, below.column, below.is_bold)
    return is_alike and 0 < pitch < _MAX_HEADING_PITCH


def _usual_pitch(lines: Sequence[TextLine]) -> float:
    """Distance of baselines in running text, in font sizes."""
    steps = Counter(
        round((last.baseline - line.baseline) / line.size, 1)
        for last, line in pairwise(lines)
        if line.text[:1].islower()
        and line.column == last.column
        and line.size == last.size
        and 0.9 * line.size < last.baseline - line.baseline < 2.5 * line.size
    )
    usual, count = steps.most_common(1)[0] if steps else (_PITCH, 0)
    return max(usual, _PITCH) if count >= 3 else _PITCH


def _is_row(line: TextLine, *, below: TextLine | None = None) -> bool:
    """Whether a line has a gap as in a table, unless its last cell goes on below."""
    cells = list(split_at_gaps(line.words, gap=2.0))
    return len(cells) > 1 and (below is None or abs(below.left - cells[-1][0].left) > line.size)
