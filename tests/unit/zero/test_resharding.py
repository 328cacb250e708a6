"""Shards of one world as pieces of another's: arithmetic alone."""

from hypothesis import given
from hypothesis import strategies as st

from ftdist.zero.resharding import Piece, pieces, shard_elements, shard_range


def test_ten_elements_on_four_ranks_leave_the_last_rank_one() -> None:
    assert shard_elements(10, world_size=4) == 3
    assert [shard_range(10, rank=rank, world_size=4) for rank in range(4)] == [
        (0, 3),
        (3, 6),
        (6, 9),
        (9, 10),
    ]


def test_rank_beyond_the_last_element_holds_padding_only() -> None:
    assert shard_range(2, rank=3, world_size=4) == (2, 2)


def test_half_of_ten_elements_spans_two_of_four_shards() -> None:
    assert pieces(start=0, stop=5, elements=10, world_size=4) == [Piece(0, 0, 3), Piece(1, 0, 2)]
    assert pieces(start=5, stop=10, elements=10, world_size=4) == [
        Piece(1, 2, 3),
        Piece(2, 0, 3),
        Piece(3, 0, 1),
    ]


@given(
    elements=st.integers(1, 200), before=st.integers(1, 9), after=st.integers(1, 9), data=st.data()
)
def test_every_rank_of_any_world_finds_its_elements_in_any_other(
    elements: int, before: int, after: int, data: st.DataObject
) -> None:
    values = list(range(elements))
    shards = [
        values[slice(*shard_range(elements, rank=rank, world_size=before))]
        for rank in range(before)
    ]
    rank = data.draw(st.integers(0, after - 1))
    start, stop = shard_range(elements, rank=rank, world_size=after)
    found = [
        value
        for piece in pieces(start=start, stop=stop, elements=elements, world_size=before)
        for value in shards[piece.rank][piece.start : piece.stop]
    ]
    assert found == values[start:stop]
