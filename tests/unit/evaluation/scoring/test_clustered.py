"""Shares of key facts and their intervals."""

import pytest

from ftdist.evaluation.scoring.clustered import ClusteredRate, paired_clustered
from ftdist.evaluation.scoring.confidence import Paired, Rate


def test_one_fact_per_answer_gives_the_interval_of_a_rate() -> None:
    rate = ClusteredRate([1, 0, 1, 1], [1, 1, 1, 1])
    assert rate.effective_n == pytest.approx(4)
    assert rate.interval == pytest.approx(Rate(3, 4).interval)
    paired = paired_clustered(ClusteredRate([0, 0, 0, 1], [1, 1, 1, 1]), rate)
    # Paired corrects its correlation for continuity; here that correlation is not positive.
    newcombe = Paired.from_outcomes([False, False, False, True], [True, False, True, True])
    assert paired["difference"] == newcombe.difference == 0.5


def test_facts_that_are_right_or_wrong_together_count_as_one() -> None:
    together = ClusteredRate([2, 0], [2, 2])  # variance (1 + 1) / 16, against 0.25 / n
    assert together.effective_n == pytest.approx(2)
    apart = ClusteredRate([1, 1], [2, 2])
    assert apart.effective_n == 4


def test_all_and_none_are_measured_on_answers_not_on_facts() -> None:
    assert ClusteredRate([5, 5], [5, 5]).interval == Rate(2, 2).interval
    assert ClusteredRate([0, 0], [5, 5]).interval == Rate(0, 2).interval


def test_a_share_weights_every_fact_alike() -> None:
    fields = ClusteredRate([1, 3], [1, 7]).fields()
    assert (fields["hits"], fields["n"], fields["clusters"], fields["value"]) == (4, 8, 2, 0.5)
