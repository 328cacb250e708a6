"""An attempt stops on a signal, a newer attempt or a cancellation."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.fault("L12")
def test_rank_0_sees_the_stop_file_and_records_it_once(tmp_path: Path) -> None:
    run, clock = RunDir(tmp_path), [0.0]
    run.attempt(1).mkdir(parents=True)
    rank0 = guard(run, clock)
    run.append_event("run_requested", by="submit")
    assert not rank0.wants_stop()
    run.stop.touch()
    for seconds in (CHECK_EVERY_S, 2 * CHECK_EVERY_S):
        clock[0] = seconds
        assert rank0.wants_stop()
    requests = [e for e in run.read_events() if e["event"] == "cancel_requested"]
    assert [event["by"] for event in requests] == ["stop_file"]
    run.stop.unlink()
    run.append_event("run_requested", by="resume")
    clock[0] = 3 * CHECK_EVERY_S
    assert not rank0.wants_stop()


@pytest.mark.fault("L12")
def test_training_does_not_start_while_there_is_a_stop_file_other_stages_do(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.append_event("run_requested", by="submit")
    run.stop.touch()
    assert run.was_cancelled()
    assert not run.was_cancelled("export")


def stale(path: Path) -> None:
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))


@pytest.mark.fault("C10")
@pytest.mark.parametrize("name", ["is_dir", "iterdir", "exists", "open"])
def test_while_the_file_system_does_not_answer_the_last_answers_hold(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, clock = RunDir(tmp_path), [0.0]
    run.attempt(1).mkdir(parents=True)
    run.append_event("cancel_requested", by="cancel")
    rank0 = guard(run, clock)
    assert rank0.wants_stop()
    monkeypatch.setattr(Path, name, lambda path, *_, **__: stale(path))
    clock[0] = CHECK_EVERY_S
    assert rank0.wants_stop()
    monkeypatch.undo()
    run.append_event("run_requested", by="resume")
    clock[0] = 2 * CHECK_EVERY_S
    assert not rank0.wants_stop()


@pytest.mark.fault("C10")
def test_before_a_save_a_passing_error_is_tried_again_and_a_lasting_one_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDir(tmp_path)
    run.attempt(2).mkdir(parents=True)
    failures = [errno.ESTALE, errno.EIO]
    newest: Callable[[RunDir], int] = RunDir.newest_attempt

    def fails_twice(self: RunDir) -> int:
        if failures:
            raise OSError(failures.pop(), "passing")
        return newest(self)

    monkeypatch.setattr(RunDir, "newest_attempt", fails_twice)
    assert guard(run, [0.0]).is_superseded()
    failures[:] = [errno.EACCES]
    with pytest.raises(OSError, match="passing"):
        guard(run, [0.0]).is_superseded()
