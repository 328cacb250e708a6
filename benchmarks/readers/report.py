"""Scores as tables in Markdown, and into the page between its marks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.readers.assertions import ReadText
from benchmarks.readers.candidates import CANDIDATES, FORMATS
from benchmarks.readers.cases import Case

OURS = "ftdist"
START, END = "<!-- rows of python -m benchmarks.readers -->", "<!-- end of rows -->"


_OF_CASE = ("is_real", "assertions", "failed")


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one reader did with one document.

    Attributes:
        failed: assertions that its text does not hold.
        seconds: of its fastest reading.
        error: why it read nothing.
        text: what it read.
    """

    reader: str
    case: str
    format: str
    is_real: bool
    assertions: int
    failed: tuple[str, ...]
    seconds: float
    error: str
    installed_mb: float
    text: str

    @classmethod
    def of_text(cls, case: Case, **read: Any) -> Self:
        """Hold what was read against a document's assertions."""
        text = ReadText(read["text"])
        return cls(
            case=case.name,
            format=case.format,
            is_real=case.is_real,
            assertions=len(case.assertions),
            failed=tuple(str(one) for one in case.assertions if not text.holds(one)),
            **read,
        )

    def to_json(self) -> dict[str, Any]:
        """What `of_text` needs, and which document it was."""
        read = asdict(self)
        return {name: value for name, value in read.items() if name not in _OF_CASE}


def tables(scores: Sequence[Score], cases: Sequence[Case]) -> list[str]:
    """All readers over all formats, then one table a format."""
    formats = [name for name in FORMATS if any(case.format == name for case in cases)]
    lines = ["### All formats", "", *_overview(scores, formats)]
    for name in formats:
        mine = [case for case in cases if case.format == name]
        real = [case for case in mine if case.is_real]
        total = sum(len(case.assertions) for case in mine)
        lines += [
            "",
            f"### {name}",
            "",
            f"{total} assertions in {len(mine)} documents, {len(real)} of them real.",
            "",
            *_format_table([score for score in scores if score.format == name]),
        ]
    return lines


def _overview(scores: Sequence[Score], formats: Sequence[str]) -> list[str]:
    lines = _head(["reader", *formats, "all it reads", "MB installed", "licence"])
    for candidate in CANDIDATES:
        mine = [score for score in scores if score.reader == candidate.name]
        if not mine:
            continue
        shares = [_share([score for score in mine if score.format == name]) for name in formats]
        size = f"{mine[0].installed_mb:,.0f}" if mine[0].installed_mb >= 1 else "under 1"
        lines.append(_line([candidate.name, *shares, _share(mine), size, candidate.licence]))
    return lines


def _format_table(scores: Sequence[Score]) -> list[str]:
    lines = _head(["reader", "hold", "all", "small documents", "real documents", "time"])
    ranked = sorted(
        {score.reader for score in scores},
        key=lambda name: -_held([score for score in scores if score.reader == name])[0],
    )
    ours = {score.case: score for score in scores if score.reader == OURS}
    for name in ranked:
        mine = [score for score in scores if score.reader == name]
        held, total = _held(mine)
        small = [score for score in mine if not score.is_real]
        real = [score for score in mine if score.is_real]
        lines.append(
            _line(
                [name, f"{held} of {total}", *map(_share, (mine, small, real)), _time(mine, ours)]
            )
        )
    return lines


def _held(scores: Sequence[Score]) -> tuple[int, int]:
    total = sum(score.assertions for score in scores)
    return total - sum(len(score.failed) for score in scores), total


def _share(scores: Sequence[Score]) -> str:
    held, total = _held(scores)
    return f"{100 * held / total:.1f} %" if total else ""


def _time(mine: Sequence[Score], ours: Mapping[str, Score]) -> str:
    """Time over ftdist's for the documents that both could read."""
    both = [score for score in mine if not score.error and score.case in ours]
    both = [score for score in both if not ours[score.case].error]
    own = sum(ours[score.case].seconds for score in both)
    if not own:
        return ""
    if mine[0].reader == OURS:
        return f"1 ({own:.2f} s)"
    return f"{sum(score.seconds for score in both) / own:.2f}"


def write_tables(page: Path, lines: Sequence[str]) -> None:
    """Put the lines between the marks of a page."""
    before, start, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{page.name} has not both marks, {START} and {END}.")
    text = "\n".join([before + START, "", *lines, "", END + after])
    page.write_text(text, encoding="utf-8")


def _head(titles: Sequence[str]) -> list[str]:
    return [_line(titles), _line(["---"] * len(titles))]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
