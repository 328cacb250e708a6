"""Time limits of collectives: short while ranks train in step, long where one works alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch.distributed import distributed_c10d

SLOWEST = 5.0
"""A collective of a step may take this many times as long as the first step took."""


def set_collective_timeout(seconds: float) -> None:
    """Set the time limit of every later collective of this rank, in all its process groups."""
    for group in list(distributed_c10d._world.pg_map):
        if not distributed_c10d._rank_not_in_group(group):
            distributed_c10d._set_pg_timeout(timedelta(seconds=seconds), group)


class StepTimeouts:
    """Gives the collectives of steps a shorter time limit than all others.

    A rank that hangs in a step ends the attempt after minutes. While one rank logs, exports a trace
    or reads its data, the others wait in the next step: the limit must exceed the longest pause of
    the file system, as while it fails over to another server (5 to 10 minutes).

    The first step compiles kernels and grows caches: it has the long limit, and its duration counts
    for the short one.

    Args:
        step_s: seconds for a collective of a step; more where a step takes long.
        other_s: seconds for all other collectives: of restoring, saving, evaluating.
    """

    def __init__(self, *, step_s: float, other_s: float) -> None:
        self._step_s = step_s
        self._other_s = other_s
        self._first_step_s: float | None = None

    @property
    def step_s(self) -> float:
        """Seconds that a collective of a step may take."""
        if self._first_step_s is None:
            return self._other_s
        return min(self._other_s, max(self._step_s, SLOWEST * self._first_step_s))

    @contextmanager
    def step(self) -> Iterator[None]:
        """Have the short limit within a `with` block, which is one step."""
        began = time.monotonic()
        set_collective_timeout(self.step_s)
        yield
        # Not after an error: the attempt ends, and its groups may be broken.
        set_collective_timeout(self._other_s)
        if self._first_step_s is None:
            self._first_step_s = time.monotonic() - began
