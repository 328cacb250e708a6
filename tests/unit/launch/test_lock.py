"""The lock of a run: one writer at a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ftdist_launch import lock, lock_holder
from ftdist_launch.lock import (
    RunLockedError,
    break_lock,
    claim_for_job,
    is_held,
    read_holder,
    release_claim,
    run_lock,
)
from ftdist_launch.lock_holder import Holder, read_holder_text, this_job, this_process

from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run

pytestmark = pytest.mark.fault("L13")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


@pytest.fixture
def no_file_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without flock, such as Lustre mounted with -o noflock."""

    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("ftdist_launch.lock.fcntl.flock", refuse)


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links, such as exFAT or some of FUSE."""

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("ftdist_launch.lock.os.link", refuse)


_HOLDER = """
import sys, time
from pathlib import Path
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch import lock

if "no-flock" in sys.argv:
    def refuse(*_):
        raise OSError(38, "Function not implemented")
    lock.fcntl.flock = refuse
try:
    with lock.run_lock(RunDir(Path(sys.argv[1])), log=print):
        print("held", flush=True)
        sys.stdin.read()
except ConfigError as error:
    print(error, flush=True)
"""


@contextmanager
def other_process(
    run: RunDir, *words: str, around: tuple[str, ...] = ()
) -> Iterator["subprocess.Popen[str]"]:
    """Another process that tries to hold the lock; its first line is its answer."""
    command = [*around, sys.executable, "-c", _HOLDER, str(run.root), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def holder(run: RunDir) -> Holder:
    found = read_holder_text(run.lock.read_text())
    assert found is not None
    return found


def locked_by(run: RunDir, other: Holder) -> None:
    run.lock.write_text(other.to_json())


def elsewhere(**fields: Any) -> Holder:
    """A process of another machine."""
    here = this_process()
    return replace(
        here, host="elsewhere", machine="m", boot="b", **{"job": None, "cluster": None, **fields}
    )


def test_a_second_writer_is_refused_while_the_first_is_alive(run: RunDir) -> None:
    with run_lock(run):
        assert is_held(run)
        with pytest.raises(RunLockedError) as caught, run_lock(run):
            pass
        assert f"process {os.getpid()} on" in caught.value.problem
        assert "since 20" in caught.value.problem
        assert "`ftdist cancel" in caught.value.remedy
        assert "take_over" not in caught.value.remedy  # it is alive for certain
        assert is_held(run)
    assert not is_held(run)
    with run_lock(run):
        pass


@pytest.mark.parametrize("words", [(), ("no-flock",)])
def test_the_lock_of_a_killed_process_is_taken_over_with_a_log_line(
    run: RunDir, words: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    if words:
        request.getfixturevalue("no_file_locks")
    with other_process(run, *words) as other:
        assert answer(other) == "held\n"
        assert is_held(run)
        with pytest.raises(RunLockedError, match=f"process {other.pid} on"), run_lock(run):
            pass
        other.send_signal(signal.SIGKILL)
    assert holder(run).pid == other.pid
    assert not is_held(run)
    messages: list[str] = []
    with run_lock(run, log=messages.append):
        assert holder(run).pid == os.getpid()
    (message,) = messages
    assert message.startswith(f"Taking over run r from process {other.pid} on ")
    assert message.endswith(": it has ended.")
    assert [event["event"] for event in run.read_events()] == ["lock_taken_over"]


def test_a_process_id_that_another_program_has_got_since_does_not_hold_the_lock(
    run: RunDir,
) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        ticks = lock_holder.start_ticks(stranger.pid)
        assert ticks is not None
        locked_by(run, replace(this_process(), pid=stranger.pid, started=ticks))
        assert is_held(run)
        locked_by(run, replace(this_process(), pid=stranger.pid, started=ticks - 1))
        assert not is_held(run)
        with run_lock(run):
            assert holder(run).pid == os.getpid()
        stranger.kill()


@needs_root
@pytest.mark.fault("M3")
@pytest.mark.parametrize("words", [(), ("no-flock",)])
def test_a_container_with_the_same_host_name_is_refused(
    run: RunDir, words: tuple[str, ...]
) -> None:
    """In its PID namespace the number of the holder belongs to nobody."""
    container = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    with other_process(run, *words) as first:
        assert answer(first) == "held\n"
        with other_process(run, *words, around=container) as second:
            assert answer(second).startswith(f"Run r is locked by process {first.pid} on ")
            remedy = answer(second)
        assert ("resume.take_over=true" in remedy) == bool(words)  # without flock it is not known
        assert holder(run).pid == first.pid
        first.kill()
        first.wait()
        with other_process(run, *words, around=container) as second:
            assert ("Taking over" in answer(second)) == (not words)


@needs_root
@pytest.mark.fault("M3")
def test_a_holder_in_a_container_is_found_from_the_machine_without_file_locks(
    run: RunDir, no_file_locks: None
) -> None:
    container = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    with other_process(run, "no-flock", around=container) as inside:
        assert answer(inside) == "held\n"
        assert holder(run).pid == 1
        assert is_held(run)
        inside.kill()
    wait_until(lambda: not is_held(run))  # unshare ends first, its child soon after


@needs_root
def test_another_host_name_of_the_same_machine_is_no_other_machine(run: RunDir) -> None:
    renamed = ("unshare", "--uts", "sh", "-c", 'hostname other-name; exec "$0" "$@"')
    with other_process(run, around=renamed) as other:
        assert answer(other) == "held\n"
        with pytest.raises(RunLockedError, match="on other-name"), run_lock(run):
            pass
        other.kill()
        other.wait()
    with run_lock(run):
        pass


def test_the_lock_of_another_machine_needs_the_users_word(run: RunDir) -> None:
    other = elsewhere()
    locked_by(run, other)
    assert is_held(run)
    with pytest.raises(RunLockedError) as caught, run_lock(run):
        pass
    assert "whether it has ended is unknown" in caught.value.problem
    assert "resume.take_over=true" in caught.value.remedy
    assert holder(run) == other
    messages: list[str] = []
    break_lock(run, log=messages.append)
    assert "from process" in messages[0]
    assert "on elsewhere" in messages[0]
    with run_lock(run):
        pass


def test_the_users_word_does_not_take_a_lock_from_a_process_that_is_seen_alive(
    run: RunDir,
) -> None:
    with other_process(run) as other:
        assert answer(other) == "held\n"
        with pytest.raises(RunLockedError, match=f"process {other.pid} on"):
            break_lock(run, log=print)
        assert is_held(run)


def test_the_lock_from_before_a_restart_of_this_machine_is_taken_over(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_holder, "_machine", lambda: "m")
    before = replace(this_process(), machine="m", boot="an earlier start")
    monkeypatch.setattr(lock_holder, "pid_namespace", lambda: lock_holder.FIRST_PID_NAMESPACE)
    before = replace(before, pid_namespace=lock_holder.FIRST_PID_NAMESPACE)
    locked_by(run, replace(before, machine="another of this name"))
    with pytest.raises(RunLockedError), run_lock(run):
        pass
    locked_by(run, replace(before, pid_namespace=17))  # a container: its host name proves nothing
    with pytest.raises(RunLockedError), run_lock(run):
        pass
    locked_by(run, before)
    messages: list[str] = []
    with run_lock(run, log=messages.append):
        pass
    assert messages[0].endswith(": its machine has restarted since.")


@pytest.mark.parametrize(
    ("queue", "is_refused", "text"),
    [
        ('echo "12|RUNNING|None|node3|N/A"', True, "job 12 is RUNNING on node3"),
        ("exit 0", False, "job 12 has left the queue"),
        ("echo busy >&2; exit 1", True, "whether it has ended is unknown"),
    ],
)
@pytest.mark.parametrize("is_process", [True, False])
def test_of_a_job_on_another_machine_slurm_is_asked(
    run: RunDir,
    command: Callable[[str, str], None],
    queue: str,
    text: str,
    is_refused: bool,
    is_process: bool,
) -> None:
    """Of a job that trains, and of `ftdist train` in an interactive job."""
    command("squeue", queue)
    locked_by(run, elsewhere(job="12", **({} if is_process else {"pid": None, "started": None})))
    messages: list[str] = []
    if is_refused:
        with pytest.raises(RunLockedError, match=text), run_lock(run):
            pass
    else:
        with run_lock(run, log=messages.append):
            pass
        assert text in messages[0]


@pytest.mark.parametrize(
    ("scontrol", "is_refused"),
    [
        ('echo "ClusterName             = alpha"', False),
        ('echo "ClusterName             = beta"', True),
        ("exit 0", True),
        ("echo busy >&2; exit 1", True),
    ],
    ids=["same", "another", "nameless", "away"],
)
def test_the_queue_of_another_cluster_says_nothing_about_a_job(
    run: RunDir, command: Callable[[str, str], None], scontrol: str, is_refused: bool
) -> None:
    """On a login node, where no variable names the cluster; two clusters share a file system."""
    command("squeue", "exit 0")  # job 12 is not in it
    command("scontrol", scontrol)
    locked_by(run, elsewhere(job="12", cluster="alpha", pid=None, started=None))
    if is_refused:
        with pytest.raises(RunLockedError, match="whether it has ended is unknown"), run_lock(run):
            pass
        assert holder(run).job == "12"
    else:
        with run_lock(run):
            pass


def test_a_job_keeps_its_claim_over_restarts_and_no_other_job_gets_it(
    run: RunDir, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "JOB_WAIT_S", 0.0)
    command("squeue", 'echo "12|RUNNING|None|node3|N/A"')
    claim_for_job(run, "12", log=print)
    assert not is_held(run)  # no process
    claim_for_job(run, "12", log=print)
    with pytest.raises(RunLockedError, match="locked by job 12 on"):
        claim_for_job(run, "13", log=print)
    with pytest.raises(RunLockedError, match="locked by job 12 on"), run_lock(run):
        pass
    release_claim(run, "13")
    assert holder(run).job == "12"
    release_claim(run, "12")
    assert not run.lock.exists()

    locked_by(run, this_job("12"))
    command("squeue", "exit 0")
    messages: list[str] = []
    claim_for_job(run, "13", log=messages.append)
    assert holder(run).job == "13"
    assert "job 12 has left the queue" in messages[0]


def test_a_job_waits_for_the_command_that_is_submitting_it(run: RunDir) -> None:
    with other_process(run) as submitting:
        assert answer(submitting) == "held\n"
        assert submitting.stdin is not None
        submitting.stdin.close()
        claim_for_job(run, "12", log=print)
    assert holder(run).job == "12"


@pytest.mark.usefixtures("no_hard_links")
@pytest.mark.parametrize("has_flock", [True, False])
def test_file_systems_without_hard_links_have_one_holder_too(
    run: RunDir, has_flock: bool, request: pytest.FixtureRequest
) -> None:
    if not has_flock:
        request.getfixturevalue("no_file_locks")
    with run_lock(run):
        assert is_held(run)
        with pytest.raises(RunLockedError, match=f"process {os.getpid()} on"), run_lock(run):
            pass
    assert not is_held(run)


@pytest.mark.parametrize("text", ["", "{", '{"pid": 3}', "[1]"])
def test_a_lock_without_a_readable_name_is_not_free(
    run: RunDir, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "READ_PAUSE_S", 0.0)
    run.lock.write_text(text)
    assert is_held(run)
    with pytest.raises(RunLockedError, match="an unknown machine"), run_lock(run):
        pass
    break_lock(run, log=print)
    with run_lock(run):
        pass


def test_nothing_is_left_of_a_lock_that_was_released(run: RunDir) -> None:
    with run_lock(run):
        assert read_holder(run) == holder(run)
    assert [path.name for path in run.root.iterdir() if "lock" in path.name] == []


_RACER = """
import sys, time
from pathlib import Path
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from ftdist_launch import lock

run = RunDir(Path(sys.argv[1]))
if "no-flock" in sys.argv:
    def refuse(*_):
        raise OSError(38, "Function not implemented")
    lock.fcntl.flock = refuse
print("ready", flush=True)
sys.stdin.readline()
try:
    with lock.run_lock(run):
        with open(run.root / "holders", "a") as file:
            file.write("x")
        time.sleep(1.5)
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize("words", [(), ("no-flock",)])
def test_of_four_processes_at_the_same_instant_one_holds_the_lock(
    run: RunDir, words: tuple[str, ...], is_stale: bool
) -> None:
    if is_stale:  # of a process that has ended: all four may take it over
        locked_by(run, replace(this_process(), started=1))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(run.root), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert [answer(racer) for racer in racers] == ["ready\n"] * 4
    time.sleep(0.1)
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0] for racer in racers]
    assert (run.root / "holders").read_text() == "x"
    assert sum("is locked by process" in text for text in said) == 3
