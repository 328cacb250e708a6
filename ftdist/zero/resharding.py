"""Shards of any number of ranks as one flat parameter: the arithmetic of resuming elsewhere.

ZeRO-3 flattens a parameter of n elements, pads it to a multiple of the world's size W and gives
rank r the elements [r * s, (r + 1) * s) with s = ceil(n / W). So the slice of any rank in any
world is a run of pieces of the files that another world wrote.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Elements [start, stop) of the shard that rank `rank` wrote."""

    rank: int
    start: int
    stop: int


def shard_elements(elements: int, *, world_size: int) -> int:
    """Elements of one rank's shard, padding included."""
    return -(-elements // world_size)


def shard_range(elements: int, *, rank: int, world_size: int) -> tuple[int, int]:
    """The real elements [start, stop) that a rank holds; empty where its shard is all padding."""
    size = shard_elements(elements, world_size=world_size)
    return min(rank * size, elements), min((rank + 1) * size, elements)


def pieces(*, start: int, stop: int, elements: int, world_size: int) -> list[Piece]:
    """Where elements [start, stop) of a parameter lie in the shards of a world of `world_size`.

    Args:
        start: first element wanted.
        stop: one past the last; at most `elements`.
        elements: of the whole parameter, without padding.
        world_size: of the world that wrote the shards.
    """
    size = shard_elements(elements, world_size=world_size)
    found: list[Piece] = []
    while start < stop:
        rank = start // size
        end = min(stop, (rank + 1) * size)
        found.append(Piece(rank, start - rank * size, end - rank * size))
        start = end
    return found
