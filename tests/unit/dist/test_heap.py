import subprocess
import sys

import pytest

CHILD = """
import sys
from ftdist.dist import heap
from ftdist.io.host_memory import anonymous_memory

available = float(sys.argv[1])
heap.available_memory = lambda: available * anonymous_memory()
with heap.large_blocks_apart(keep=True):
    pass
blocks = [bytearray(range(256)) * 4000 for _ in range(200)]  # of 1 MB each
small = bytes(10_000)  # above them in the heap: its end cannot be cut off
full = anonymous_memory()
last = blocks.pop()
blocks.clear()
freed = anonymous_memory()
was_low = heap.trim_heap_if_low(ranks=2)
trimmed = anonymous_memory()
print(full - freed > 100e6, was_low, freed - trimmed > 100e6)
"""


@pytest.mark.parametrize(
    ("available", "trims"),
    [
        pytest.param(0.51, False, id="a quarter of what it holds for each of two ranks"),
        pytest.param(0.49, True, id="less"),
    ],
)
def test_the_heap_of_a_rank_is_returned_only_when_memory_is_low(
    available: float, trims: bool
) -> None:
    command = [sys.executable, "-c", CHILD, str(available)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert printed.split() == ["False", str(trims), str(trims)]
