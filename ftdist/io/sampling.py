"""Some of many."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spread over all, in their order."""
    if len(items) <= count:
        return list(items)
    return [items[n * len(items) // count] for n in range(count)]
