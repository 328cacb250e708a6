"""The heap of a rank on CPUs: what it keeps for the next step, and when it gives that back."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from ftdist.io.host_memory import anonymous_memory, available_memory

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
"""From glibc's malloc.h."""

_MAX_MMAP_THRESHOLD = 2**25
_MAX_TRIM_THRESHOLD = 2**31 - 1
_DEFAULT_MMAP_MAX = 2**16

_LOW = 0.25
"""Of what a rank holds: with less than this available to each, the heap is trimmed."""


@contextmanager
def large_blocks_apart(*, keep: bool) -> Iterator[None]:
    """Within a `with` block, return freed memory to the system at once.

    Building a sharded model frees large blocks between small ones that stay. glibc would take all
    from one heap and keep the holes, so that a rank would hold much of the whole model: here blocks
    of 1 MiB and more are mapped separately. Other C libraries are not changed.

    Training allocates the same sizes again and again: there the heap is faster. To `keep`, it
    serves blocks of any size after the `with` block and gives nothing back until
    `trim_heap_if_low`: the system would clear each page again in every step, which takes a sixth of
    the processor's time on CPUs (docs/decisions/0022-steps-on-cpus.md).
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
    library.mallopt(_M_MMAP_THRESHOLD, 2**20)
    try:
        yield
    finally:
        gc.collect()
        library.malloc_trim(0)
        library.mallopt(_M_MMAP_THRESHOLD, _MAX_MMAP_THRESHOLD)
        if keep:
            library.mallopt(_M_MMAP_MAX, 0)
            library.mallopt(_M_TRIM_THRESHOLD, _MAX_TRIM_THRESHOLD)


def trim_heap_if_low(*, ranks: int) -> bool:
    """Return the heap's unused pages to the system if little memory is available; on CPUs.

    The heap keeps what a step freed, which may be as much again as what the rank uses. To be called
    between steps: in the next one, the system clears the pages that it needs again.

    Args:
        ranks: of this node; each may grow.

    Returns:
        Whether it was low.
    """
    library = _glibc()
    if library is None or available_memory() >= ranks * _LOW * anonymous_memory():
        return False
    library.malloc_trim(0)
    return True


def _glibc() -> ctypes.CDLL | None:
    """This process's C library; None if it is another one."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
