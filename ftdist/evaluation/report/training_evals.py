"""What was measured while a model learned, as curves and as answers side by side. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.evaluation.report.charts import Chart, chart
from ftdist.io.sampling import evenly_spaced
from ftdist.observe.training_evals import read_training_evals

MAX_STEPS = 5
"""Of which written answers are shown: the base's, the last, and those evenly between."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """One question, and what was answered to it in the course of training.

    Attributes:
        question: as asked.
        expected: the known answer.
        answers: by step, the base's of step 0.
    """

    question: str
    expected: str
    answers: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What was known and kept, by step.

    Attributes:
        charts: shares of the questions, and general loss above the base's.
        best: the step that was kept as the best; None: none kept enough.
        written: answers that were written on the way.
    """

    charts: tuple[Chart, ...]
    best: int | None
    written: tuple[Written, ...]


def learning(measures: Path, *, best: int | None) -> Learning | None:
    """What `measures.jsonl` tells; None where nothing was measured.

    Args:
        measures: the file.
        best: step of the checkpoint that was kept as the best.
    """
    rows = read_training_evals(measures)
    if len(rows) < 2:
        return None
    base_loss = _loss(rows[0])
    shares = {
        "recall ranked": [(row["step"], _share(row["ranked"])) for row in rows if row["ranked"]],
        "general": [(row["step"], _share(row["general"])) for row in rows if row["general"]],
    }
    added = [
        (row["step"], loss - base_loss)
        for row in rows
        if base_loss is not None and (loss := _loss(row)) is not None
    ]
    drawn = (
        chart("Shares of the questions", shares),
        chart("General loss above the base's, nats", {"general loss": added}),
    )
    return Learning(
        charts=tuple(each for each in drawn if each is not None),
        best=best,
        written=_written(rows),
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _loss(row: dict[str, Any]) -> float | None:
    """Mean loss of the general texts, in nats a token."""
    tokens = sum(tokens for _, tokens in row["losses"])
    return sum(nats for nats, _ in row["losses"]) / tokens if tokens else None


def _written(rows: Sequence[dict[str, Any]]) -> tuple[Written, ...]:
    shown = evenly_spaced(rows, MAX_STEPS, with_last=True)
    found: dict[str, Written] = {}
    for row in shown:
        for each in row["written"]:
            before = found.get(each["question"])
            found[each["question"]] = Written(
                question=each["question"],
                expected=each["expected"],
                answers=((*before.answers, (row["step"], each["answer"])) if before else
                         ((row["step"], each["answer"]),)),
            )  # fmt: skip
    return tuple(found.values())
