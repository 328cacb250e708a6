"""One run, one writer: an attempt sees that a newer one has begun."""

from pathlib import Path

from ftdist.dist.world import World
from ftdist.rundir import RunDir
from ftdist.train.fence import LOOK_EVERY_S, Fence


def world(rank: int) -> World:
    return World(rank=rank, size=2, local_rank=rank, local_size=2)


def test_the_lead_sees_a_newer_attempt_once_it_looks_again(tmp_path: Path) -> None:
    run, now = RunDir(tmp_path), 0.0
    run.attempt(1).mkdir(parents=True)
    fence = Fence(run, attempt=1, world=world(0), clock=lambda: now)
    other = Fence(run, attempt=1, world=world(1), clock=lambda: now)
    assert not fence.is_superseded
    run.attempt(2).mkdir()
    now = LOOK_EVERY_S - 0.1
    assert not fence.is_superseded
    now = LOOK_EVERY_S
    assert fence.is_superseded
    assert not other.is_superseded  # ranks agree in the loop; only one reads the disk
