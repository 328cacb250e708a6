"""One `ftdist` at a time works on a run: the commands that a user types, at the same instant."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.lock_holder import read_holder_text
from ftdist_launch.rank_records import read_starts

from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]

LONG_S = 600.0

TRAIN = (
    *("train", "experiment=tiny", "tracking=off", "run.name=r", "checkpoint.every_steps=5"),
    *("eval.loss_every_steps=0", "eval.probes_every_steps=0", "cluster.cpus_per_task=1"),
)

CONTAINER = ("unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child")
"""A container: its own processes, and a host name that is set below."""


def start(folder: Path, *words: str, around: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """Start a command of ftdist."""
    return subprocess.Popen(
        [*around, sys.executable, "-m", "ftdist", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def give(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of a command of ftdist."""
    process = start(folder, *words)
    output = process.communicate(timeout=LONG_S)[0]
    return process.returncode, output


def wait_until(so: Callable[[], bool], *, process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + LONG_S
    while not so():
        assert time.monotonic() < deadline, "not in time"
        assert process is None or process.poll() is None, process.communicate()[0]
        time.sleep(0.1)


def steps_of(run: RunDir) -> int:
    return max((int(row["step"]) for row in read_metrics(run.metrics)), default=0)


def names(run: RunDir) -> list[str]:
    return [event["event"] for event in run.read_events()]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "runs" / "r")


@pytest.mark.fault("L13")
def test_of_two_trainings_of_one_name_at_one_instant_one_trains(tmp_path: Path) -> None:
    both = [start(tmp_path, *TRAIN, "train.steps=10") for _ in range(2)]
    outputs = [process.communicate(timeout=LONG_S)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 78], outputs
    refused = next(o for p, o in zip(both, outputs, strict=True) if p.returncode)
    assert "Run r already exists in" in refused
    assert names(RunDir(tmp_path / "runs" / "r")).count("attempt_started") == 1


@pytest.mark.fault("L13", "L12")
def test_beside_a_training_one_may_look_but_not_write_and_cancel_ends_it_with_0(
    tmp_path: Path, run: RunDir
) -> None:
    training = start(tmp_path, *TRAIN, "train.steps=100000")
    try:
        wait_until(lambda: steps_of(run) >= 6, process=training)
        for words in (
            ("status", "r"),
            ("watch", "r", "--once"),
            ("logs", "r"),
            ("explain", "run.seed", "r"),
        ):
            code, output = give(tmp_path, *words)
            assert code == 0, output
        for words in (("resume", "r"), ("export", "r")):
            code, output = give(tmp_path, *words)
            assert code == 78, output
            assert f"locked by process {training.pid} on" in output
            assert "`ftdist cancel r`" in output
        code, output = give(tmp_path, *TRAIN)
        assert (code, f"and process {training.pid} on" in output) == (78, True)
        assert names(run).count("attempt_started") == 1
        code, output = give(tmp_path, "cancel", "r")
        assert code == 0, output
        output = training.communicate(timeout=LONG_S)[0]
        assert training.returncode == 0, output
    finally:
        training.kill()
    (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
    assert (end["outcome"], end["exit_code"], end["steps_lost"]) == ("stopped", 0, 0)
    assert end["cause"] == "It was cancelled with `ftdist cancel`."
    assert "stopped on request" in give(tmp_path, "status", "r")[1]


@pytest.mark.fault("M4")
def test_a_killed_ftdist_leaves_a_run_that_is_finished_and_counted(
    tmp_path: Path, run: RunDir
) -> None:
    training = start(tmp_path, *TRAIN, "train.steps=200")
    wait_until(lambda: steps_of(run) >= 3, process=training)
    training.send_signal(signal.SIGKILL)
    training.wait()  # its ranks hold its output open
    assert "running on" in (shown := give(tmp_path, "status", "r")[1]), shown
    assert "without its `ftdist`, which has ended" in shown
    code, output = give(tmp_path, "resume", "r")
    if code != 0:  # else it was complete before
        assert code == 78, output
        assert "still running without the ftdist" in output
    pids = [start["pid"] for start in read_starts(run.attempt(1)).values()]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    training.communicate()
    assert steps_of(run) == 200
    assert "Run r: done" in give(tmp_path, "status", "r")[1]
    assert names(run).count("attempt_finished") == 0  # status has written nothing
    code, output = give(tmp_path, "resume", "r")
    assert code == 0, output
    assert "is complete" in output
    (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
    assert (end["outcome"], end["lost"], end["cause"]) == ("done", True, "All steps are done.")


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.fault("L13", "M3")
def test_a_run_that_is_taken_over_by_the_users_word_goes_on_in_one_of_the_two(
    tmp_path: Path, run: RunDir
) -> None:
    """The lock seems to be that of a machine that nobody can ask; it lives, and makes way."""
    first = start(tmp_path, *TRAIN, "train.steps=200")
    wait_until(lambda: steps_of(run) >= 6, process=first)
    holder = read_holder_text(run.lock.read_text())
    assert holder is not None
    held = run.lock.read_text().replace(str(holder.boot), "another-boot")
    run.lock.unlink()  # a new file: the kernel of another machine has no lock of it
    run.lock.write_text(held)
    named = (*CONTAINER, "sh", "-c", 'hostname elsewhere; exec "$0" "$@"')

    refused = start(tmp_path, "resume", "r", around=named)
    output = refused.communicate(timeout=LONG_S)[0]
    assert refused.returncode == 78, output
    assert "whether it has ended is unknown" in output
    assert "resume.take_over=true" in output

    second = start(tmp_path, "resume", "r", "resume.take_over=true", around=named)
    output = first.communicate(timeout=LONG_S)[0]
    assert first.returncode == 78, output
    assert "Run r goes on elsewhere: Attempt 2 of the run has replaced it" in output
    output = second.communicate(timeout=LONG_S)[0]
    assert second.returncode == 0, output
    ends = {
        e["attempt"]: e["outcome"] for e in run.read_events() if e["event"] == "attempt_finished"
    }
    assert ends == {1: "superseded", 2: "done"}
    assert "lock_taken_over" in names(run)
    assert not run.lock.exists()
