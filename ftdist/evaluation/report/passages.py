"""Fine-tuning beside retrieval, for the terminal. Loads no torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftdist.observe.passage_table import (
    COLUMNS,
    passage_notes,
    passage_sentence,
    passage_table,
    retrieval_wins,
    wins_sentence,
)
from ftdist.observe.score_table import Scores
from ftdist.text.terminal import plain

MAX_WINS = 3
"""Questions that are named where retrieval is right and the tuned model wrong."""


def print_passages(scores: Scores, answers: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the scores with and without passages; nothing where none were asked.

    Of the differences, those of the first score and those that are worse.

    Args:
        scores: `scores.json`.
        answers: the rows of `answers.jsonl`.
        console: where to print.
    """
    rows = passage_table(scores)
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("with passages", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", overflow="fold")
    for row in rows:
        values = (value.brief if value else "-" for value in row.values.values())
        table.add_row(row.name, *values)
    console.print(table)
    for number, row in enumerate(rows):
        shown = [each for each in row.differences if number == 0 or each.verdict == "worse"]
        for each in shown:
            style = {"better": "green", "worse": "red"}.get(each.verdict, "dim")
            console.print(Text(f"{row.name}, {each.label}: {each.text}", style=style))
    sentences = (passage_sentence(scores), *passage_notes(scores), wins_sentence(answers))
    console.print(Text(" ".join(filter(None, sentences))))
    for won in retrieval_wins(answers)[:MAX_WINS]:
        question = " ".join(plain(won["question"]).split())
        console.print(Text(f"  retrieval wins: {question}"), soft_wrap=True)
