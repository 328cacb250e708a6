"""Fine-tuning beside retrieval, as rows and sentences."""

from typing import Any

from ftdist.evaluation.scoring.confidence import Paired, Rate
from ftdist.observe.passage_table import (
    passage_markdown,
    passage_sentence,
    passage_table,
    retrieval_wins,
    wins_sentence,
)


def scores() -> dict[str, Any]:
    """Facts: base 0 of 10, with retrieval 6, tuned 9, of which 5 are the same."""
    paired = Paired(both=5, tuned_only=4, base_only=1, neither=0).fields()
    return {
        "passages": {
            "asked": 10, "candidates": 20, "without_right_passage": 10, "library_passages": 3,
            "retrieved_passages": 3, "retrieval_hit_rate": Rate(8, 10).fields(),
            "shortened": {"base_retrieved": 1}, "took_s": {"base": 9.0, "tuned": 3.0},
            "columns": {
                "base": {"fact_accuracy": Rate(0, 10).fields()},
                "base_retrieved": {"fact_accuracy": Rate(6, 10).fields()},
                "tuned": {"fact_accuracy": Rate(9, 10).fields(), "other": Rate(1, 10).fields()},
            },
            "paired": {"tuned - base_retrieved": {"fact_accuracy": paired}},
        }
    }  # fmt: skip


def test_a_score_has_a_value_in_each_column_that_measured_it() -> None:
    (row,) = passage_table(scores())
    shown = {name: value.brief if value else None for name, value in row.values.items()}
    assert shown == {
        "base": "0.00 (0/10)",
        "base_passage": None,
        "base_retrieved": "0.60 (6/10)",
        "tuned": "0.90 (9/10)",
        "tuned_passage": None,
    }
    (difference,) = row.differences
    assert (difference.estimate.text, difference.verdict) == ("+0.30", "unclear")
    assert row.numbers == {"base_retrieved": 0.6, "tuned_minus_base_retrieved": 0.3}


def test_one_sentence_says_what_each_answers() -> None:
    assert passage_sentence(scores()) == (
        "Fine-tuning answers 0.90 of the questions; the base with retrieved passages 0.60."
    )
    assert "10 of 20 questions about the library, evenly spread," in passage_markdown(scores())[-1]


def test_without_passages_nothing_is_shown() -> None:
    assert passage_table({}) == []
    assert passage_markdown({}) == []
    assert passage_sentence({}) == wins_sentence([{"kind": "fact"}]) == ""


def test_retrieval_wins_where_it_alone_is_right() -> None:
    def row(kind: str, *, retrieved: bool, tuned: bool) -> dict[str, Any]:
        return {"kind": kind, "base_retrieved": {"right": retrieved}, "tuned": {"right": tuned}}

    rows = [
        row("fact", retrieved=True, tuned=False),
        row("fact", retrieved=False, tuned=True),
        row("fact", retrieved=True, tuned=True),
        row("unanswerable", retrieved=True, tuned=False),
        {"kind": "fact", "tuned": {"right": False}},
    ]
    assert retrieval_wins(rows) == rows[:1]
    assert wins_sentence(rows) == (
        "Of 3 facts, retrieval alone is right on 1 and fine-tuning alone on 1."
    )
