"""One run, one writer: an attempt sees that a newer one has begun."""

from pathlib import Path

from ftdist.dist.world import World
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import LOOK_EVERY_S, Fence


def world(rank: int) -> World:
    return World(rank=rank, size=2, local_rank=rank, local_size=2)


def test_the_lead_sees_a_newer_attempt_once_it_looks_again(tmp_path: Path) -> None:
    run, now = RunDir(tmp_path), 0.0
    run.attempt(1).mkdir(parents=True)
    fence = Fence(run, attempt=1, world=world(0), clock=lambda: now)
    other = Fence(run, attempt=1, world=world(1), clock=lambda: now)
    assert not fence.wants_stop
    run.attempt(2).mkdir()
    now = LOOK_EVERY_S - 0.1
    assert not fence.wants_stop
    now = LOOK_EVERY_S
    assert fence.wants_stop
    assert not other.wants_stop  # ranks agree in the loop; only one reads the disk


def test_the_lead_sees_that_the_run_was_cancelled_and_that_it_was_asked_to_go_on(
    tmp_path: Path,
) -> None:
    run, now = RunDir(tmp_path), 0.0
    run.attempt(1).mkdir(parents=True)
    fence = Fence(run, attempt=1, world=world(0), clock=lambda: now)
    run.append_event("run_requested", by="submit")
    run.append_event("cancel_requested", by="cancel")
    assert fence.wants_stop
    run.append_event("run_requested", by="resume")
    now = LOOK_EVERY_S
    assert not fence.wants_stop
