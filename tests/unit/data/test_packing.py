"""Packing: whole samples, bounded sequences, little room left over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftdist.data.packing import Packing, pack_samples
from tests.support.counting import count


def contents(packing: Packing) -> list[list[int]]:
    return [
        packing.samples[first:end].tolist()
        for first, end in zip(packing.offsets[:-1], packing.offsets[1:], strict=True)
    ]


def test_packing_is_best_fit() -> None:
    # Longest first: 7 opens A (3 left), 6 opens B (4 left), 4 fills B, 3 fills A, 2 opens C.
    packing = pack_samples(np.array([2, 3, 4, 6, 7]), sequence_length=10)
    assert contents(packing) == [[1, 4], [2, 3], [0]]


def test_samples_of_equal_length_keep_their_order() -> None:
    assert contents(pack_samples(np.array([5, 5, 5, 5]), sequence_length=10)) == [[0, 1], [2, 3]]


def test_nothing_packs_into_nothing() -> None:
    assert contents(pack_samples(np.array([], dtype=np.int64), sequence_length=10)) == []


def test_a_sample_longer_than_a_sequence_is_an_internal_error() -> None:
    with pytest.raises(ValueError, match="11"):
        pack_samples(np.array([3, 11]), sequence_length=10)


@given(st.lists(st.integers(1, 64), max_size=300), st.integers(64, 200))
def test_every_sample_is_packed_whole_and_once(lengths: list[int], room: int) -> None:
    packing = pack_samples(np.array(lengths, dtype=np.int64), sequence_length=room)

    packed = contents(packing)
    assert sorted(sample for sequence in packed for sample in sequence) == list(range(len(lengths)))
    totals = [sum(lengths[sample] for sample in sequence) for sequence in packed]
    assert all(0 < total <= room for total in totals)
    # No two sequences could have been one; so all but one are more than half full on average.
    smallest = sorted(totals)[:2]
    assert len(smallest) < 2 or sum(smallest) > room


def test_the_work_of_packing_grows_with_the_samples_and_not_with_their_square() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 300, 40_000).clip(1, 4096)
    tenth = count(lambda: pack_samples(lengths[:4000], sequence_length=4096)).lines
    assert count(lambda: pack_samples(lengths, sequence_length=4096)).lines < 20 * tenth


def test_packing_100k_samples_is_dense() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 300, 100_000).clip(1, 4096)
    packing = pack_samples(lengths, sequence_length=4096)
    assert lengths.sum() / (len(packing) * 4096) > 0.99
