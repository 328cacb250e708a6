"""Scores in words: a difference is called better or worse only where it is clear."""

from typing import Any

import pytest

from ftdist.evaluation.report.text import (
    asked_text,
    change_text,
    cost_text,
    documents_rows,
    marks_text,
    score_rows,
    seen_text,
)
from ftdist.evaluation.scoring.confidence import Paired, Rate, paired_losses
from ftdist.text.terminal import plain


def paired(difference: float, low: float, high: float, *, clear: bool) -> dict[str, Any]:
    return {"n": 9, "difference": difference, "low_95": low, "high_95": high, "clear": clear}


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("fact_accuracy", paired(0.5, 0.25, 0.75, clear=True), "better, +0.50 (+0.25 to +0.75)"),
        ("general_accuracy", paired(-0.5, -0.7, -0.2, clear=True), "worse, -0.50 (-0.70 to -0.20)"),
        ("my_own", paired(0.1, -0.2, 0.3, clear=False), "within the noise, +0.10 (-0.20 to +0.30)"),
        ("leak_rate", paired(0.5, 0.25, 0.75, clear=True), "worse, +0.50 (+0.25 to +0.75)"),
        ("leak_rate", paired(-0.5, -0.7, -0.2, clear=True), "better, -0.50 (-0.70 to -0.20)"),
        ("general_nll", paired(0.2, 0.1, 0.3, clear=True), "worse, +0.20 (+0.10 to +0.30)"),
        ("over_refusal_rate", None, ""),
    ],
)  # fmt: skip
def test_change_is_better_or_worse_only_where_it_is_clear(
    name: str, found: dict[str, Any] | None, said: str
) -> None:
    assert change_text(name, found) == said


def scores() -> dict[str, Any]:
    rate = Rate(5, 10)
    recall = {"base": Rate(0, 10), "tuned": rate}
    row = {name: each.fields() for name, each in recall.items()}
    return {
        "base": {"fact_accuracy": 0.0},
        "tuned": {"fact_accuracy": 0.5, "new_leak_rate": 0.5, "my_own": 0.5},
        "intervals": {
            "base": {"fact_accuracy": Rate(0, 10).fields()},
            "tuned": {name: rate.fields() for name in ("fact_accuracy", "new_leak_rate", "my_own")},
        },
        "paired": {"fact_accuracy": Paired(both=0, tuned_only=5, base_only=0, neither=5).fields()},
        "general_nll": paired_losses([(30.0, 10)] * 20, [(31.0, 10)] * 20),
        "documents": [{"document": "guide.pdf", "section": "Clocks", "n": 10, **row}],
        "cost": {
            "steps": 65, "tokens": 1_500_000, "rank_hours": 0.55, "device": "cpu",
            "from_scratch_tokens": 3_000_000_000, "share_of_scratch": 0.0005,
        },
    }  # fmt: skip


def test_rows_follow_a_fixed_order_and_a_score_without_base_says_so() -> None:
    rows = score_rows(scores())
    assert [row.name for row in rows] == ["fact_accuracy", "general_nll", "new_leak_rate", "my_own"]
    assert rows[0].base == "0.00 (0/10, 0.00 to 0.28)"
    assert rows[0].tuned == "0.50 (5/10, 0.24 to 0.76)"
    assert rows[0].change.startswith("better, +0.50")
    assert rows[1].base == "3.000 (20 texts, 3.000 to 3.000)"
    assert rows[1].change == "worse, +0.100 (+0.100 to +0.100)"
    assert (rows[2].base, rows[2].change) == ("-", "")


def test_of_too_few_texts_nothing_is_said_but_that_they_are_too_few() -> None:
    few = scores() | {"general_nll": paired_losses([(6.0, 1)] * 2, [(14.0, 1)] * 2)}
    row = next(row for row in score_rows(few) if row.name == "general_nll")
    assert row.verdict == "too few texts to tell (2; 20 are needed)"
    assert row.change == f"{row.verdict}, +8.000 (+8.000 to +8.000)"
    same = scores() | {"general_nll": paired_losses([(6.0, 1)] * 20, [(6.0, 1)] * 20)}
    row = next(row for row in score_rows(same) if row.name == "general_nll")
    assert row.verdict == "within the noise"


def test_what_would_steer_a_terminal_is_left_out_and_every_script_stays() -> None:
    assert plain("a\x1b[31mb\x07\r\x7f\x9b\x00\ud800\u202ec\n\td") == "a[31mbc\n\td"
    kept = "5\u202fkm, 5\u00a0m, \u0645\u06cc\u200c\u062e, \u4e2d\u3000\u6587, \U0001f600"
    assert plain(kept) == kept
    steered = "\x1b]0;pwned\x07"
    told = scores()
    told["documents"][0]["section"] = steered
    told |= {
        "eval_config": {"max_new_tokens": 1, "lm_eval_tasks": [steered]}, "probes": steered,
        "contamination": {"texts": {"contaminated": 1, "n": 1, "first": steered}},
    }  # fmt: skip
    told["tuned"][steered] = 0.5
    told["intervals"]["tuned"][steered] = Rate(5, 10).fields()
    said = str([
        documents_rows(told, most=5)[0][0], asked_text(told), *seen_text(told),
        marks_text({"leaked": [steered]}), score_rows(told)[-1].name,
    ])  # fmt: skip
    assert said.count("]0;pwned") == 6
    assert not {"\\x1b", "\\x07"} & {said[n : n + 4] for n in range(len(said))}


def test_report_of_an_older_comparison_is_shown_still() -> None:
    older = {
        name: part for name, part in scores().items() if name in ("base", "tuned", "intervals")
    }
    assert [row.change for row in score_rows(older)] == ["", "", ""]
    assert documents_rows(older, most=5) == []
    assert cost_text(older) == ""


def test_places_and_cost_are_told() -> None:
    assert documents_rows(scores(), most=5) == [
        ("guide.pdf > Clocks", "0.00 (0/10, 0.00 to 0.28)", "0.50 (5/10, 0.24 to 0.76)")
    ]
    assert cost_text(scores()) == (
        "65 steps, 1,500,000 tokens, 0.55 rank-hours on cpu (the curation with the base's answers, "
        "the export and the comparison not counted); a model of this size from scratch: 3e+09 "
        "tokens (20 a parameter), 2,000 times as many, or 1,100 rank-hours at this run's speed."
    )
