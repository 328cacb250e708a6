"""The lock of a run: one writer at a time."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ftdist_launch.lock import is_held, run_lock

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


@pytest.mark.fault("L13")
def test_a_second_writer_is_refused_while_the_first_is_alive(run: RunDir) -> None:
    with run_lock(run):
        assert is_held(run)
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on"), run_lock(run):
            pass
        assert is_held(run)
    assert not is_held(run)
    with run_lock(run):
        pass


_HOLDER = """
import sys, time
from pathlib import Path
from ftdist.rundir import RunDir
from ftdist_launch.lock import run_lock

with run_lock(RunDir(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.fault("L13")
def test_the_lock_of_a_killed_process_is_free(run: RunDir) -> None:
    words = [sys.executable, "-c", _HOLDER, str(run.root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(run)
        with pytest.raises(ConfigError, match=f"process {holder.pid} on"), run_lock(run):
            pass
        holder.send_signal(signal.SIGKILL)
    assert json.loads(run.lock.read_text())["pid"] == holder.pid
    assert not is_held(run)
    with run_lock(run):
        assert json.loads(run.lock.read_text())["pid"] == os.getpid()


def test_a_look_at_the_lock_does_not_take_it(run: RunDir) -> None:
    with run_lock(run):
        pass
    with run.lock.open() as file:
        assert not is_held(run)
        assert file.read() == ""


def test_the_lock_of_another_machine_is_respected(run: RunDir) -> None:
    text = '{"host": "elsewhere", "pid": 1}'
    run.lock.write_text(text)
    assert is_held(run)
    with pytest.raises(ConfigError) as caught, run_lock(run):
        pass
    assert str(run.lock) in caught.value.remedy
    assert run.lock.read_text() == text


def test_a_file_system_without_locks_goes_by_the_holders_name(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("ftdist_launch.lock.fcntl.flock", refuse)
    with run_lock(run):
        assert is_held(run)
        with pytest.raises(ConfigError, match="is locked by"), run_lock(run):
            pass
    assert not is_held(run)


@pytest.mark.fault("L13")
def test_of_two_that_start_at_once_without_locks_at_most_one_goes_on(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    def other_writes(_: float) -> None:
        run.lock.write_text('{"host": "elsewhere", "pid": 7}')

    monkeypatch.setattr("ftdist_launch.lock.fcntl.flock", refuse)
    monkeypatch.setattr("ftdist_launch.lock.time.sleep", other_writes)
    with pytest.raises(ConfigError, match="process 7 on elsewhere"), run_lock(run):
        pass
    assert json.loads(run.lock.read_text())["pid"] == 7


def test_a_lock_that_another_process_has_without_its_name_yet_is_not_free(run: RunDir) -> None:
    with run.lock.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_held(run)
        with pytest.raises(ConfigError, match="just being locked"), run_lock(run):
            pass
    with run_lock(run):
        assert is_held(run)
