"""Which ranks are faulty, from what all of them report."""

import pytest

from ftdist.train.rank_consistency import _find_faulty

pytestmark = pytest.mark.fault("N3")


def report(batch: str = "b", weights: str = "w", fault: str | None = None) -> list[object]:
    return [{"the data of the step": batch, "the weights of layer 3": weights}, fault, "node1"]


def test_ranks_that_agree_are_not_faulty() -> None:
    assert _find_faulty([report()] * 4) == ([], "")


def test_those_that_differ_from_most_are_faulty() -> None:
    shared = [report(), report(weights="x"), report(), report(), report(weights="y")]
    assert _find_faulty(shared) == ([1, 4], "the weights of layer 3 differ")


def test_without_a_majority_all_are() -> None:
    assert _find_faulty([report(), report(batch="x")]) == ([0, 1], "the data of the step differ")


def test_a_rank_that_finds_its_own_weights_wrong_is_the_one() -> None:
    shared = [report(), report(fault="model.norm.weight")]
    assert _find_faulty(shared)[0] == [1]
