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
from ftdist.evaluation.report.deltas import changes, losses
from ftdist.evaluation.report.narrow_terminal import from_to, print_blocks
from ftdist.evaluation.report.text import (
    asked_text,
    cost_text,
    cut_text,
    documents_rows,
    marks_text,
    score_rows,
    seen_text,
)
from ftdist.io.jsonl import read_json_lines
from ftdist.io.sampling import evenly_spaced
from ftdist.text.terminal import plain

MAX_ANSWER = 240
MAX_DOCUMENTS = 5

ANSWERS_WIDTH, SCORES_WIDTH = 60, 100
"""Columns of a terminal below which answers, and scores, stand under each other: a table of them
would cut names, or take more than three lines for most scores.
"""

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
    asked = scores.get("truncated", {}).get("n", len(answers))  # an older comparison does not say
    if len(answers) != asked:
        raise StorageError(
            f"The comparison in {folder} is damaged: answers.jsonl holds {len(answers)} answers of "
            f"{asked}.",
            remedy=COMPARE_AGAIN,
        )
    return Report(scores, answers)


def _is_comparison(scores: Any, answers: Sequence[dict[str, Any]]) -> bool:
    if not isinstance(scores, dict) or not isinstance(scores.get("truncated", {}), dict):
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
    console.width = width  # nothing is printed wider than it believes to be
    _print_answers(_choose(report.answers, examples), console, width=width)
    _print_scores(report.scores, console, width=width)
    for sentence in _how(report.scores):
        console.print(Text(sentence), width=width)
    _print_weakest(report.scores, console, width=width)
    for sentence in seen_text(report.scores):
        console.print(Text(f"Not unseen: {sentence}"), width=width)
    if cost := cost_text(report.scores):
        console.print(Text(f"Training: {plain(cost)}"), width=width)
    for _, sentence in losses(changes(report.scores)):
        console.print(Text(sentence, style="red"), width=width)


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
    weakest = documents_rows(report.scores, most=MAX_DOCUMENTS)
    if weakest:
        lines += ["", "| weakest in the library | base | tuned |", "| --- | ---: | ---: |"]
        lines += [
            f"| {_markdown_cell(place)} | {base} | {tuned} |" for place, base, tuned in weakest
        ]
    lines += [f"\nNot unseen: {_markdown_cell(sentence)}" for sentence in seen_text(report.scores)]
    if cost := cost_text(report.scores):
        lines += ["", f"Training: {cost}"]
    lines += [f"\n{_markdown(sentence)}" for _, sentence in losses(changes(report.scores))]
    return "\n".join(lines) + "\n"


def _how(scores: dict[str, Any]) -> list[str]:
    """How the scores came about, in sentences."""
    told = {"Asked": asked_text(scores), "Cut off": cut_text(scores)}
    return [f"{name}: {sentence}" for name, sentence in told.items() if sentence]


def _print_answers(rows: Sequence[dict[str, Any]], console: Console, *, width: int) -> None:
    names = ("base", "tuned")
    if width < ANSWERS_WIDTH:
        blocks = (
            (
                Text(plain(row["question"]), style="bold"),
                [Text(f"{name} ").append_text(_cell(row, name)) for name in names],
            )
            for row in rows
        )
        print_blocks(console, blocks, width=width)
        return
    table = Table(box=box.SIMPLE_HEAD, show_lines=True, expand=True)
    for name, ratio in (("question", 3), ("base", 5), ("tuned", 5)):
        table.add_column(name, ratio=ratio, overflow="fold")
    for row in rows:
        table.add_row(Text(plain(row["question"])), *(_cell(row, name) for name in names))
    console.print(table, width=width)


def _print_scores(scores: dict[str, Any], console: Console, *, width: int) -> None:
    rows = score_rows(scores)
    # Only a change that is clear has a colour: noise is neither good nor bad.
    styles = {"better": "green", "worse": "red"}
    changed = [Text(row.change, style=styles.get(row.verdict, "dim")) for row in rows]
    if width < SCORES_WIDTH:
        blocks = (
            (
                Text(row.name, style="bold").append(f": {row.meaning}", style="not bold"),
                [*from_to(row.base, row.tuned, width=width), *([change] if change else [])],
            )
            for row, change in zip(rows, changed, strict=True)
        )
        print_blocks(console, blocks, width=width)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("score", "base", "tuned", "change", "what it is"):
        is_number = name in ("base", "tuned")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row, change in zip(rows, changed, strict=True):
        table.add_row(Text(row.name), row.base, row.tuned, change, row.meaning)
    console.print(table, width=width)


def _print_weakest(scores: dict[str, Any], console: Console, *, width: int) -> None:
    weakest = documents_rows(scores, most=MAX_DOCUMENTS)
    if weakest and width < SCORES_WIDTH:
        console.print(Text("\nWeakest in the library, recall:"), width=width)
        blocks = ((Text(place), from_to(*rates, width=width)) for place, *rates in weakest)
        print_blocks(console, blocks, width=width)
    elif weakest:
        table = Table(box=box.SIMPLE_HEAD)
        for name in ("weakest in the library", "base: recall", "tuned: recall"):
            table.add_column(name, overflow="fold")
        for place, base, tuned in weakest:
            table.add_row(Text(place), base, tuned)
        console.print(table, width=width)


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
    if row["kind"] == "out_of_scope":
        word = "clear" if right else "leak"
    else:
        word = "right" if right else "wrong"
    if row[name]["chosen"] is not None:
        word += f" (chose {plain(row[name]['chosen'])})"
    if marks := marks_text(row[name]):
        word += f" ({marks})"
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
