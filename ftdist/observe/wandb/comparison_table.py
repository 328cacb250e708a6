"""What `ftdist compare` found, as W&B shows it: values with flat names, a table of answers.

    compare/fact_accuracy/base          as in scores.json, like every other score
    compare/fact_accuracy/tuned         with tuned_low_95 and tuned_high_95
    compare/fact_accuracy/difference    tuned less base, with difference_low_95 and _high_95
    compare/fact_accuracy/n
    compare/fact_accuracy/base_passage  and base_retrieved, tuned_passage: asked with passages
    compare/fact_accuracy/tuned_minus_base_retrieved    and the like
    compare/retrieval_hit_rate
    compare/answers                     the table
    compare/digest                      of all the others, so that nothing is sent twice

A function of `runs/R/report` and the run's config alone. No torch, no wandb.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import read_json_lines
from ftdist.io.sampling import evenly_spaced
from ftdist.observe.passage_table import PASSAGE_COLUMNS, passage_table
from ftdist.observe.redact import redacted
from ftdist.observe.score_table import score_table, verdict_word
from ftdist.rundir import RunDir

PREFIX = "compare/"
ANSWERS = f"{PREFIX}answers"
DIGEST = f"{PREFIX}digest"

MAX_ANSWERS = 500
"""Rows of the table; answers.jsonl has every one."""

LOG_GENERATIONS_KEY = "tracking.log_generations"
"""Name, in a comparison's request, of what goes before the config's `tracking.log_generations`.

In its scores too: what was asked of a finished comparison holds while another one waits."""

COLUMNS = (
    "question",
    "kind",
    "expected",
    "base",
    "base_verdict",
    "base_chosen",
    "base_leaked",
    "tuned",
    "tuned_verdict",
    "tuned_chosen",
    "tuned_leaked",
    *(f"{column}{suffix}" for column in PASSAGE_COLUMNS for suffix in ("", "_verdict")),
)
"""Of the table: text, or nothing where no choice was to be made, or nothing leaked."""

Value = int | float
Row = tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What W&B is to show of a comparison.

    Attributes:
        values: by their names in W&B.
        answers: the rows of the table; None if answers must not be sent.
        num_questions: of the comparison; the table has at most `MAX_ANSWERS`.
    """

    values: Mapping[str, Value]
    answers: tuple[Row, ...] | None
    num_questions: int

    @property
    def digest(self) -> str:
        """The same for the same content alone."""
        return fingerprint(dict(self.values), COLUMNS, self.answers)[:16]

    @property
    def description(self) -> str:
        """What is sent, in words."""
        if self.answers is None:
            return "the comparison's scores without its answers"
        questions = "question" if self.num_questions == 1 else "questions"
        shown = f"{len(self.answers)} of " if len(self.answers) < self.num_questions else ""
        return f"the comparison with {shown}its {self.num_questions} {questions}"


def read_comparison(
    run: RunDir, config: RunConfig, *, environment: Mapping[str, str]
) -> Comparison | None:
    """The newest comparison of a run; None where there is none, or it cannot be read.

    Args:
        run: whose report is read.
        config: of the run.
        environment: its secrets are hidden wherever they stand in the answers.
    """
    try:
        scores = json.loads((run.report / "scores.json").read_text(encoding="utf-8"))
        rows = list(read_json_lines(run.report / "answers.jsonl"))
        answers = None
        if scores.get(LOG_GENERATIONS_KEY, answers_wanted(run, config)):
            table = redacted(answer_rows(rows), environment=environment)
            answers = tuple(tuple(row) for row in table)
        return Comparison(values=score_values(scores), answers=answers, num_questions=len(rows))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def score_values(scores: Mapping[str, Any]) -> dict[str, Value]:
    """The score table, flips and cost as numbers with flat names."""
    values: dict[str, Value] = {}
    for row in score_table(scores):
        fields: dict[str, Any] = {
            "base": row.base.value if row.base else None,
            "tuned": row.tuned.value,
            "n": row.tuned.n,
            "tuned_low_95": row.tuned.low,
            "tuned_high_95": row.tuned.high,
        }
        if row.delta is not None:
            fields |= {
                "difference": row.delta.value,
                "difference_low_95": row.delta.low,
                "difference_high_95": row.delta.high,
            }
        values |= _numbers(row.name, fields)
    for passage_row in passage_table(scores):
        values |= _numbers(passage_row.name, passage_row.numbers)
    if rate := scores.get("passages", {}).get("retrieval_hit_rate"):
        values[f"{PREFIX}retrieval_hit_rate"] = rate["value"]
    for section in ("flips", "cost"):
        values |= _numbers(section, scores[section] or {})
    return values


def _numbers(section: str, fields: Mapping[str, Any]) -> dict[str, Value]:
    return {
        f"{PREFIX}{section}/{name}": value
        for name, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def answer_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """At most `MAX_ANSWERS` rows of `answers.jsonl`, evenly spread over it, as `COLUMNS`."""
    return [_answer_row(row) for row in evenly_spaced(rows, MAX_ANSWERS)]


def _answer_row(row: Mapping[str, Any]) -> Row:
    cells = [row["question"], row["kind"], row["expected"]]
    for model in ("base", "tuned"):
        answer = row[model]
        cells += [answer["answer"], verdict_word(row["kind"], right=answer["right"])]
        cells += [answer["chosen"], "; ".join(answer["leaked"]) or None]
    for column in PASSAGE_COLUMNS:
        answer = row.get(column)
        word = answer and verdict_word(row["kind"], right=answer["right"])
        cells += [answer and answer["answer"], word]
    return tuple(cells)


def answers_wanted(run: RunDir, config: RunConfig) -> bool:
    """As requested for the last comparison, else as the config says."""
    request = run.request("compare")
    if not request.is_file():
        return config.tracking.log_generations
    requested = json.loads(request.read_text(encoding="utf-8"))
    return bool(requested.get(LOG_GENERATIONS_KEY, config.tracking.log_generations))
