"""What `ftdist compare` found, as W&B shows it: values with flat names, a table of answers.

    compare/fact_accuracy/base                  as in scores.json, like every other score
    compare/fact_accuracy/tuned
    compare/fact_accuracy/difference            tuned less base, and its 95 % interval
    compare/fact_accuracy/difference_low_95
    compare/fact_accuracy/difference_high_95
    compare/fact_accuracy/n
    compare/answers                      the table
    compare/digest                       of all the others: what it tells of needs no second sending

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
from ftdist.observe.redact import redacted
from ftdist.rundir import RunDir

PREFIX = "compare/"
ANSWERS = f"{PREFIX}answers"
DIGEST = f"{PREFIX}digest"

MAX_ANSWERS = 500
"""Rows of the table; answers.jsonl has every one."""

ANSWERS_ASKED = "tracking.log_generations"
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
)
"""Of the table: text, or nothing where no choice was to be made, or nothing leaked."""

Value = int | float
Row = tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What W&B is to show of a comparison.

    Attributes:
        values: by their names in W&B.
        answers: the rows of the table; None: no text leaves this place.
        asked: questions there are, of which the table has at most `MAX_ANSWERS`.
    """

    values: Mapping[str, Value]
    answers: tuple[Row, ...] | None
    asked: int

    @property
    def digest(self) -> str:
        """The same for the same content alone."""
        return fingerprint(dict(self.values), COLUMNS, self.answers)[:16]

    @property
    def told(self) -> str:
        """What is sent, in words."""
        if self.answers is None:
            return "the comparison's scores without its answers"
        questions = "question" if self.asked == 1 else "questions"
        shown = f"{len(self.answers)} of " if len(self.answers) < self.asked else ""
        return f"the comparison with {shown}its {self.asked} {questions}"


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
        if scores.get(ANSWERS_ASKED, answers_wanted(run, config)):
            table = redacted(answer_rows(rows), environment=environment)
            answers = tuple(tuple(row) for row in table)
        return Comparison(values=score_values(scores), answers=answers, asked=len(rows))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def score_values(scores: Mapping[str, Any]) -> dict[str, Value]:
    """`scores.json` as numbers with flat names; what it does not have is left out."""
    found: dict[str, Value] = {}
    intervals, pairs = scores.get("intervals", {}), scores.get("paired", {})
    for name, value in scores["tuned"].items():
        interval = intervals.get("tuned", {}).get(name, {})
        base = scores["base"].get(name)
        found |= _score(name, base=base, tuned=value, change=pairs.get(name), interval=interval)
    if near := scores.get("confusable_accuracy"):
        found |= _score(
            "confusable_accuracy",
            base=near["base"]["value"],
            tuned=near["tuned"]["value"],
            change=near.get("paired"),
            interval=near["tuned"],
        )
    if loss := scores.get("general_nll"):
        found |= _score(
            "general_nll",
            base=loss["base"],
            tuned=loss["tuned"],
            change=loss,
            interval={"n": loss["passages"]},
        )
    for section in ("flips", "cost"):
        found |= _numbers(section, scores.get(section) or {})
    return found


def _score(
    name: str,
    *,
    base: Value | None,
    tuned: Value,
    change: Mapping[str, Any] | None,
    interval: Mapping[str, Any],
) -> dict[str, Value]:
    fields: dict[str, Any] = {"base": base, "tuned": tuned, "n": interval.get("n")}
    fields |= {f"tuned_{end}": interval.get(end) for end in ("low_95", "high_95")}
    if change is not None:
        fields |= {
            "difference": change["difference"],
            "difference_low_95": change["low_95"],
            "difference_high_95": change["high_95"],
        }
    return _numbers(name, fields)


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
        said = row[model]
        cells += [said["answer"], _verdict(row["kind"], right=said["right"]), said.get("chosen")]
        cells.append("; ".join(said.get("leaked") or ()) or None)
    return tuple(cells)


def _verdict(kind: str, *, right: bool) -> str:
    if kind in ("out_of_scope", "general_open"):
        return "clear" if right else "leak"
    return "right" if right else "wrong"


def answers_wanted(run: RunDir, config: RunConfig) -> bool:
    """As a comparison was told last, as far as it was; else as the config says."""
    request = run.request("compare")
    if not request.is_file():
        return config.tracking.log_generations
    asked = json.loads(request.read_text(encoding="utf-8"))
    return bool(asked.get(ANSWERS_ASKED, config.tracking.log_generations))
