"""What is told of work that takes long: how much is done, how fast, how long the rest takes."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Result = TypeVar("Result")
LogFn = Callable[[str], None]

_EVERY_S = 5.0
_MIB = 2**20


def no_log(_: str) -> None:
    """Told of progress that nobody waits for."""


def count(number: int, noun: str) -> str:
    """A number with its noun, such as "1 shard" or "2 processes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def told(results: Iterable[Result], *, sizes: Sequence[int], log: LogFn) -> Iterator[Result]:
    """The same results, one by one; now and then it is told how far they are.

    Args:
        results: as they become ready; no fewer than there are sizes.
        sizes: bytes that each is made of; 0 for what was made before, and costs nothing now.
        log: is told, at most a hundred times and every five seconds.
    """
    whole, done, shown = sum(sizes), 0, 0
    began = last = time.monotonic()
    for size, result in zip(sizes, results, strict=False):
        done += size
        now = time.monotonic()
        if now - last >= _EVERY_S and done - shown >= whole / 100 > 0:
            last, shown, rate = now, done, done / (now - began)
            log(
                f"{done / _MIB:,.0f} of {whole / _MIB:,.0f} MiB, {rate / _MIB:.1f} MiB a second, "
                f"{(whole - done) / rate:.0f} s left"
            )
        yield result
