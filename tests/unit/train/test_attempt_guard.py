"""An attempt stops on a signal, a newer attempt or a cancellation."""

import signal
from pathlib import Path

from ftdist.dist.preemption import StopRequest
from ftdist.dist.world import World
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import CHECK_EVERY_S, AttemptGuard


def guard(run: RunDir, clock: list[float], *, rank: int = 0) -> AttemptGuard:
    world = World(rank=rank, size=2, local_rank=rank, local_size=2)
    return AttemptGuard(run, attempt=1, stop=StopRequest(), world=world, clock=lambda: clock[0])


def test_rank_0_sees_a_newer_attempt_at_its_next_check(tmp_path: Path) -> None:
    run, clock = RunDir(tmp_path), [0.0]
    run.attempt(1).mkdir(parents=True)
    rank0, rank1 = guard(run, clock), guard(run, clock, rank=1)
    assert not rank0.wants_stop()
    run.attempt(2).mkdir()
    clock[0] = CHECK_EVERY_S - 0.1
    assert not rank0.wants_stop()
    clock[0] = CHECK_EVERY_S
    assert rank0.wants_stop()
    assert not rank1.wants_stop()  # ranks agree in the loop; only one reads the disk


def test_rank_0_sees_that_the_run_was_cancelled_and_that_it_was_requested_again(
    tmp_path: Path,
) -> None:
    run, clock = RunDir(tmp_path), [0.0]
    run.attempt(1).mkdir(parents=True)
    rank0 = guard(run, clock)
    run.append_event("run_requested", by="submit")
    run.append_event("cancel_requested", by="cancel")
    assert rank0.wants_stop()
    run.append_event("run_requested", by="resume")
    clock[0] = CHECK_EVERY_S
    assert not rank0.wants_stop()


def test_any_rank_requests_a_stop_after_a_signal(tmp_path: Path) -> None:
    stop = StopRequest()
    world = World(rank=1, size=2, local_rank=1, local_size=2)
    rank1 = AttemptGuard(RunDir(tmp_path), attempt=1, stop=stop, world=world)
    assert not rank1.wants_stop()
    stop.request(signal.SIGUSR2)
    assert rank1.wants_stop()
