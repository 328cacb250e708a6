"""Which rank holds the states of which row: all ranks agree, by the order of rows alone."""

import numpy as np

from ftdist.data.reference_rows import ReferenceHolders, ReferenceRows
from ftdist.data.sampler import SequenceRefs

LOSS_TOKENS = {1: np.array([5, 3, 2, 4])}


def holders(*, max_tokens: int = 100) -> list[ReferenceHolders]:
    return [
        ReferenceHolders(LOSS_TOKENS, rank=rank, world_size=3, max_tokens=max_tokens)
        for rank in range(3)
    ]


def micro_step(of: list[ReferenceHolders], *indices: int) -> list[ReferenceRows]:
    refs = SequenceRefs(np.ones(len(indices), dtype=np.int64), np.array(indices))
    ranks = np.arange(len(indices))
    return [of_rank.micro_step(refs, ranks) for of_rank in of]


def test_rows_seen_before_are_sent_by_the_rank_that_computed_them() -> None:
    ranks = holders()
    first = micro_step(ranks, 0, 1, 2)
    assert [rows.exchange for rows in first] == [None] * 3
    assert [rows.keys for rows in first] == [((1, 0),), ((1, 1),), ((1, 2),)]
    assert [rows.cached for rows in first] == [(True,)] * 3
    # Row 3 is new: the reference runs for all, and only the new row is kept.
    second = micro_step(ranks, 2, 3)
    assert [(rows.exchange, rows.cached) for rows in second] == [
        (None, (False,)),
        (None, (True,)),
        (None, ()),
    ]
    # Rank 0 wants row 3 of rank 1, rank 1 row 2 of rank 2, rank 2 row 0 of rank 0.
    a, b, c = (rows.exchange for rows in micro_step(ranks, 3, 2, 0))
    assert a is not None
    assert b is not None
    assert c is not None
    assert (a.sends, a.send_tokens, a.receive_tokens) == (((1, 0),), (0, 0, 5), (0, 4, 0))
    assert (b.sends, b.send_tokens, b.receive_tokens) == (((1, 3),), (4, 0, 0), (0, 0, 2))
    assert (c.sends, c.send_tokens, c.receive_tokens) == (((1, 2),), (0, 2, 0), (5, 0, 0))


def test_several_rows_of_a_rank_arrive_in_the_order_of_their_holders() -> None:
    ranks = holders()
    micro_step(ranks, 0, 1, 2)
    refs = SequenceRefs(np.ones(2, dtype=np.int64), np.array([2, 0]))
    rows = ranks[1].micro_step(refs, np.array([1, 1]))
    assert rows.keys == ((1, 2), (1, 0))
    assert rows.exchange is not None
    assert rows.exchange.arrival == (1, 0)
    assert rows.exchange.receive_tokens == (5, 0, 2)


def test_a_full_rank_keeps_no_more_and_its_rows_are_computed_again() -> None:
    ranks = holders(max_tokens=4)
    assert [rows.cached for rows in micro_step(ranks, 0, 1, 2)] == [(False,), (True,), (True,)]
    assert all(rows.exchange is None for rows in micro_step(ranks, 1, 0))
    assert all(rows.exchange is not None for rows in micro_step(ranks, 1, 2))
