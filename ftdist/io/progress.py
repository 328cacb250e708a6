"""Progress lines of long work: how much is done, how fast, and the time left."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Result = TypeVar("Result")
LogFn = Callable[[str], None]

_EVERY_S = 5.0
_MIB = 2**20


def no_log(_: str) -> None:
    """Discard progress lines."""


def count(number: int, noun: str) -> str:
    """A number with its noun, such as "1 shard" or "2 processes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def report_progress(
    results: Iterable[Result], *, sizes: Sequence[int], log: LogFn
) -> Iterator[Result]:
    """Pass results on, and log the progress now and then.

    Args:
        results: in order of completion; at least as many as there are sizes.
        sizes: input bytes of each result; 0 for cached results, which cost nothing.
        log: called at most once per percent and once in five seconds.
    """
    total, done, logged = sum(sizes), 0, 0
    began = last = time.monotonic()
    for size, result in zip(sizes, results, strict=False):
        done += size
        now = time.monotonic()
        if now - last >= _EVERY_S and done - logged >= total / 100 > 0:
            last, logged, rate = now, done, done / (now - began)
            log(
                f"{done / _MIB:,.0f} of {total / _MIB:,.0f} MiB, {rate / _MIB:.1f} MiB/s, "
                f"{(total - done) / rate:.0f} s left"
            )
        yield result
