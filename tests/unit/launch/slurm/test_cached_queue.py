"""Live views ask SLURM at most every 30 s."""

from collections.abc import Collection

import pytest
from ftdist_launch.slurm.cached_queue import CachedQueue
from ftdist_launch.slurm.client import Queue, QueuedJob, SlurmError

from tests.support.slurm.records import running_job


class CountingQueue(Queue):
    """Answers that job 1 runs, and counts the queries."""

    count = 0
    problem: SlurmError | None = None

    def states(self, jobs: Collection[str]) -> dict[str, QueuedJob]:
        CountingQueue.count += 1
        if CountingQueue.problem is not None:
            raise CountingQueue.problem
        return {"1": running_job("1")} if "1" in jobs else {}


def test_slurm_is_asked_again_after_30_s_or_for_other_jobs() -> None:
    clock = [0.0]
    queue = CachedQueue(CountingQueue(), clock=lambda: clock[0])
    CountingQueue.count, CountingQueue.problem = 0, None
    assert queue.states(["1"]) == {"1": running_job("1")}
    clock[0] = 29.0
    assert queue.states(["1"]) == {"1": running_job("1")}
    assert CountingQueue.count == 1
    assert queue.states(["1", "2"]) == {"1": running_job("1")}
    assert CountingQueue.count == 2
    assert queue.states(["2"]) == {}
    assert CountingQueue.count == 2
    clock[0] = 60.0
    CountingQueue.problem = SlurmError("No answer.", remedy="wait.")
    for _ in range(2):
        with pytest.raises(SlurmError):
            queue.states(["1"])
    assert CountingQueue.count == 3
