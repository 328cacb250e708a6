"""Base and tuned answers side by side, for a terminal and for Markdown. Loads no torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.errors import StorageError
from ftdist.expert.spread import spread
from ftdist.expert.wording import (
    NOISE,
    asked_text,
    cost_text,
    cut_text,
    documents_rows,
    marks_text,
    score_rows,
    seen_text,
)
from ftdist.rundir import read_json_lines

LONGEST_ANSWER = 240
MOST_DOCUMENTS = 5


COMPARE_AGAIN = "run `ftdist compare` on this run."


@dataclass(frozen=True)
class Report:
    """What `compare` wrote.

    Attributes:
        scores: `scores.json`.
        answers: the rows of `answers.jsonl`.
    """

    scores: dict[str, Any]
    answers: tuple[dict[str, Any], ...]


def read_report(folder: Path) -> Report:
    """The report of a run.

    Raises:
        StorageError: there is none, it cannot be read, or a part of it is not there.
    """
    try:
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        answers = tuple(read_json_lines(folder / "answers.jsonl"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"There is no readable comparison in {folder}.", remedy=COMPARE_AGAIN
        ) from error
    if not _is_comparison(scores, answers):
        raise StorageError(
            f"The comparison in {folder} is damaged: scores.json or answers.jsonl does not hold "
            "what a comparison writes.",
            remedy=COMPARE_AGAIN,
        )
    asked = scores.get("cut", {}).get("asked", len(answers))  # an older comparison does not say
    if len(answers) != asked:
        raise StorageError(
            f"The comparison in {folder} is damaged: answers.jsonl holds {len(answers)} answers of "
            f"{asked}.",
            remedy=COMPARE_AGAIN,
        )
    return Report(scores, answers)


def _is_comparison(scores: Any, answers: Sequence[dict[str, Any]]) -> bool:
    if not isinstance(scores, dict) or not isinstance(scores.get("cut", {}), dict):
        return False
    parts = [scores.get("base"), scores.get("tuned")]
    parts += [row.get(model) for row in answers for model in ("base", "tuned")]
    return all(isinstance(part, dict) for part in parts) and all(
        row.keys() >= {"question", "kind", "expected"} for row in answers
    )


def print_comparison(report_dir: Path, console: Console, *, examples: int = 6) -> None:
    """Print some questions with both answers, then the scores.

    Args:
        report_dir: `runs/R/report`.
        console: where to print; its width sets the width of the columns.
        examples: most questions to show; those of the library come first.
    """
    report = read_report(report_dir)
    # A pipe or a log file is no terminal of 80 columns: lines of text must not be cut in three.
    width = console.width if console.is_terminal else max(console.width, 120)
    answers = Table(box=box.SIMPLE_HEAD, show_lines=True, expand=True)
    answers.add_column("question", ratio=3)
    answers.add_column("base", ratio=5)
    answers.add_column("tuned", ratio=5)
    for row in _choose(report.answers, examples):
        answers.add_row(Text(row["question"]), _cell(row, "base"), _cell(row, "tuned"))
    console.print(answers, width=width)
    console.print(_scores_table(report.scores), width=width)
    for sentence in _how(report.scores):
        console.print(Text(sentence), width=width)
    weakest = documents_rows(report.scores, most=MOST_DOCUMENTS)
    if weakest:
        table = Table(box=box.SIMPLE_HEAD)
        for name in ("weakest in the library", "base: recall", "tuned: recall"):
            table.add_column(name)
        for place, base, tuned in weakest:
            table.add_row(Text(place), base, tuned)
        console.print(table, width=width)
    for sentence in seen_text(report.scores):
        console.print(Text(f"Not unseen: {sentence}"), width=width)
    if cost := cost_text(report.scores):
        console.print(f"Training: {cost}", width=width)


def comparison_markdown(report_dir: Path, *, examples: int = 6) -> str:
    """The same as Markdown tables, for a model card or a README.

    Args:
        report_dir: `runs/R/report`.
        examples: most questions to show.
    """
    report = read_report(report_dir)
    lines = ["| question | base | tuned |", "| --- | --- | --- |"]
    for row in _choose(report.answers, examples):
        cells = (row["question"], row["base"]["answer"], row["tuned"]["answer"])
        lines.append(f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |")
    lines += ["", "| score | base | tuned | change | |", "| --- | ---: | ---: | --- | --- |"]
    for score in score_rows(report.scores):
        lines.append(f"| {' | '.join(score.cells)} |")
    lines += [f"\n{_markdown(sentence)}" for sentence in _how(report.scores)]
    weakest = documents_rows(report.scores, most=MOST_DOCUMENTS)
    if weakest:
        lines += ["", "| weakest in the library | base | tuned |", "| --- | ---: | ---: |"]
        lines += [
            f"| {_markdown_cell(place)} | {base} | {tuned} |" for place, base, tuned in weakest
        ]
    lines += [f"\nNot unseen: {_markdown_cell(sentence)}" for sentence in seen_text(report.scores)]
    if cost := cost_text(report.scores):
        lines += ["", f"Training: {cost}"]
    return "\n".join(lines) + "\n"


def _how(scores: dict[str, Any]) -> list[str]:
    """How the scores came about, in sentences."""
    told = {"Asked": asked_text(scores), "Cut off": cut_text(scores)}
    return [f"{name}: {sentence}" for name, sentence in told.items() if sentence]


def _scores_table(scores: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("score")
    table.add_column("base", justify="right")
    table.add_column("tuned", justify="right")
    table.add_column("change")
    table.add_column("what it is")
    for row in score_rows(scores):
        # Only a change that is clear has a colour: noise is neither good nor bad.
        styles = {"better": "green", "worse": "red", NOISE: "dim"}
        style = styles.get(row.change.partition(",")[0], "")
        table.add_row(row.name, row.base, row.tuned, Text(row.change, style=style), row.meaning)
    return table


def _choose(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Of the library's questions, evenly spread over the file, all but one or two; then others."""
    by_kind = {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in ("recall", "retention", "contrast")
    }
    others = [by_kind[kind][:1] for kind in ("retention", "contrast") if by_kind[kind]]
    rest = [row for some in others for row in some][: max(0, count - 1)]
    return spread(by_kind["recall"], count - len(rest)) + rest


def _cell(row: dict[str, Any], name: str) -> Text:
    right = row[name]["right"]
    if row["kind"] == "contrast":
        word = "clear" if right else "leak"
    else:
        word = "right" if right else "wrong"
    if row[name]["chosen"] is not None:
        word += f" (chose {row[name]['chosen']})"
    if marks := marks_text(row[name]):
        word += f" ({marks})"
    text = Text(f"{word}: ", style="green" if right else "red")
    return text.append(_shorten(row[name]["answer"]), style="default")


def _shorten(answer: str) -> str:
    flat = " ".join(answer.split())
    return flat if len(flat) <= LONGEST_ANSWER else f"{flat[:LONGEST_ANSWER].rstrip()} ..."


def _markdown_cell(text: str) -> str:
    # What a model wrote is text: it must not become a table border, markup or HTML.
    return _markdown(_shorten(text))


def _markdown(text: str) -> str:
    plain = text.replace("\\", "\\\\")
    for sign in "|*_`[]#":
        plain = plain.replace(sign, f"\\{sign}")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
