"""The fixture `run_ranks` itself: without it no distributed promise can be trusted."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import torch.distributed

from ftdist.dist.world import World
from tests.support.ranks import RankFailedError, RanksHangError, RunRanks


def sum_of_ranks_plus(world: World, base: int, *, factor: int) -> tuple[int, torch.Tensor]:
    value = torch.tensor([float(base + factor * world.rank)])
    torch.distributed.all_reduce(value)
    return world.rank, value


def test_all_reduce_sums_all_ranks_and_results_come_in_rank_order(
    run_ranks: RunRanks,
) -> None:
    results = run_ranks(3, sum_of_ranks_plus, 10, factor=2)
    # Ranks give 10, 12 and 14.
    assert results == [
        (0, torch.tensor([36.0])),
        (1, torch.tensor([36.0])),
        (2, torch.tensor([36.0])),
    ]


def environment_of(world: World) -> tuple[str, int, int, int]:
    umask = os.umask(0o077)
    return os.environ["OMP_NUM_THREADS"], umask, torch.get_num_threads(), world.local_size


def test_a_rank_has_one_thread_and_makes_private_files(run_ranks: RunRanks) -> None:
    assert run_ranks(1, environment_of) == [("1", 0o077, 1, 1)]


def raise_on_rank_1(world: World) -> None:
    if world.rank == 1:
        raise ValueError("the cause is 4711")
    torch.distributed.barrier()


def test_the_raising_rank_is_shown_before_the_waiting_ones(
    run_ranks: RunRanks,
) -> None:
    with pytest.raises(RankFailedError) as caught:
        run_ranks(2, raise_on_rank_1)
    message = str(caught.value)
    assert message.startswith("rank 1 of 2 failed first (exit code 1):\nTraceback")
    assert "in raise_on_rank_1" in message
    assert "ValueError: the cause is 4711" in message


def die_on_rank_0(world: World) -> None:
    if world.rank == 0:
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.barrier()


def test_a_killed_rank_is_reported_with_its_signal_and_last_output(
    run_ranks: RunRanks,
) -> None:
    with pytest.raises(RankFailedError) as caught:
        run_ranks(2, die_on_rank_0)
    message = str(caught.value)
    assert message.startswith("rank 0 of 2 failed first (ended by SIGKILL):")
    assert "last words" in message


def wait_for_rank_1_which_sleeps(world: World, pids: Path) -> None:
    child = subprocess.Popen(["sleep", "600"])
    (pids / str(os.getpid())).touch()
    (pids / str(child.pid)).touch()
    if world.rank == 1:
        time.sleep(600)
    torch.distributed.barrier()


def test_a_deadlock_fails_at_its_timeout_with_every_stack_and_leaves_no_process(
    run_ranks: RunRanks, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    with pytest.raises(RanksHangError) as caught:
        run_ranks(2, wait_for_rank_1_which_sleeps, pids, timeout_s=2)
    message = str(caught.value)
    assert message.startswith("2 of 2 ranks were not done after 2 s:")
    assert message.count("in wait_for_rank_1_which_sleeps") == 2
    assert "in barrier" in message
    left = [int(path.name) for path in pids.iterdir()]
    assert len(left) == 4
    assert [pid for pid in left if is_running(pid)] == []


def is_running(pid: int) -> bool:
    """Whether a process still works; one that only waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")
