"""How the ends of child processes are reported."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from ftdist_launch.local.processes import is_alive
from ftdist_launch.subprocesses import run_child

from ftdist.errors import FtdistError

pytestmark = pytest.mark.timeout(60)

_RUN_ONCE = ("-n", "1", "-r", "1")


def test_a_killed_program_is_not_an_internal_error() -> None:
    with pytest.raises(FtdistError) as caught:
        run_child("timeit", [*_RUN_ONCE, "import os; os.kill(os.getpid(), 9)"])
    assert "was killed" in caught.value.problem
    assert "memory" in str(caught.value.remedy)


def test_a_crashed_program_is_to_be_run_again() -> None:
    with pytest.raises(FtdistError) as caught:
        run_child("timeit", [*_RUN_ONCE, "import os; os.kill(os.getpid(), 11)"])
    assert "signal 11 (Segmentation fault)" in caught.value.problem
    assert "run the command again" in caught.value.remedy


def test_ranks_of_another_launcher_do_not_reach_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMPI_COMM_WORLD_LOCAL_RANK", "PMI_RANK", "PMIX_RANK"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("PMIRROR", "2")
    seen = "[name for name in os.environ if name.startswith(('OMPI', 'PMI'))]"
    run_child("timeit", [*_RUN_ONCE, f"import os; assert {seen} == ['PMIRROR']"])


def test_a_silent_program_is_reported_with_its_exit_code() -> None:
    with pytest.raises(FtdistError, match="exit code 3"):
        run_child("timeit", [*_RUN_ONCE, "import os; os._exit(3)"])


@pytest.mark.fault("M13", "M12")
@pytest.mark.parametrize("loop", ["while True: pass", "__import__('re').match('(a+)+b', 'a' * 60)"])
def test_a_child_in_an_endless_loop_ends_with_a_command_that_is_killed(
    tmp_path: Path, loop: str
) -> None:
    pid_file = tmp_path / "pid"
    code = f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid())); exec({loop!r})"
    parent = (
        "from ftdist_launch.subprocesses import run_child; "
        f"run_child('timeit', ['-n', '1', '-r', '1', {code!r}])"
    )
    assert_child_ends_with(parent, pid_file)


@pytest.mark.fault("M13")
def test_a_worker_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    parent = (
        "from ftdist.io.worker_pool import map_in_order; "
        "from tests.unit.launch.test_subprocesses import endless; "
        f"list(map_in_order(endless, [{str(pid_file)!r}], processes=1, on_crash=endless))"
    )
    assert_child_ends_with(f"if __name__ == '__main__': exec({parent!r})", pid_file)


def endless(pid_file: str) -> None:
    Path(pid_file).write_text(str(os.getpid()))
    re.match("(a+)+b", "a" * 60)  # holds the interpreter: no other thread runs


def assert_child_ends_with(parent: str, pid_file: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", parent]) as command:
        until(lambda: pid_file.exists() and bool(pid_file.read_text()), seconds=40)
        child = psutil.Process(int(pid_file.read_text()))
        command.send_signal(signal.SIGKILL)
        command.wait()
    try:
        until(lambda: not is_alive(child), seconds=5)
    finally:
        if is_alive(child):
            child.kill()


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
