"""Show the evaluations made during training as curves and answers. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftdist.io.sampling import evenly_spaced
from ftdist.observe.charts import Chart, chart
from ftdist.observe.training_evals import read_training_evals

MAX_STEPS = 5
"""Steps whose answers are shown: the base's, the last, and evenly spaced ones between."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One question with its answers during training.

    Attributes:
        question: the question.
        expected: the known answer.
        answers: answers with their step; step 0 is the base.
    """

    question: str
    expected: str
    answers: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The evaluations during training.

    Attributes:
        charts: accuracies, and the increase of general loss over the base.
        best: step of the best checkpoint; None: no step retained enough.
        generations: generated answers.
    """

    charts: tuple[Chart, ...]
    best: int | None
    generations: tuple[Generation, ...]


def learning(evals: Path, *, best: int | None) -> Learning | None:
    """The evaluations in `evals.jsonl`; None without any.

    Args:
        evals: the file.
        best: step of the best checkpoint.
    """
    rows = read_training_evals(evals)
    if len(rows) < 2:
        return None
    base_loss = _loss(rows[0])
    shares = {
        "key facts, greedy": [
            (row["step"], _share(row["recalled"])) for row in rows if row["recalled"]
        ],
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
        generations=_generations(rows),
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _loss(row: dict[str, Any]) -> float | None:
    """Mean loss of the general texts, in nats per token."""
    tokens = sum(tokens for _, tokens in row["losses"])
    return sum(nats for nats, _ in row["losses"]) / tokens if tokens else None


def _generations(rows: Sequence[dict[str, Any]]) -> tuple[Generation, ...]:
    shown = evenly_spaced(rows, MAX_STEPS, with_last=True)
    found: dict[str, Generation] = {}
    for row in shown:
        for each in row["generations"]:
            before = found.get(each["question"])
            found[each["question"]] = Generation(
                question=each["question"],
                expected=each["expected"],
                answers=((*before.answers, (row["step"], each["answer"])) if before else
                         ((row["step"], each["answer"]),)),
            )  # fmt: skip
    return tuple(found.values())
