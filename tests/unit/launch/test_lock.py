"""The lock of a run: one writer at a time."""

import json
import os
import socket
from pathlib import Path

import pytest
from ftdist_launch.lock import _unlink_stale, is_held, run_lock

from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


def test_a_second_writer_is_refused_while_the_first_is_alive(run: RunDir) -> None:
    with run_lock(run, log=print):
        assert is_held(run)
        with (
            pytest.raises(ConfigError, match=f"process {os.getpid()} on"),
            run_lock(run, log=print),
        ):
            pass
    assert not run.lock.exists()
    assert not is_held(run)


def test_lock_of_a_dead_process_is_taken_over_and_logged(run: RunDir) -> None:
    # This pid lives, but it started at another time: it is not the process that held the lock.
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "start_ticks": 1}
    run.lock.write_text(json.dumps(holder))
    messages: list[str] = []
    with run_lock(run, log=messages.append):
        assert json.loads(run.lock.read_text())["start_ticks"] != 1
    assert messages == [f"Taking over the lock of run r: process {os.getpid()} has ended."]


def test_a_slower_takeover_leaves_the_new_lock(run: RunDir) -> None:
    dead = {"host": socket.gethostname(), "pid": os.getpid(), "start_ticks": 1}
    run.lock.write_text(json.dumps(dead))
    assert _unlink_stale(run, dead)
    run.lock.write_text(json.dumps(dead | {"start_ticks": 2}))
    assert not _unlink_stale(run, dead)
    assert json.loads(run.lock.read_text())["start_ticks"] == 2


@pytest.mark.parametrize("text", ['{"host": "elsewhere", "pid": 1, "start_ticks": 1}', "garbage"])
def test_lock_of_another_machine_or_unreadable_is_respected(run: RunDir, text: str) -> None:
    run.lock.write_text(text)
    with pytest.raises(ConfigError) as caught, run_lock(run, log=print):
        pass
    assert str(run.lock) in caught.value.remedy
    assert run.lock.read_text() == text
