"""Scores of answers from passages, compared with those from the model's weights alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.scoring.aggregate import JudgedAnswers, aggregate_scores
from ftdist.evaluation.scoring.judge import AnswerVerdict

Verdicts = Mapping[int, AnswerVerdict]
"""By index of the probe."""

PAIRS = (
    ("tuned", "base_retrieved"),
    ("tuned", "base_passage"),
    ("tuned_passage", "base_passage"),
    ("tuned_passage", "tuned"),
    ("base_passage", "base"),
    ("base_retrieved", "base"),
)
"""Columns whose difference is reported: the first less the second."""


def passage_scores(
    eval_set: EvalSet, verdicts: Mapping[str, Verdicts], *, indices: Sequence[int]
) -> dict[str, Any]:
    """Scores of every column on the questions asked with passages.

    Args:
        eval_set: whose probes were asked.
        verdicts: by column, base and tuned included.
        indices: of the probes that were asked with passages.

    Returns:
        `columns`: by column every score of answers in writing, with its interval, on those of the
        questions that the column was asked; `paired`: by "tuned - base_passage" and the like the
        differences on the questions that both were asked; `answer_words`: by column.
    """
    columns: dict[str, Any] = {}
    answer_words: dict[str, float] = {}
    of_asked = {name: {n: each[n] for n in indices if n in each} for name, each in verdicts.items()}
    for name, column in of_asked.items():
        if column:
            scores = _compared(eval_set, column, column)
            columns[name] = {
                score: {"value": value, **scores["intervals"]["tuned"][score]}
                for score, value in scores["tuned"].items()
            }
            if "answer_words" in scores:
                answer_words[name] = scores["answer_words"]["tuned"]
    paired = {}
    for first, second in PAIRS:
        one, other = of_asked.get(first, {}), of_asked.get(second, {})
        if one.keys() & other.keys():
            paired[f"{first} - {second}"] = _compared(eval_set, other, one)["paired"]
    return {"columns": columns, "paired": paired, "answer_words": answer_words}


def _compared(eval_set: EvalSet, base: Verdicts, tuned: Verdicts) -> dict[str, Any]:
    """The scores of two columns on the probes that both were asked."""
    indices = [n for n in base if n in tuned]
    questions = replace(
        eval_set,
        probes=tuple(eval_set.probes[n] for n in indices),
        general=(),
        texts=(),
        tasks=(),
    )
    return aggregate_scores(
        questions,
        base=_judged([base[n] for n in indices]),
        tuned=_judged([tuned[n] for n in indices]),
    )


def _judged(verdicts: Sequence[AnswerVerdict]) -> JudgedAnswers:
    # Nothing is ranked from passages.
    unranked = [replace(verdict, ranked=None, chosen=None) for verdict in verdicts]
    return JudgedAnswers(probes=unranked, general=(), losses=())
