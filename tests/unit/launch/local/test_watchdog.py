"""A rank that hangs is found by its watchdog, named with phase and seconds, and killed."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from ftdist_launch.attempts import Finished
from ftdist_launch.hangs import Hang, hang_failures, is_waiting, record_hang, stacks_file
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.rank_process import rank_process
from ftdist_launch.rank_records import read_starts

from ftdist.dist.phases import Progress, SharedProgress
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run, plan_of, some_config

LIMIT_S = 3.0
CLONE_VFORK, SYS_CLONE = 0x4000, 56
HOST = socket.gethostname().partition(".")[0]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


class Act:
    """A view that acts once all ranks of the first attempt are in their step."""

    def __init__(self, run: RunDir, ranks: int, act: Callable[[], None]) -> None:
        self.run, self.ranks, self.act, self.acted = run, ranks, act, False

    def update(self) -> None:
        ready = list(self.run.attempt(1).glob("ready-*"))
        if len(ready) == self.ranks and not self.acted:
            self.acted = True
            self.act()

    def close(self) -> None:
        return


def train(
    run: RunDir,
    function: Callable[[str], None],
    *,
    ranks: int = 1,
    act: Callable[[], None] = lambda: None,
) -> Finished:
    config = some_config()
    supervisor = Supervisor(
        run=run,
        config=config,
        make_view=lambda _: Act(run, ranks, act),
        log=lambda _: None,
        jobs=SimpleNamespace(train=function),
    )
    with supervisor.exclusive():
        return supervisor.train(plan_of(config, ranks=ranks), requested_by="train")


def in_step(run_dir: str, then: Callable[[int], None], *, limit_s: float = LIMIT_S) -> None:
    """A rank that is in step 7 in the first attempt, and done in the second."""
    run = RunDir(Path(run_dir))
    number = run.newest_attempt()
    progress = SharedProgress()
    with rank_process(run.attempt(number), progress) as info:
        if number > 1:
            return
        now = time.monotonic()
        progress.write(Progress(phase="step", step=7, time=now, limit_s=limit_s))
        (run.attempt(number) / f"ready-{info.rank}").touch()
        then(info.rank)


def asleep(run_dir: str) -> None:
    in_step(run_dir, lambda _: time.sleep(60))


def in_the_kernel(run_dir: str) -> None:
    in_step(run_dir, lambda _: wait_in_state_d())


def wait_in_state_d() -> None:
    """Wait without handling signals, as for a file system that does not answer.

    The kernel lets a process wait so for the child that it has forked by `vfork`.
    """
    libc = ctypes.CDLL(None)
    watched = os.getpid()
    if libc.syscall(SYS_CLONE, CLONE_VFORK | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        while os.getppid() == watched:
            time.sleep(0.1)
        os._exit(0)


def one_asleep_one_waiting(run_dir: str) -> None:
    in_step(run_dir, lambda rank: time.sleep(60) if rank else gather_over_ranks())


def gather_over_ranks() -> None:
    # Its name is that of a collective: see `is_waiting`.
    code = compile("import time\ntime.sleep(60)", "ftdist/dist/collectives.py", "exec")
    exec(code)


def cause_of(run: RunDir) -> str:
    (first, *_) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
    return str(first["cause"])


def nothing_left(run: RunDir) -> bool:
    starts = read_starts(run.attempt(1)).values()
    return not any(
        psutil.pid_exists(start[name]) for start in starts for name in ("pid", "watchdog")
    )


@pytest.mark.fault("M9", "L6")
@pytest.mark.timeout(120)
def test_the_only_rank_falls_asleep_and_is_killed_and_the_run_resumes(run: RunDir) -> None:
    finished = train(run, asleep)
    assert finished.outcome == "done"
    assert re.fullmatch(
        rf"Rank 0 on {HOST} made no progress for [3-9] s in step 7 \(phase step\): "
        r"it was in no collective\.",
        cause_of(run),
    )
    first, second = (e for e in run.read_events() if e["event"] == "attempt_finished")
    assert (first["outcome"], first["exit_codes"], first["rank"]) == ("requeue", {"76": 1}, 0)
    assert (first["failed_host"], second["outcome"]) == (HOST, "done")
    assert "in_step" in stacks_file(run.attempt(1)).read_text()
    assert nothing_left(run)


@pytest.mark.fault("L5", "M8")
@pytest.mark.timeout(120)
def test_a_stopped_rank_is_named_and_the_stacks_of_all_are_written(run: RunDir) -> None:
    def stop() -> None:
        os.kill(read_starts(run.attempt(1))[1]["pid"], signal.SIGSTOP)

    finished = train(run, one_asleep_one_waiting, ranks=2, act=stop)
    assert finished.outcome == "done"
    assert f"Rank 1 on {HOST} made no progress" in cause_of(run)
    assert cause_of(run).endswith("its process was stopped (SIGSTOP).")
    stacks = stacks_file(run.attempt(1)).read_text()
    # The stopped one writes its own once it is woken for that.
    for rank in (0, 1):
        _, title, own = stacks.partition(f"Rank {rank} on {HOST} made no progress")
        assert title
        assert "in in_step" in own.partition("\n\nRank ")[0]
    assert nothing_left(run)


@pytest.mark.fault("L6")
@pytest.mark.timeout(120)
def test_a_rank_that_no_signal_reaches_is_described_by_the_kernel(run: RunDir) -> None:
    finished = train(run, in_the_kernel)
    assert finished.outcome == "done"
    assert "it waited for the kernel (state D)" in cause_of(run)
    stacks = stacks_file(run.attempt(1)).read_text()
    assert "No Python stack within 3 s. The kernel says:\nState:\tD" in stacks
    assert nothing_left(run)


@pytest.mark.fault("L5", "L6")
@pytest.mark.timeout(120)
def test_of_two_ranks_the_one_outside_of_collectives_is_named(run: RunDir) -> None:
    train(run, one_asleep_one_waiting, ranks=2)
    assert f"Rank 1 on {HOST}" in cause_of(run)
    assert "Rank 0" not in cause_of(run)
    assert "it waited in a collective" in stacks_file(run.attempt(1)).read_text()


SUSPENDED = """
import sys, time
from pathlib import Path
from ftdist.dist.phases import SharedProgress
from ftdist_launch.watchdog import start_watchdog
start_watchdog(Path(sys.argv[1]), 0, SharedProgress(start_s=8.0))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.fault("L5")
@pytest.mark.timeout(60)
def test_a_suspended_job_is_no_hang_and_sigusr1_shows_where_it_is(tmp_path: Path) -> None:
    # As Ctrl-Z or `scontrol suspend`: all processes are stopped, the watchdog among them.
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED, str(tmp_path)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as rank:
        assert rank.stdout is not None
        assert rank.stdout.readline() == b"ready\n"
        os.killpg(rank.pid, signal.SIGSTOP)
        time.sleep(9.0)
        os.killpg(rank.pid, signal.SIGCONT)
        time.sleep(2.0)
        assert rank.poll() is None
        assert not stacks_file(tmp_path).exists()
        rank.send_signal(signal.SIGUSR1)
        time.sleep(2.0)
        assert "asked for by SIGUSR1:" in stacks_file(tmp_path).read_text()
        assert rank.poll() is None
        rank.wait(timeout=30)  # 8 s after it went on it hangs
        assert rank.returncode == -signal.SIGKILL


def hang(rank: int, *, idle_s: float, state: str = "asleep", waits: bool = True) -> Hang:
    return Hang(
        rank=rank,
        time=1000.0,
        idle_s=idle_s,
        phase="step",
        step=7,
        state=state,
        waits=waits,
        node=f"node{rank}",
    )


@pytest.mark.fault("L5", "L6", "L7")
@pytest.mark.parametrize(
    ("hangs", "rank", "host"),
    [
        ([hang(0, idle_s=600), hang(1, idle_s=590, state="stopped")], 1, "node1"),
        ([hang(0, idle_s=600), hang(1, idle_s=600, waits=False), hang(2, idle_s=600)], 1, "node1"),
        ([hang(0, idle_s=600), hang(1, idle_s=640), hang(2, idle_s=601)], 1, "node1"),
        # A network that is cut: all wait, and nobody is known to be the cause.
        ([hang(0, idle_s=600), hang(1, idle_s=601), hang(2, idle_s=600)], 1, None),
    ],
)
def test_the_rank_that_the_others_wait_for_is_named(
    tmp_path: Path, hangs: list[Hang], rank: int, host: str | None
) -> None:
    for each in hangs:
        record_hang(tmp_path, each)
    (failure,) = hang_failures(tmp_path)
    assert (failure.rank, failure.host, failure.exit_code) == (rank, host, 76)
    assert ("as did" in failure.problem) is (host is None)
    # Whether the run resumes is decided later.
    assert failure.remedy == (
        f"see in {tmp_path}/stacks-*.txt where it was; if it was slow and did not hang, raise "
        "cluster.step_timeout_s."
    )


def test_no_hang_is_no_failure(tmp_path: Path) -> None:
    assert hang_failures(tmp_path) == []


@pytest.mark.parametrize("function", ["_allgather_params_coalesced", "wait"])
def test_a_rank_in_a_native_collective_waits(function: str) -> None:
    lines = [
        '  File "/x/deepspeed/utils/nvtx.py", line 33 in wrapped_fn',
        f'  File "/x/deepspeed/runtime/zero/partition_parameters.py", line 765 in {function}',
    ]
    assert is_waiting("\n".join(["Thread 0x1 (most recent call first):", *lines]))


@pytest.mark.parametrize(
    ("frames", "waits"),
    [
        (["torch/distributed/distributed_c10d.py", "ftdist/train/loop.py"], True),
        (["time.py", "ftdist/train/evaluator.py", "ftdist/train/loop.py"], False),
        (["zero/stage3.py", "zero/engine.py", "ftdist/train/step.py"], False),
        (["queue.py", "a.py", "b.py", "c.py", "torch/distributed/distributed_c10d.py"], False),
    ],
)
def test_the_innermost_frames_tell_whether_a_rank_waits(frames: list[str], waits: bool) -> None:
    lines = [f'  File "/x/{frame}", line 1 in call' for frame in frames]
    assert is_waiting("\n".join(["Current thread 0x1 (most recent call first):", *lines])) is waits


COUNTING = """
import sys, time
from pathlib import Path
from ftdist.dist.phases import SharedProgress
from ftdist_launch.watchdog import start_watchdog
start_watchdog(Path(sys.argv[1]), 0, SharedProgress(start_s=2.0))
while True:
    print("on", flush=True)
    time.sleep(0.05)
"""


@pytest.mark.fault("L5")
@pytest.mark.timeout(60)
def test_a_stopped_rank_writes_its_stack_and_does_not_go_on_before_it_is_killed(
    tmp_path: Path,
) -> None:
    # Otherwise the ranks that wait for it would go on too, and their stacks would not show where.
    with subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(tmp_path)], stdout=subprocess.PIPE
    ) as rank:
        assert rank.stdout is not None
        assert rank.stdout.readline() == b"on\n"
        rank.send_signal(signal.SIGSTOP)
        lines = rank.stdout.read().count(b"on")
    assert rank.returncode == -signal.SIGKILL
    assert 'File "<string>", line ' in stacks_file(tmp_path).read_text()
    assert lines < 70  # in 3 s, within which it writes its stack, 60; in 5 s before its end, 100
