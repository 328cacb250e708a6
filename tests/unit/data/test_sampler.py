"""Which sequences make which step, and which rank computes them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ftdist.data.sampler
from ftdist.data.sampler import Order, SequenceRefs, kl_rows_first, rank_micro_batches


def pairs_of(order: Order, steps: int) -> list[tuple[int, int]]:
    """(source, index) of each row of the first steps."""
    return [pair for step in range(steps) for pair in order.step(step).pairs()]


def numbered(rows: int) -> SequenceRefs:
    """The first sequences of source 0."""
    return SequenceRefs(np.zeros(rows, dtype=np.int64), np.arange(rows))


@st.composite
def shares(draw: st.DrawFn) -> tuple[float, ...]:
    weights = draw(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6))
    return tuple(weight / sum(weights) for weight in weights)


def test_each_epoch_has_every_sequence_once_in_a_new_order() -> None:
    order = Order(7, sequences=(10,), shares=(1.0,), global_sequences=4)
    indices = [index for _, index in pairs_of(order, 10)]
    passes = [tuple(indices[first : first + 10]) for first in range(0, 40, 10)]
    assert all(sorted(seen) == list(range(10)) for seen in passes)
    assert len(set(passes)) == 4


def test_the_order_is_pinned_per_seed() -> None:
    """These rows were written down once; another numpy, machine or version must give them too."""
    order = Order(17, sequences=(5, 3), shares=(0.75, 0.25), global_sequences=4)
    assert order.step(1).pairs() == [(0, 2), (0, 1), (1, 2), (0, 2)]


@settings(max_examples=30)
@given(shares(), st.integers(0, 60), st.integers(1, 40))
def test_a_step_is_what_drawing_row_by_row_gives(
    mixed: tuple[float, ...], step: int, rows: int
) -> None:
    sizes = tuple(range(3, 3 + len(mixed)))  # several passes through each source in a step
    order = Order(11, sequences=sizes, shares=mixed, global_sequences=rows)
    assert order.step(step).pairs() == _drawn_row_by_row(order, step)


def _drawn_row_by_row(order: Order, step: int) -> list[tuple[int, int]]:
    """As the sampler drew until it used arrays: runs made then must continue unchanged."""
    first = step * order.global_sequences
    sampler = ftdist.data.sampler
    sources, counts = sampler._mix(order.shares).rows(first, first + order.global_sequences)
    pairs = []
    for source in sources.tolist():
        shuffle, position = divmod(counts[source], order.sequences[source])
        drawn = sampler._permutation(order.seed, source, shuffle, order.sequences[source])
        pairs.append((source, int(drawn[position])))
        counts[source] += 1
    return pairs


def test_different_seeds_give_different_orders() -> None:
    one, two = (Order(s, sequences=(50,), shares=(1.0,), global_sequences=50) for s in (1, 2))
    assert one.step(0).pairs() != two.step(0).pairs()


def test_sources_are_interleaved_by_their_shares() -> None:
    order = Order(0, sequences=(100, 100), shares=(0.75, 0.25), global_sequences=4)
    for step in range(20):
        assert Counter(order.step(step).sources.tolist()) == {0: 3, 1: 1}


@settings(max_examples=30)
@given(shares(), st.integers(1, 7))
def test_each_source_is_drawn_by_its_share_within_one_row(
    mixed: tuple[float, ...], rows: int
) -> None:
    order = Order(3, sequences=(2,) * len(mixed), shares=mixed, global_sequences=rows)
    drawn: Counter[int] = Counter()
    for number, (of_row, _) in enumerate(pairs_of(order, 40), start=1):
        drawn[of_row] += 1
        for source, share in enumerate(mixed):
            assert abs(drawn[source] - number * share) < 1 + 1e-6


@settings(max_examples=30)
@given(shares(), st.integers(0, 40), st.integers(1, 9))
def test_a_step_is_independent_of_earlier_calls(
    mixed: tuple[float, ...], step: int, rows: int
) -> None:
    sizes = tuple(range(3, 3 + len(mixed)))
    forward = Order(5, sequences=sizes, shares=mixed, global_sequences=rows)
    seen = [forward.step(at).pairs() for at in range(step + 1)]
    resumed = Order(5, sequences=sizes, shares=mixed, global_sequences=rows)
    assert resumed.step(step).pairs() == seen[step]


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 8))
def test_rows_do_not_depend_on_how_many_make_a_step(rows: int, cut: int) -> None:
    small = Order(1, sequences=(13, 5), shares=(0.6, 0.4), global_sequences=rows)
    large = Order(1, sequences=(13, 5), shares=(0.6, 0.4), global_sequences=rows * cut)
    assert pairs_of(small, cut) == large.step(0).pairs()


def test_a_late_step_starts_after_the_rows_before_it() -> None:
    # 20,000 rows, past several marks: source 1 has half of them, 10,000, and 7 sequences.
    order = Order(0, sequences=(11, 7), shares=(0.5, 0.5), global_sequences=10)
    steps = [order.step(step) for step in range(1000, 2000)]
    seen = Counter(index for step in steps for index in step.indices[step.sources == 1].tolist())
    assert sum(seen.values()) == 5000
    assert set(seen.values()) <= {713, 714, 715, 716}  # 5000 / 7 = 714.3


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 4))
def test_every_row_is_computed_once_for_any_world_size(
    rows: int, world_size: int, micro_batch_size: int
) -> None:
    refs = numbered(rows)
    micro_steps = -(-rows // (world_size * micro_batch_size))
    cut = [
        rank_micro_batches(
            refs,
            rank=rank,
            world_size=world_size,
            micro_batch_size=micro_batch_size,
            micro_steps=micro_steps,
        )
        for rank in range(world_size)
    ]
    assert all(len(mine) == micro_steps for mine in cut)
    assert all(len(batch) <= micro_batch_size for mine in cut for batch in mine)
    dealt = [index for mine in cut for batch in mine for index in batch.indices.tolist()]
    assert sorted(dealt) == list(range(rows))


def test_rows_of_kl_sources_share_the_fewest_micro_steps() -> None:
    refs = SequenceRefs(np.arange(8) % 3, np.arange(8))
    sorted_refs = kl_rows_first(refs, {1}, has_teacher=np.zeros(len(refs), dtype=bool))
    assert sorted_refs.indices.tolist() == [1, 4, 7, 0, 2, 3, 5, 6]

    def micro_steps_with_reference(rows: SequenceRefs) -> list[int]:
        of_ranks = [
            rank_micro_batches(rows, rank=rank, world_size=3, micro_batch_size=1, micro_steps=3)
            for rank in range(3)
        ]
        return [
            micro_step
            for micro_step in range(3)
            if any(1 in rank[micro_step].sources for rank in of_ranks)
        ]

    assert micro_steps_with_reference(refs) == [0, 1, 2]
    assert micro_steps_with_reference(sorted_refs) == [0]


def test_a_rank_with_too_few_rows_gets_empty_micro_batches() -> None:
    refs = numbered(5)
    first, second = (
        rank_micro_batches(refs, rank=rank, world_size=2, micro_batch_size=2, micro_steps=2)
        for rank in range(2)
    )
    assert [batch.indices.tolist() for batch in first] == [[0, 1], [4]]
    assert [batch.indices.tolist() for batch in second] == [[2, 3], []]


def test_more_rows_than_slots_are_an_internal_error() -> None:
    refs = numbered(5)
    with pytest.raises(ValueError, match="5 rows for 4 places"):
        rank_micro_batches(refs, rank=0, world_size=2, micro_batch_size=1, micro_steps=2)
