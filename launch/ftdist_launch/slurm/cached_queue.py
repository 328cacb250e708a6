"""SLURM's answers, remembered for a while: live views must not burden its controller."""

import time
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError

QUERY_EVERY_S = 30.0

Result = TypeVar("Result")


class CachedQueue:
    """Answers as `Queue` does, but asks SLURM at most every 30 s, or when new jobs are named.

    Args:
        queue: to ask.
        clock: seconds since any fixed time.
    """

    def __init__(self, queue: Queue, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._states: _Answer[dict[str, QueuedJob]] = _Answer()
        self._accounts: _Answer[dict[str, list[str]]] = _Answer()

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        """As `Queue.states`."""
        found = self._states.get(jobs, self._queue.states, now=self._clock())
        return {job: found[job] for job in jobs if job in found}

    def accounting(self, jobs: Collection[str]) -> dict[str, list[str]]:
        """As `Queue.accounting`."""
        found = self._accounts.get(jobs, self._queue.accounting, now=self._clock())
        return {job: found[job] for job in jobs if job in found}


class _Answer(Generic[Result]):
    """The last answer to one kind of query, or the error in its place."""

    def __init__(self) -> None:
        self._jobs: frozenset[str] = frozenset()
        self._at = float("-inf")
        self._result: Result | SlurmError | None = None

    def get(
        self, jobs: Collection[str], ask: Callable[[Collection[str]], Result], *, now: float
    ) -> Result:
        """The remembered answer, or a new one."""
        if now - self._at >= QUERY_EVERY_S or not self._jobs.issuperset(jobs):
            self._at, self._jobs = now, frozenset(jobs)
            try:
                self._result = ask(jobs)
            except SlurmError as error:
                self._result = error
        if isinstance(self._result, SlurmError):
            raise self._result
        assert self._result is not None
        return self._result
