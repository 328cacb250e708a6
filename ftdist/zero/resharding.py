"""Arithmetic of ZeRO-3 shards: reading with one world size what another one wrote.

ZeRO-3 flattens a parameter of n elements, pads it to a multiple of the world's size W and gives
rank r the elements [r * s, (r + 1) * s) with s = ceil(n / W). So the slice of any rank of any
world is a sequence of pieces of the files that another world wrote.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Elements [start, stop) of the shard written by rank `rank`."""

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
    """The pieces of the shards of `world_size` ranks that hold elements [start, stop).

    Args:
        start: first element wanted.
        stop: one past the last; at most `elements`.
        elements: of the whole parameter, without padding.
        world_size: of the world that wrote the shards.
    """
    size = shard_elements(elements, world_size=world_size)
    result: list[Piece] = []
    while start < stop:
        rank = start // size
        end = min(stop, (rank + 1) * size)
        result.append(Piece(rank, start - rank * size, end - rank * size))
        start = end
    return result
