"""Judge the answers from passages, and add them to the rows and scores of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from ftdist.evaluation.eval_requests import Answers, PassageAnswer
from ftdist.evaluation.eval_set import EvalSet
from ftdist.evaluation.passage_questions import COLUMNS, PassageQuestions
from ftdist.evaluation.scoring.aggregate import JudgedAnswers
from ftdist.evaluation.scoring.judge import AnswerVerdict, LibraryMarks, judge
from ftdist.evaluation.scoring.passage_scores import passage_scores


def add_passage_columns(
    rows: list[dict[str, Any]],
    eval_set: EvalSet,
    questions: PassageQuestions,
    *,
    answers: Mapping[str, Answers],
    judged: Mapping[str, JudgedAnswers],
) -> dict[str, Any]:
    """Add the answers from passages to the rows of `answers.jsonl`, and compute their scores.

    Args:
        rows: one per probe; those asked with passages get a field for each column, and
            `passages`, what was in the prompts.
        eval_set: whose probes were asked.
        questions: which of them were asked with passages.
        answers: by model.
        judged: by model, its answers without passages.

    Returns:
        what goes into `scores.json`: the scores of each column, and `passages`.
    """
    by_column: dict[str, dict[int, PassageAnswer]] = {}
    for model in COLUMNS:
        by_column |= questions.by_column(answers[model].with_passages, model=model)
    cut = _cut(by_column)
    indices = [n for n in questions.indices if n not in cut]
    verdicts = _verdicts(by_column, eval_set, indices=frozenset(indices))
    _add_to_rows(rows, questions, by_column, verdicts, indices=indices)
    own = {model: dict(enumerate(each.probes)) for model, each in judged.items()}
    scores = passage_scores(eval_set, {**own, **verdicts}, indices=indices)
    hit_rate = questions.hit_rate(eval_set.probes)
    of_columns = {
        column: {name: rate["value"] for name, rate in scores["columns"].get(column, {}).items()}
        for column in by_column
    }
    return {
        **of_columns,
        "passages": {
            "asked": len(indices),
            "candidates": questions.num_candidates,
            "without_right_passage": questions.num_without + len(cut),
            "library_passages": questions.num_passages,
            "retrieved_passages": questions.limit,
            "retrieval_hit_rate": hit_rate.fields() if hit_rate else None,
            "shortened": _counts(by_column, "shortened"),
            "truncated": _counts(by_column, "truncated"),
            "took_s": {model: round(each.passages_s, 1) for model, each in answers.items()},
            **scores,
        },
    }


def _add_to_rows(
    rows: list[dict[str, Any]],
    questions: PassageQuestions,
    by_column: Mapping[str, Mapping[int, PassageAnswer]],
    verdicts: Mapping[str, Mapping[int, AnswerVerdict]],
    *,
    indices: Sequence[int],
) -> None:
    """Add each column's judged answers, and what was in the prompts of the probes at `indices`."""
    for column, given in by_column.items():
        for n, verdict in verdicts[column].items():
            judged_row = {"answer": given[n].text, "truncated": given[n].truncated}
            rows[n][column] = {**judged_row, **asdict(verdict)}
    for n in indices:
        shown = {"right": questions.right.get(n), "retrieved": questions.retrieved.get(n, ())}
        rows[n]["passages"] = shown


def _verdicts(
    by_column: Mapping[str, Mapping[int, PassageAnswer]],
    eval_set: EvalSet,
    *,
    indices: frozenset[int],
) -> dict[str, dict[int, AnswerVerdict]]:
    """By column and index of the probe, for the probes at `indices`."""
    marks = LibraryMarks.from_probes(eval_set.probes)
    return {
        column: {
            n: judge(eval_set.probes[n], answer.text, marks=marks)
            for n, answer in given.items()
            if n in indices
        }
        for column, given in by_column.items()
    }


def _counts(
    by_column: Mapping[str, Mapping[int, PassageAnswer]], name: Literal["shortened", "truncated"]
) -> dict[str, int]:
    """How many of each column's answers are so."""
    return {
        column: sum(getattr(answer, name) for answer in given.values())
        for column, given in by_column.items()
    }


def _cut(by_column: Mapping[str, Mapping[int, PassageAnswer]]) -> set[int]:
    """The probes whose right passage did not fit whole: what was cut off may be the answer."""
    return {
        n
        for column, given in by_column.items()
        if column.endswith("_passage")
        for n, answer in given.items()
        if answer.shortened
    }
