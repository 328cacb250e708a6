"""One run, one writer: an attempt that was superseded ends without writing any more.

A node that its cluster has lost may still run, cut off from SLURM and not from the disk, while the
run goes on elsewhere. Its lead sees the newer attempt in the run directory.
"""

import time
from collections.abc import Callable

from ftdist.dist.collectives import max_over_ranks
from ftdist.dist.world import World
from ftdist.errors import RequeueError
from ftdist.rundir import RunDir

LOOK_EVERY_S = 5.0
"""Seconds between two looks between steps; before a checkpoint it looks in any case."""


class Fence:
    """Whether this attempt is still the newest of its run.

    Args:
        run: of the attempt.
        attempt: number of this start.
        world: this rank; the lead alone looks.
        clock: seconds from any start.
    """

    def __init__(
        self,
        run: RunDir,
        *,
        attempt: int,
        world: World,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._attempt = attempt
        self._world = world
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._is_superseded = False
        self._was_cancelled = False

    @property
    def wants_stop(self) -> bool:
        """Whether a newer attempt or a cancellation was seen; looks now and then, on the lead.

        A cancellation comes as a signal too, which a rank that just starts does not hear.
        """
        if self._world.is_rank0 and self._clock() - self._looked_at >= LOOK_EVERY_S:
            self._look()
        return self._is_superseded or self._was_cancelled

    def require_newest(self) -> None:
        """Let nothing be written by an attempt that was superseded. Collective.

        Raises:
            RequeueError: there is a newer attempt; on every rank.
        """
        if self._world.is_rank0:
            self._look()
        if max_over_ranks(float(self._is_superseded)) > 0:
            raise RequeueError(
                f"Attempt {self._attempt} was superseded by a newer one.",
                remedy="nothing: the newer attempt goes on.",
            )

    def _look(self) -> None:
        self._looked_at = self._clock()
        self._is_superseded = self._run.newest_attempt() > self._attempt
        self._was_cancelled = self._run.was_cancelled()
