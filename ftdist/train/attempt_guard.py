"""When an attempt stops: on a signal, a cancellation, a stop file, or a newer attempt.

A node that its cluster has lost may still run, cut off from SLURM but not from the disk, while the
run continues elsewhere. Its rank 0 sees the newer attempt in the run directory.
"""

import time
from collections.abc import Callable

from ftdist.dist.collectives import max_over_ranks
from ftdist.dist.preemption import StopRequest
from ftdist.dist.world import World
from ftdist.errors import RequeueError
from ftdist.io.retry import is_passing, retry_passing
from ftdist.rundir import RunDir

CHECK_EVERY_S = 5.0
"""Seconds between two reads of the run directory; before a checkpoint it is always read."""


class AttemptGuard:
    """Whether this attempt should stop, and whether it may still write.

    Args:
        run: of the attempt.
        attempt: its number.
        stop: the stop signals of this rank.
        world: this rank; only rank 0 reads the disk.
        clock: seconds from any start.
    """

    def __init__(
        self,
        run: RunDir,
        *,
        attempt: int,
        stop: StopRequest,
        world: World,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.attempt = attempt
        self._stop = stop
        self._world = world
        self._clock = clock
        self._checked_at = -CHECK_EVERY_S
        self._is_superseded = False
        self._was_cancelled = self._has_stop_file = False

    def wants_stop(self) -> bool:
        """Whether this rank wants to stop.

        Rank 0 also reads the run directory for a newer attempt, a cancellation or the stop file,
        every `CHECK_EVERY_S`. A cancellation comes as a signal too, which a rank that is just
        starting does not receive. While the file system does not answer, the last answers hold:
        the step does not wait, and the next check is soon.
        """
        if self._world.is_rank0 and self._clock() - self._checked_at >= CHECK_EVERY_S:
            self._checked_at = self._clock()
            try:
                self._read_run_dir(deadline_s=0.0)
            except OSError as error:
                if not is_passing(error):
                    raise
        return self._stop.is_set or self._is_superseded or self._was_cancelled

    def should_stop(self) -> bool:
        """Whether any rank wants to stop. Collective."""
        return max_over_ranks(float(self.wants_stop())) > 0

    def is_superseded(self) -> bool:
        """Whether a newer attempt has begun, read from the disk now. Rank 0 asks.

        Raises:
            OSError: the disk does not answer, for `retry.DEADLINE_S` if that may pass.
        """
        retry_passing(lambda: self._read_run_dir(deadline_s=0.0))
        self._checked_at = self._clock()
        return self._is_superseded

    def superseded_error(self) -> RequeueError:
        """The error of an attempt that may no longer write."""
        return RequeueError(
            f"Attempt {self.attempt} was superseded by a newer one.",
            remedy="nothing; the newer attempt continues the run.",
        )

    def _read_run_dir(self, *, deadline_s: float) -> None:
        self._is_superseded = self.run.newest_attempt() > self.attempt
        had_stop_file, self._has_stop_file = self._has_stop_file, self.run.stop.exists()
        if self._has_stop_file and not had_stop_file:
            self.run.record_event("cancel_requested", by="stop_file", now=False)
        self._was_cancelled = self.run.was_cancelled(deadline_s=deadline_s)
