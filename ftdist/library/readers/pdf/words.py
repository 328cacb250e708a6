"""Words of a page joined to lines: by baseline, raised and lowered text by size; pure functions."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from ftdist.library.readers.inline import join_fractions, lowered, raised

_SAME_LINE = 0.3
"""Largest distance of baselines on one line, in font sizes."""

_SMALLER = (0.5, 0.9)
"""Ratio of the size of raised or lowered text to that of its line."""

_MAX_SCRIPT = 8
_RAISED_BY = (0.12, 0.75)
_LOWERED_BY = (0.06, 0.45)
_SCRIPT_GAP = 0.4
_MARK_GAP = 1.0
"""Gap between a footnote's mark and its text."""

_WORD_GAP = 0.08
"""Gap after raised or lowered text that separates words; elsewhere, spaces in the text do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """Text without spaces; coordinates in points, from the page's lower left corner."""

    text: str
    left: float
    right: float
    baseline: float
    size: float
    is_mono: bool = False
    is_bold: bool = False
    number: int = 0
    """Its position in the page's content."""

    is_glued: bool = False
    """Whether no space separates it from the word before it in the content."""

    shift: float = 0.0
    """How far it is raised above `baseline` (negative: lowered)."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top."""
        base = self.baseline + self.shift
        return self.left, base - 0.2 * self.size, self.right, base + 0.75 * self.size


@dataclass(frozen=True, kw_only=True)
class TextLine:
    """A line of a page, or a table; coordinates in points, from the page's lower left corner."""

    words: tuple[Word, ...] = ()
    page: int
    column: int
    """Number of its column in the document."""

    column_left: float
    column_right: float
    left: float
    right: float
    baseline: float
    size: float
    is_mono: bool = False
    is_bold: bool = False
    """Of a table: whether only its first row is bold, which names the columns."""

    rows: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """The lines of each cell of a table."""

    @cached_property
    def text(self) -> str:
        """Its words; of a table, those of its cells."""
        if self.rows:
            return " ".join(line for row in self.rows for cell in row for line in cell)
        return join_words(self.words)

    @property
    def indent(self) -> float:
        """Distance to the left edge of its column."""
        return self.left - self.column_left

    @property
    def mark_width(self) -> float:
        """Distance from its first word to its second."""
        return self.words[1].left - self.words[0].left if len(self.words) > 1 else 0.0


def attach_scripts(words: Sequence[Word]) -> list[Word]:
    """Words with raised and lowered ones moved to the baseline of the word beside them."""
    ordered = sorted(words, key=lambda word: word.left)
    if not ordered:
        return []
    table = np.array([(word.left, word.right, word.baseline, word.size) for word in ordered])
    shifts = np.zeros(len(ordered))
    for i, word in enumerate(ordered):
        if word.size <= _SMALLER[1] * table[:, 3].max() and len(word.text) <= _MAX_SCRIPT:
            base = _base_of(i, table, shifts)
            if base is not None:
                shifts[i] = word.baseline - table[base, 2]
                table[i, 2] = table[base, 2]
    return [
        replace(word, baseline=word.baseline - shift, shift=shift) if shift else word
        for word, shift in zip(ordered, shifts.tolist(), strict=True)
    ]


def _base_of(
    script: int, table: npt.NDArray[np.float64], shifts: npt.NDArray[np.float64]
) -> int | None:
    """The word beside which a word is raised or lowered, rather the one before it."""
    left, right, baseline, size = table[script]
    lefts, rights, baselines, sizes = table.T
    shift = baseline - baselines
    low = np.where(shift > 0, _RAISED_BY[0], _LOWERED_BY[0]) * sizes
    high = np.where(shift > 0, _RAISED_BY[1], _LOWERED_BY[1]) * sizes
    is_base = (shifts == 0) & (_SMALLER[0] * sizes <= size) & (size <= _SMALLER[1] * sizes)
    is_base &= (low <= abs(shift)) & (abs(shift) <= high)
    is_base |= (shifts != 0) & (abs(shift - shifts) < 0.1 * sizes) & (abs(size - sizes) < 1)
    for gaps, most in ((left - rights, _SCRIPT_GAP), (lefts - right, _MARK_GAP)):
        near = is_base & (-0.4 * sizes <= gaps) & (gaps <= most * sizes)
        near[script] = False
        if near.any():
            return int(np.where(near, sizes + 1e-3 * rights, -np.inf).argmax())
    return None


def group_lines(words: Sequence[Word]) -> list[list[Word]]:
    """Lines from the top, words in reading order."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (-word.baseline, word.left)):
        last = lines[-1] if lines else None
        if last and last[0].baseline - word.baseline <= _SAME_LINE * last[0].size:
            last.append(word)
        else:
            lines.append([word])
    return [_in_reading_order(line) for line in lines]


def _in_reading_order(line: list[Word]) -> list[Word]:
    ordered = sorted(line, key=lambda word: word.left)
    kinds = [unicodedata.bidirectional(char) for word in ordered for char in word.text]
    if 2 * sum(kind in ("R", "AL") for kind in kinds) <= sum(
        kind in ("R", "AL", "L") for kind in kinds
    ):
        return ordered
    right_to_left: list[Word] = []
    run: list[Word] = []
    for word in ordered[::-1]:
        if any(unicodedata.bidirectional(char) in ("R", "AL") for char in word.text):
            right_to_left += [*run[::-1], word]
            run = []
        else:
            run.append(word)
    return [*right_to_left, *run[::-1]]


def split_at_gaps(line: Sequence[Word], *, gap: float) -> Iterator[list[Word]]:
    """Parts of a line that gaps of so many font sizes separate."""
    part: list[Word] = []
    for word in line:
        if part and word.left - part[-1].right > gap * max(word.size, part[-1].size):
            yield part
            part = []
        part.append(word)
    if part:
        yield part


def join_words(line: Sequence[Word]) -> str:
    """The text of a line."""
    text = ""
    last: Word | None = None
    for word, after in zip_longest(line, line[1:]):
        if last is not None and not _is_joined(last, word):
            text += " "
        last = word
        if word.shift and not _is_inside_word(text, word, after):
            script = raised if word.shift > 0 else lowered
            text += script(word.text, before=text)
        else:
            text += word.text
    return join_fractions(text)


def _is_inside_word(text: str, word: Word, after: Word | None) -> bool:
    """Whether raised or lowered letters are set like that as decoration, as in the name of TeX."""
    if after is None or after.shift or not after.is_glued or not _is_joined(word, after):
        return False
    return word.is_glued and word.text.isalpha() and text[-1:].isalpha() and after.text[0].isalpha()


def _is_joined(last: Word, word: Word) -> bool:
    gap = word.left - last.right
    if word.shift:
        return gap <= _SCRIPT_GAP * max(last.size, word.size)
    if last.shift:
        return gap < _WORD_GAP * word.size
    return word.is_glued and word.number == last.number + 1 and gap < 0.25 * word.size


def join_code(lines: Sequence[TextLine]) -> str:
    """Lines of code, with spaces and blank lines where the page has them."""
    widths = [(word.right - word.left) / len(word.text) for line in lines for word in line.words]
    width = sorted(widths)[len(widths) // 2] or 1.0
    left = min(line.left for line in lines)
    text = ""
    last: TextLine | None = None
    for line in lines:
        if last is not None:
            is_below = line.column == last.column and line.baseline < last.baseline
            pitch = (last.baseline - line.baseline) / line.size if is_below else 1.0
            text += "\n\n" if pitch > 1.9 else "\n"
        start = len(text)
        for word in line.words:
            blanks = round((word.left - left) / width) - (len(text) - start)
            is_first = len(text) == start
            text += " " * max(blanks, 0 if is_first or word.is_glued else 1) + word.text
        last = line
    return text.replace("\u00ad", "-")
