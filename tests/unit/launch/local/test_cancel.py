"""`ftdist cancel` of a run on this machine: the right process, the right number of signals."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from ftdist_launch.local.cancel import cancel_local
from ftdist_launch.local.processes import started_s
from ftdist_launch.lock_holder import this_process
from ftdist_launch.rank_records import record_start
from ftdist_launch.running_stage import continue_command, running_stage

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run

_SUPERVISOR = """
import sys, time
from pathlib import Path
from ftdist.rundir import RunDir
from ftdist_launch.local.monitor import counted_interrupts
from ftdist_launch.lock import run_lock

with run_lock(RunDir(Path(sys.argv[1]))), counted_interrupts() as interrupts:
    print("held", flush=True)
    while len(interrupts) < 2:
        time.sleep(0.02)
        print(len(interrupts), flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


@pytest.fixture
def supervisor(run: RunDir) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the run's lock and counts interrupts, as `ftdist train` does."""
    words = [sys.executable, "-c", _SUPERVISOR, str(run.root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def wait_for_interrupts(process: "subprocess.Popen[str]", number: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= number:
            return
    assert process.wait(10) == 0


def test_cancel_interrupts_once_and_asked_again_not_at_all(
    run: RunDir, supervisor: "subprocess.Popen[str]"
) -> None:
    """A second interrupt would kill the ranks."""
    pid = supervisor.pid
    first, again = cancel_local(run, now=False), cancel_local(run, now=False)
    assert first == [f"Process {pid} was asked to finish its step, save a checkpoint and exit."]
    assert again == [f"Process {pid} is already stopping; `--now` kills its ranks."]
    wait_for_interrupts(supervisor, 1)
    assert run.was_cancelled()
    assert supervisor.stdout is not None
    assert [int(supervisor.stdout.readline()) for _ in range(10)] == [1] * 10


def test_a_comparison_is_stopped_in_its_own_words(
    run: RunDir, supervisor: "subprocess.Popen[str]"
) -> None:
    run.append_event("stage_started", stage="compare")
    stage = running_stage(run)
    assert cancel_local(run, now=False) == [
        f"Process {supervisor.pid} was asked to stop stage compare; what it has not finished is "
        "lost."
    ]
    assert continue_command(run, stage) == f"ftdist compare {run.cli_name}"
    run.append_event("stage_finished", stage="compare", exit_code=75)
    assert continue_command(run, running_stage(run)) == f"ftdist resume {run.cli_name}"


def test_now_interrupts_twice_which_kills_the_ranks(
    run: RunDir, supervisor: "subprocess.Popen[str]"
) -> None:
    assert cancel_local(run, now=True) == [f"Process {supervisor.pid} was asked to kill its ranks."]
    wait_for_interrupts(supervisor, 2)
    assert [event["now"] for event in run.read_events()] == [True]


@pytest.mark.fault("L13")
def test_no_other_process_is_signalled(run: RunDir) -> None:
    """The named process has ended, and its number is another's; or it is on another host."""
    assert cancel_local(run, now=False) is None
    with subprocess.Popen(["sleep", "60"]) as stranger, run.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(replace(this_process(), pid=stranger.pid, started=1).to_json())
        file.flush()
        with pytest.raises(ConfigError, match=f"process {stranger.pid} on .* not a process of"):
            cancel_local(run, now=False)
        assert stranger.poll() is None
        stranger.kill()
    run.lock.write_text(replace(this_process(), host="elsewhere", boot="b").to_json())
    with pytest.raises(ConfigError, match="on elsewhere") as caught:
        cancel_local(run, now=False)
    assert f"ssh elsewhere kill {os.getpid()}" in caught.value.remedy
    assert not run.was_cancelled()


@pytest.mark.parametrize("job", [None, "12"])
def test_ranks_without_their_ftdist_are_asked_unless_slurm_started_them(
    run: RunDir, job: str | None
) -> None:
    fields = {} if job is None else {"job": job}
    run.append_event("attempt_started", attempt=1, world_size=1, **fields)
    run.attempt(1).mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as rank:
        start = {
            "pid": rank.pid,
            "host": socket.gethostname(),
            "started_s": started_s(psutil.Process(rank.pid)),
        }
        record_start(run.attempt(1), 0, **start)
        if job is None:
            assert cancel_local(run, now=False) == [
                "The `ftdist` that started the run is gone; its 1 rank was asked to finish the "
                "step, save a checkpoint and exit."
            ]
            assert rank.wait(10) == -signal.SIGUSR2
        else:
            assert cancel_local(run, now=False) is None
            assert rank.poll() is None
            rank.kill()
