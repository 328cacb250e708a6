"""The score table: a difference is called better or worse only where it is clear."""

from typing import Any

import pytest

from ftdist.evaluation.scoring.confidence import Paired, Rate, paired_losses
from ftdist.observe.score_table import regressions, score_table, split_headline
from tests.support.runs import fake_reports as fake


def paired(difference: float, low: float, high: float, *, clear: bool) -> dict[str, Any]:
    return {"n": 9, "difference": difference, "low_95": low, "high_95": high, "clear": clear}


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("fact_accuracy", paired(0.5, 0.25, 0.75, clear=True), "better, +0.50 (+0.25 to +0.75)"),
        ("general_accuracy", paired(-0.5, -0.7, -0.2, clear=True), "worse, -0.50 (-0.70 to -0.20)"),
        ("my_own", paired(0.1, -0.2, 0.3, clear=False), "within the noise, +0.10 (-0.20 to +0.30)"),
        ("my_own", paired(0.0, 0.0, 0.0, clear=True), "within the noise, +0.00 (+0.00 to +0.00)"),
        ("leak_rate", paired(0.5, 0.25, 0.75, clear=True), "worse, +0.50 (+0.25 to +0.75)"),
        ("leak_rate", paired(-0.5, -0.7, -0.2, clear=True), "better, -0.50 (-0.70 to -0.20)"),
    ],
)  # fmt: skip
def test_only_significant_changes_are_better_or_worse(
    name: str, change: dict[str, Any], text: str
) -> None:
    rate = {name: fake.interval(5, 9, 0.2, 0.8)}
    scores = {
        "base": {name: 5 / 9}, "tuned": {name: 5 / 9}, "intervals": {"base": rate, "tuned": rate},
        "paired": {name: change},
    }  # fmt: skip
    (row,) = score_table(scores)
    assert row.change == text


def scores(*, passages: int = 20, tuned: float = 31.0) -> dict[str, Any]:
    rate = Rate(5, 10)
    return {
        "base": {"fact_accuracy": 0.0},
        "tuned": {"fact_accuracy": 0.5, "new_leak_rate": 0.5, "my_own": 0.5},
        "intervals": {
            "base": {"fact_accuracy": Rate(0, 10).fields()},
            "tuned": {name: rate.fields() for name in ("fact_accuracy", "new_leak_rate", "my_own")},
        },
        "paired": {"fact_accuracy": Paired(both=0, tuned_only=5, base_only=0, neither=5).fields()},
        "general_nll": paired_losses([(30.0, 10)] * passages, [(tuned, 10)] * passages),
    }  # fmt: skip


def test_rows_have_a_fixed_order_and_mark_scores_without_a_base() -> None:
    rows = score_table(scores())
    assert [row.name for row in rows] == ["fact_accuracy", "general_nll", "new_leak_rate", "my_own"]
    assert rows[0].cells[1:3] == ("0.00 (0/10, 0.00 to 0.28)", "0.50 (5/10, 0.24 to 0.76)")
    assert rows[0].change.startswith("better, +0.50")
    assert rows[1].cells[1] == "3.000 (20 texts, 3.000 to 3.000)"
    assert rows[1].change == "worse, +0.100 (+0.100 to +0.100)"
    assert rows[2].cells[1:4] == ("-", "0.50 (5/10, 0.24 to 0.76)", "")
    assert rows[2].verdict == "none"


def test_four_scores_come_first() -> None:
    headline, others = split_headline(score_table(fake.scores(general_nll=fake.general_nll())))
    assert [row.name for row in headline] == [
        "fact_accuracy", "general_accuracy", "general_nll", "leak_rate",
    ]  # fmt: skip
    assert others == []
    headline, others = split_headline(score_table(scores()))
    assert [row.name for row in headline] == ["fact_accuracy", "general_nll"]
    assert [row.name for row in others] == ["new_leak_rate", "my_own"]


def test_too_few_texts_have_no_verdict() -> None:
    row = next(row for row in score_table(scores(passages=2, tuned=110.0)) if "nll" in row.name)
    assert row.verdict_text == "too few texts to tell (2; 20 are needed)"
    assert row.change == f"{row.verdict_text}, +8.000 (+8.000 to +8.000)"
    row = next(row for row in score_table(scores(tuned=30.0)) if "nll" in row.name)
    assert row.verdict_text == "within the noise"


@pytest.mark.parametrize(
    ("difference", "low", "high", "verdict"),
    [(0.2, 0.1, 0.3, "worse"), (-0.2, -0.3, -0.1, "better"), (0.2, -0.1, 0.5, "unclear")],
)
def test_lower_general_nll_is_better(
    difference: float, low: float, high: float, verdict: str
) -> None:
    loss = fake.general_nll(
        base=3.0, tuned=3.0 + difference, difference=difference, low_95=low, high_95=high,
        clear=verdict != "unclear",
    )  # fmt: skip
    table = score_table(fake.scores(general_nll=loss))
    assert next(row.verdict for row in table if row.name == "general_nll") == verdict


def test_only_significant_losses_are_regressions() -> None:
    assert regressions(score_table(fake.scores(general_nll=fake.general_nll()))) == [
        ("score-general-nll", "Loss on general text got clearly worse: +8.155 nats per token."),
        ("score-leak-rate", "Leaking into other answers got clearly worse: +1.00."),
    ]
