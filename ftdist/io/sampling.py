"""Evenly spaced subset of a sequence."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly_spaced(items: Sequence[Item], count: int, *, with_last: bool = False) -> list[Item]:
    """At most `count` of the items, in their order, beginning with the first.

    Args:
        items: to choose from.
        count: how many to choose; at least 2 if `with_last`.
        with_last: whether the last item is among them.
    """
    if len(items) <= count:
        return list(items)
    if with_last:
        return [items[n * (len(items) - 1) // (count - 1)] for n in range(count)]
    return [items[n * len(items) // count] for n in range(count)]
