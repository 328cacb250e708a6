"""What was measured while a model learned, read back; and its answers as W&B shows them.

    eval/answers    a table in the run's summary: a row a question and measurement, step 0 the base

A function of `runs/R/evals.jsonl` and the run's config alone. No torch, no wandb.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftdist.config.schema import RunConfig
from ftdist.io.hashing import fingerprint
from ftdist.io.jsonl import read_json_lines
from ftdist.observe.redact import redacted
from ftdist.rundir import RunDir

ANSWERED = "eval/answers"

COLUMNS = ("step", "question", "kind", "expected", "answer")

MAX_ROWS = 1000
"""Of the table: the base's, and the newest."""

Row = tuple[int | str, ...]


def digest_of(rows: Sequence[Row]) -> str:
    """The same for the same rows alone; "" for none."""
    return fingerprint(COLUMNS, rows)[:16] if rows else ""


def read_training_evals(path: Path) -> list[dict[str, Any]]:
    """The newest evaluation of each step with the latest set of questions, in order.

    None at all where the base was not measured with these questions.
    """
    rows = [row for row in read_json_lines(path) if _is_whole(row)]
    by_step = {row["step"]: row for row in rows if row["digest"] == rows[-1]["digest"]}
    return [by_step[step] for step in sorted(by_step)] if 0 in by_step else []


def _is_whole(row: dict[str, Any]) -> bool:
    names = {"step", "digest", "ranked", "recalled", "general", "losses", "generations"}
    return names <= row.keys()


def answered(run: RunDir, config: RunConfig, *, environment: Mapping[str, str]) -> tuple[Row, ...]:
    """What was answered in writing, as `COLUMNS`; nothing where no text may leave this place.

    Args:
        run: whose record is read.
        config: of the run.
        environment: its secrets are hidden wherever they stand in the answers.
    """
    if not config.tracking.log_generations:
        return ()
    rows = [
        (measured["step"], *(each[name] for name in COLUMNS[1:]))
        for measured in read_training_evals(run.evals)
        for each in measured["generations"]
    ]
    base = [row for row in rows if row[0] == 0]
    newest = rows[len(base) :]
    rows = base + newest[max(0, len(newest) + len(base) - MAX_ROWS) :]
    return tuple(tuple(row) for row in redacted(rows, environment=environment))
