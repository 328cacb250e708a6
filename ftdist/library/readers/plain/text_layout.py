"""What the layout of plain text says: columns, tables, and lines that keep their breaks."""

import re
import textwrap
from itertools import pairwise

from ftdist.library.schema import Block
from ftdist.text.qa_marks import starts_marked

_RULE = re.compile(r"\s*([-=*_~#.+^])(?:\s?\1){2,}\s*")
_ART = re.compile(r"[\s|+=_\-\u2500-\u257f]+")
_CORNER = re.compile(r"[|+\u2500-\u257f]")
_SIGN = re.compile(r"[-+|/\\_=<>*^]")
_LIST_MARK = re.compile(r"\s*(?:[-*+\u2022]|\(?\w{1,2}[.)]|\w{1,2}:)\s+")
_GAP = re.compile(r"(?<=\S)(?P<gap> {2,}|\t[\t ]*)(?=\S)")
SENTENCE_END = re.compile("[.!?:][\"')\u201d]*$")
_CODE = re.compile(
    r"[;{}\\]$|^\s*(?:[$>%#]|>>>) |\w\(.*\)|\w\s?=\s?\S|\s--?\w|^\s*[</{}]|->|=>|::|&&|\|"
    r"|^\s*[a-z_][\w.-]*:(?:\s+\S+)?$|(?:^|\s)[~.]?/\w+/\w"
)
_SETTING = re.compile(r"\s*(?:[\w.\-/]+\s*=\s*\S.*|[\w.\-/]+\s*=|\[[^\]]+\]|[#;].*)")
_LABELLED = re.compile(r"\s*[^\s:][^:]{0,30}:(?:\s+\S.*)?")
_LINE_OF_FACTS = re.compile(r"[A-Z][A-Za-z' -]{1,30}: \S.*")
_LOGGED = re.compile(
    r"\s*\[?(?:\d{4}-\d\d-\d\d[T ,]|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|\d{10}\.\d)"
)
_PROMPT = re.compile(r"\s*(?:[$%]|>>>|[\w.-]+@[\w.-]+:\S*[$#]|PS> ?|[A-Z]:\\\S*>)\s*\w")
_LEADER = re.compile(r"\.{4,}|(?:\. ){4,}")
_SEPARATOR = re.compile(r"[,;](?=\S)")
_COMMA_BLANK = re.compile(r"[,;]\s")
_PROSE_WIDTH = 50
_SOLID = re.compile(r"\s*(?:-{6,}|={6,})\s*")
_NAME = re.compile(r"[A-Z\u00c0-\u00de]\w*(?:[^:=;{}]|:(?=\d))*$")
"""A line of a table in prose: it begins with a capital and sets nothing."""


def indent_of(line: str) -> int:
    """Blanks that a line begins with."""
    return len(line) - len(line.lstrip())


def is_rule(line: str) -> bool:
    """Whether a line only separates."""
    return bool(_RULE.fullmatch(line))


def is_art(lines: list[str]) -> bool:
    """Whether lines are drawn with characters, such as a box."""
    if len(lines) > 1 and any(_ART.fullmatch(line) and _CORNER.search(line) for line in lines):
        return True
    lines = [line for line in lines if not is_rule(line)]
    signs = [len(_SIGN.findall(line)) for line in lines]
    letters = [sum(map(str.isalnum, line)) for line in lines]
    return len(lines) > 1 and sum(map(int.__gt__, signs, letters)) * 2 > len(lines)


def is_forced_break(line: str, following: str, *, width: int) -> bool:
    """Whether the next word had no room in a line, so that the break means nothing."""
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def code_block(lines: list[str]) -> Block:
    """Lines with their breaks and their indentation relative to each other."""
    text = "\n".join(line.rstrip().expandtabs(8) for line in lines)
    return Block(kind="code", text=textwrap.dedent(text).strip("\n"))


def is_verbatim(lines: list[str]) -> bool:
    """Whether the breaks of consecutive lines mean something: columns, settings, a log, a form."""
    if is_art(lines) or _has_columns(lines) or all(map(_LEADER.search, lines)):
        return True
    if len(lines) < 2 or any(starts_marked(line.strip()) for line in lines):
        return False
    if any(map(_PROMPT.match, lines)):
        return True
    counts = {len(_SEPARATOR.findall(line)) for line in lines}
    if len(counts) == 1 and 0 not in counts and not any(map(_COMMA_BLANK.search, lines)):
        return True  # values between commas
    forms = (_SETTING, _LABELLED)
    return all(map(_LOGGED.match, lines)) or any(all(map(f.fullmatch, lines)) for f in forms)


def are_facts(lines: list[str]) -> bool:
    """Whether each of several lines gives something a name: "Address: 77 Orchard Road"."""
    return (
        len(lines) > 1
        and all(map(_LINE_OF_FACTS.fullmatch, lines))
        and not any(map(is_code, lines))
    )


def _has_columns(lines: list[str]) -> bool:
    """Whether words stand below each other after gaps; justified prose has gaps too, anywhere."""
    ends = [_gap_ends(line) for line in lines]
    if len(lines) == 1:
        return any(size > 2 for _, size in ends[0])
    lengths = {len(line) for line in lines[:-1]}
    sizes = [size for line in ends for _, size in line]
    is_justified = max(lengths) - min(lengths) <= 1 and min(lengths) >= _PROSE_WIDTH
    if len(lines) > 2 and is_justified and max(sizes, default=0) <= 3:
        return False
    columns = [end for line in ends for end in {end for end, _ in line}]
    return len(columns) > len(set(columns)) or any(size > 2 for size in sizes)


def _gap_ends(line: str) -> list[tuple[int, int]]:
    """Where words begin after a gap of two blanks or more, and how wide it is."""
    mark = _LIST_MARK.match(line)
    start = mark.end() if mark else indent_of(line)
    gaps = []
    for gap in _GAP.finditer(line.expandtabs(8), start):
        size = gap.end() - gap.start()
        if size > 2 or not SENTENCE_END.search(line[: gap.start()]):
            gaps.append((gap.end(), size))
    return gaps


def is_code(line: str) -> bool:
    """Whether a line looks like a command, a statement or a setting."""
    return bool(_CODE.search(line))


def is_filled(lines: list[str]) -> bool:
    """Whether a single line is so long that it begins a paragraph."""
    return len(lines) == 1 and len(lines[0]) >= _PROSE_WIDTH and not is_code(lines[0])


def is_prose(lines: list[str]) -> bool:
    """Whether indented lines read as a paragraph: sentences, or lines filled to their width."""
    if (
        sum(map(is_code, lines)) * 2 > len(lines)
        or len({indent_of(line) for line in lines[1:]}) > 1
    ):
        return False
    if len(lines) == 1:
        return True
    width = max(map(len, lines))
    breaks = [is_forced_break(a, b, width=width) for a, b in pairwise(lines)]
    is_wide = sum(breaks) * 2 > len(breaks) and width >= _PROSE_WIDTH
    is_sentence = bool(SENTENCE_END.search(lines[-1])) and sum(breaks) * 2 >= len(breaks)
    return is_wide or is_sentence


def table_block(lines: list[str]) -> Block | None:
    """Lines as a table, if bars, tabs, a line below its headings or gaps divide its columns."""
    for read in (_barred, _dashed, _tabbed, _aligned):
        table = read(lines)
        if table and len({len(cells) for cells in table[0]}) == 1 and len(table[0][0]) > 1:
            rows, has_header = table
            return Block(kind="table", text="", rows=tuple(rows), has_header=has_header)
    return None


_Table = tuple[list[tuple[str, ...]], bool]


def _barred(lines: list[str]) -> _Table | None:
    """| key | does |, between lines such as +-----+------+."""
    is_border = [bool(re.fullmatch(r"[|+:=\-\s]+", line)) for line in lines]
    if len(lines) < 2 or not all("|" in line or is_rule(line) or "+" in line for line in lines):
        return None
    groups: list[list[tuple[str, ...]]] = [[]]
    for line, border in zip(lines, is_border, strict=True):
        if border:
            groups.append([])
        else:
            cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
            groups[-1].append(tuple(cell.strip() for cell in cells))
    groups = [group for group in groups if group]
    if not groups or not any(is_border) or any(len(set(map(len, g))) > 1 for g in groups):
        return None
    if len(groups) > 2:  # borders between all rows, whose cells have several lines
        rows = [
            tuple(" ".join(filter(None, cells)) for cells in zip(*g, strict=True)) for g in groups
        ]
    else:
        rows = [cells for group in groups for cells in group]
    return rows, len(groups) > 1 and len(groups[0]) == 1


def _dashed(lines: list[str]) -> _Table | None:
    """Columns below a line of dashes with a gap between any two columns."""
    lines = [line.expandtabs(8) for line in lines]
    if lines and re.fullmatch(r"\s*=+(?: +=+)+", lines[0]) and lines[-1] == lines[0]:
        lines = lines[1:-1]  # a simple table of reStructuredText
    if len(lines) < 3 or not re.fullmatch(r"\s*[-=]{2,}(?: +[-=]{2,})+", lines[1]):
        return None
    starts = [match.start() for match in re.finditer(r"[-=]+", lines[1])]
    rows = []
    for line in [lines[0], *lines[2:]]:
        if any(line[start - 1 : start].strip() for start in starts if start):
            return None  # a word crosses the gap
        ends = [*starts[1:], None]
        rows.append(tuple(line[a:b].strip() for a, b in zip(starts, ends, strict=True)))
    return rows, True


def _aligned(lines: list[str]) -> _Table | None:
    """Cells below each other after gaps: below a line of headings and a rule, or without both."""
    lines = [line.expandtabs(8) for line in lines]
    is_ruled = len(lines) > 2 and bool(_SOLID.fullmatch(lines[1]))
    rows = [lines[0], *lines[2:]] if is_ruled else lines
    is_code_like = any(map(is_code, rows)) or any(map(is_rule, rows))
    if len(rows) < (2 if is_ruled else 3) or is_code_like or any(map(_LEADER.search, rows)):
        return None
    starts = [0, *(gap.end() for gap in _GAP.finditer(rows[0]))]
    if any(line[start - 2 : start].strip() for line in rows for start in starts[1:]):
        return None  # a word crosses the gap
    if len(starts) < 2 or not all(_NAME.match(line) for line in rows):
        return None
    ends = [*starts[1:], None]
    cells = [tuple(row[a:b].strip() for a, b in zip(starts, ends, strict=True)) for row in rows]
    is_full = all(all(row) for row in cells)
    return (cells, is_ruled) if is_ruled or is_full else None


def _tabbed(lines: list[str]) -> _Table | None:
    """Cells between tabs, equally many in each line."""
    if len(lines) < 2 or not all("\t" in line.strip() for line in lines):
        return None
    return [tuple(cell.strip() for cell in line.split("\t")) for line in lines], False
