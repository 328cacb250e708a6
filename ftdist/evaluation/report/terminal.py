"""A comparison for the terminal and as Markdown: answers side by side, scores. No torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from ftdist.errors import StorageError
from ftdist.evaluation.report.exposures import exposure_text
from ftdist.evaluation.report.passages import print_passages
from ftdist.evaluation.report.text import (
    contamination_texts,
    cost_text,
    document_rows,
    eval_config_text,
    leaked_text,
    truncation_text,
)
from ftdist.io.jsonl import read_json_lines
from ftdist.io.sampling import evenly_spaced
from ftdist.observe.passage_table import passage_markdown
from ftdist.observe.score_table import (
    ScoreRow,
    Scores,
    regressions,
    score_table,
    split_headline,
    verdict_word,
)
from ftdist.text.terminal import plain

MAX_ANSWER = 240
MAX_DOCUMENTS = 5

PIPE_WIDTH = 120
"""Columns where the output is not a terminal."""

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
    n = scores["truncated"]["n"]
    if len(answers) != n:
        raise StorageError(
            f"The comparison in {folder} is damaged: answers.jsonl holds {len(answers)} answers of "
            f"{n}.",
            remedy=COMPARE_AGAIN,
        )
    return Report(scores, answers)


def _is_comparison(scores: Any, answers: Sequence[dict[str, Any]]) -> bool:
    if not isinstance(scores, dict):
        return False
    parts = [scores.get(name) for name in ("base", "tuned", "truncated")]
    parts += [row.get(model) for row in answers for model in ("base", "tuned")]
    return all(isinstance(part, dict) for part in parts) and all(
        row.keys() >= {"question", "kind", "expected"} for row in answers
    )


def print_comparison(report_dir: Path, console: Console, *, examples: int = 6) -> None:
    """Print some questions with both answers, then the scores, the most important first.

    Args:
        report_dir: `runs/R/report`.
        console: where to print.
        examples: maximum number of questions to show; those about the library come first.
    """
    report = read_report(report_dir)
    fit_width(console, pipe=PIPE_WIDTH)
    rows = score_table(report.scores)
    headline, others = split_headline(rows)
    _print_answers(_choose(report.answers, examples), console)
    _print_scores(headline, console, title="score")
    if others:
        _print_scores(others, console, title="other scores")
    print_passages(report.scores, report.answers, console)
    _print_weakest(report.scores, console)
    for sentence in _notes(report.scores):
        console.print(Text(sentence))
    for _, sentence in regressions(rows):
        console.print(Text(plain(sentence), style="red"))


def fit_width(console: Console, *, pipe: int) -> None:
    """Widen the console to `pipe` columns where it is a pipe or a log file."""
    if not console.is_terminal:
        console.width = max(console.width, pipe)


def comparison_markdown(report_dir: Path, *, examples: int = 6) -> str:
    """The same as Markdown tables, for a model card or a README.

    Args:
        report_dir: `runs/R/report`.
        examples: maximum number of questions to show.
    """
    report = read_report(report_dir)
    rows = score_table(report.scores)
    lines = ["| question | base | tuned |", "| --- | --- | --- |"]
    for row in _choose(report.answers, examples):
        cells = (row["question"], row["base"]["answer"], row["tuned"]["answer"])
        lines.append(f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |")
    lines += ["", *markdown_table(rows)]
    if passages := passage_markdown(report.scores):
        lines += ["", *map(plain, passages)]
    weakest = document_rows(report.scores, limit=MAX_DOCUMENTS)
    if weakest:
        lines += ["", "| weakest parts of the library | base | tuned |", "| --- | ---: | ---: |"]
        lines += [f"| {_markdown_cell(part)} | {base} | {tuned} |" for part, base, tuned in weakest]
    lines += [f"\n{_markdown(sentence)}" for sentence in _notes(report.scores)]
    lines += [f"\n{_markdown(sentence)}" for _, sentence in regressions(rows)]
    return "\n".join(lines) + "\n"


def markdown_table(rows: Sequence[ScoreRow]) -> list[str]:
    """The lines of the score table in Markdown."""
    lines = ["| score | base | tuned | change | description |", "| --- | ---: | ---: | --- | --- |"]
    return lines + [f"| {' | '.join(map(plain, row.cells))} |" for row in rows]


def _notes(scores: Scores) -> list[str]:
    """How the scores were measured, what they cost, and what to beware of."""
    notes = [
        f"Evaluation: {eval_config_text(scores)}",
        f"Truncated: {truncation_text(scores)}",
        *(f"Contaminated: {sentence}" for sentence in contamination_texts(scores)),
        *(f"Exposures: {text}" for text in [exposure_text(scores)] if text),
    ]
    cost = cost_text(scores)
    return [*notes, f"Training: {plain(cost)}"] if cost else notes


def _print_answers(rows: Sequence[dict[str, Any]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, expand=True)
    for name, ratio in (("question", 3), ("base", 5), ("tuned", 5)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for row in rows:
        table.add_row(
            Text(plain(row["question"])), *(_cell(row, name) for name in ("base", "tuned"))
        )
    console.print(table)


def _print_scores(rows: Sequence[ScoreRow], console: Console, *, title: str) -> None:
    styles = {"better": "green", "worse": "red"}
    table = Table(box=box.SIMPLE_HEAD)
    for name in (title, "base", "tuned", "change", "description"):
        justify: JustifyMethod = "right" if name in ("base", "tuned") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name == title)
    for row in rows:
        name, base, tuned, change, description = map(plain, row.cells)
        style = styles.get(row.verdict, "dim")
        table.add_row(Text(name), base, tuned, Text(change, style=style), description)
    console.print(table)


def _print_weakest(scores: Scores, console: Console) -> None:
    weakest = document_rows(scores, limit=MAX_DOCUMENTS)
    if weakest:
        table = Table(box=box.SIMPLE_HEAD)
        for name in ("weakest parts of the library", "base: facts", "tuned: facts"):
            table.add_column(name, overflow="fold")
        for part, base, tuned in weakest:
            table.add_row(Text(part), base, tuned)
        console.print(table)


def _choose(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Of the library's questions, evenly spread over the file, all but one or two; then others."""
    by_kind = {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in ("fact", "general", "out_of_scope")
    }
    others = [by_kind[kind][:1] for kind in ("general", "out_of_scope") if by_kind[kind]]
    rest = [row for some in others for row in some][: max(0, count - 1)]
    return evenly_spaced(by_kind["fact"], count - len(rest)) + rest


def _cell(row: dict[str, Any], name: str) -> Text:
    right = row[name]["right"]
    word = verdict_word(row["kind"], right=right)
    if row[name]["chosen"] is not None:
        word += f" (chose {plain(row[name]['chosen'])})"
    if leaked := leaked_text(row[name]):
        word += f" ({leaked})"
    text = Text(f"{word}: ", style="green" if right else "red")
    return text.append(_shorten(row[name]["answer"]), style="default")


def _shorten(answer: str) -> str:
    flat = " ".join(plain(answer).split())
    return flat if len(flat) <= MAX_ANSWER else f"{flat[:MAX_ANSWER].rstrip()} ..."


def _markdown_cell(text: str) -> str:
    # What a model wrote is text: it must not become a table border, markup or HTML.
    return _markdown(_shorten(text))


def _markdown(text: str) -> str:
    escaped = plain(text).replace("\\", "\\\\")
    for sign in "|*_`[]#":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
