"""Comparisons, merges and exports that are stopped, and those that outlive their `ftdist`."""

import hashlib
import os
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
from ftdist_launch.local import leftover_ranks
from ftdist_launch.local import supervisor as supervisor_module
from ftdist_launch.local.leftover_ranks import refuse_leftover_ranks
from ftdist_launch.local.processes import children_of, find_process, is_alive, send, started_s
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.rank_process import RankInfo
from ftdist_launch.rank_records import read_exit_codes, read_starts, record_start
from ftdist_launch.setup.stage_preflight import output_problems

from ftdist.cli.main import main
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run, plan_of, run_rank, some_config
from tests.support.superuser import without_superuser

pytestmark = pytest.mark.timeout(90)

READY = "ready"
TIDY = "tidy"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


def in_native_code(run_dir: str) -> None:
    """A rank that hears no signal for minutes, as in one batch that is far too large."""

    def rank_main(rank: RankInfo) -> int:
        (Path(run_dir) / READY).touch()
        hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 2_000_000_000)
        return 0

    run_rank(RunDir(Path(run_dir)).attempts / "compare", rank_main)


def in_python(run_dir: str) -> None:
    """A rank that hears signals and tidies up."""

    def rank_main(rank: RankInfo) -> int:
        try:
            (Path(run_dir) / READY).touch()
            time.sleep(80)
        finally:
            (Path(run_dir) / TIDY).touch()
        return 0

    run_rank(RunDir(Path(run_dir)).attempts / "compare", rank_main)


def that_trains(run_dir: str) -> None:
    """A rank that saves once it is asked to."""

    def rank_main(rank: RankInfo) -> int:
        heard: list[int] = []
        signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
        (Path(run_dir) / READY).touch()
        while not heard:
            time.sleep(0.05)
        return 75

    run_rank(RunDir(Path(run_dir)).attempt(1), rank_main)


class _FakeView:
    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def update(self) -> None:
        self.act()

    def close(self) -> None:
        return


def supervisor(
    run: RunDir, function: Callable[[str], None], act: Callable[[], None], messages: list[str]
) -> Supervisor:
    return Supervisor(
        run=run,
        config=some_config(),
        make_view=lambda _: _FakeView(act),
        log=messages.append,
        jobs=SimpleNamespace(compare=function, train=function),
    )


def test_a_batch_in_native_code_is_killed_soon_after_the_first_interrupt(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leftover_ranks.STAGE_TIMEOUT_S == 10.0
    monkeypatch.setattr(supervisor_module, "STAGE_TIMEOUT_S", 1.0)
    messages: list[str] = []
    asked: list[float] = []

    def ask_once() -> None:
        if not asked and (run.root / READY).exists():
            asked.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

    watched = supervisor(run, in_native_code, ask_once, messages)
    with watched.exclusive():
        finished = watched.once("compare")
    assert time.monotonic() - asked[0] < 15
    assert (finished.outcome, finished.exit_code, finished.failure) == ("stopped", 143, None)
    assert messages == [
        "Stopping within 1 s. Interrupt again to kill it.",
        "No stop within 1 s: killing the ranks.",
    ]
    refuse_leftover_ranks(run)


def test_a_stage_that_handles_signals_cleans_up_and_is_not_killed(run: RunDir) -> None:
    messages: list[str] = []

    def ask_once() -> None:
        if not messages and (run.root / READY).exists():
            os.kill(os.getpid(), signal.SIGINT)

    watched = supervisor(run, in_python, ask_once, messages)
    with watched.exclusive():
        finished = watched.once("compare")
    assert (finished.outcome, finished.exit_code) == ("stopped", 130)
    assert (run.root / TIDY).exists()
    assert messages == ["Stopping within 10 s. Interrupt again to kill it."]


_SUPERVISE = (
    "import sys\n"
    "from pathlib import Path\n"
    "from ftdist.rundir import RunDir\n"
    "from tests.unit.launch.local import test_single_stages as own\n"
    "own.work_alone(RunDir(Path(sys.argv[1])), sys.argv[2])\n"
)


def work_alone(run: RunDir, name: str) -> None:
    """What the `ftdist` does that is killed."""
    watched = supervisor(run, globals()[name], lambda: None, [])
    with watched.exclusive():
        if name == that_trains.__name__:
            watched.train(plan_of(watched.config, ranks=1), requested_by="train")
        else:
            watched.once("compare")


def orphaned(run: RunDir, function: Callable[[str], None], *, folder: str) -> psutil.Process:
    """A rank whose `ftdist` was killed."""
    words = [sys.executable, "-c", _SUPERVISE, str(run.root), function.__name__]
    with subprocess.Popen(words) as starter:
        _wait_for((run.root / READY).exists)
        (controller,) = children_of(starter.pid)
        starter.kill()
    start = read_starts(run.attempts / folder)[0]
    assert is_alive(controller)
    rank = find_process(start["pid"], started=start["started_s"])
    assert rank is not None
    return rank


def _wait_for(met: Callable[[], bool], *, within_s: float = 40.0) -> None:
    patience = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < patience
        time.sleep(0.05)


@pytest.mark.parametrize("function", [in_python, in_native_code])
def test_a_stage_ends_when_its_ftdist_is_killed(
    run: RunDir, function: Callable[[str], None]
) -> None:
    rank = orphaned(run, function, folder="compare")
    try:
        refuse_leftover_ranks(run)  # waits
        assert not is_alive(rank)
        assert (run.root / TIDY).exists() is (function is in_python)
    finally:
        send(signal.SIGKILL, rank)


def test_training_continues_when_its_ftdist_is_killed(run: RunDir) -> None:
    rank = orphaned(run, that_trains, folder="1")
    try:
        time.sleep(2.0)
        with pytest.raises(ConfigError) as caught:
            refuse_leftover_ranks(run)
        assert caught.value.problem == (
            "1 rank of run r still running without the ftdist that started the run: "
            f"PID {rank.pid}."
        )
        assert caught.value.remedy == (
            "let it finish the run (`ftdist status` shows when), or let it save and exit with "
            f"`ftdist cancel {run.cli_name}` or `kill -USR2 {rank.pid}`, then retry."
        )
        send(signal.SIGUSR2, rank)
        _wait_for(lambda: not is_alive(rank))
    finally:
        send(signal.SIGKILL, rank)


def test_a_leftover_single_stage_may_be_killed(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftover_ranks, "STAGE_TIMEOUT_S", 0.5)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as rank:
        own = psutil.Process(rank.pid)
        folder = run.attempts / "merge"
        folder.mkdir()
        start = {"host": socket.gethostname(), "pid": own.pid, "started_s": started_s(own)}
        record_start(folder, 0, **start)
        with pytest.raises(ConfigError) as caught:
            refuse_leftover_ranks(run)
        rank.kill()
    assert str(caught.value) == (
        f"Process {own.pid} of `ftdist merge` of run r is still running, although the command has "
        f"ended.\nTo fix: kill it with `kill -9 {own.pid}` (it has nothing to save), then retry."
    )


_RANK = """
import sys, threading, time
from pathlib import Path
from ftdist_launch.rank_process import rank_process

with rank_process(Path(sys.argv[1])):
    threading.Thread(target=time.sleep, args=(4.0,)).start()  # the interpreter waits for it
    Path(sys.argv[1], "ready").touch()
    time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("works_s", "code"), [(60.0, 75), (0.0, 0)])
def test_a_second_stop_signal_does_not_interrupt_the_shutdown(
    tmp_path: Path, works_s: float, code: int
) -> None:
    place = {
        "JOB_ID": "1", "NTASKS": "1", "JOB_NUM_NODES": "1",
        "NODEID": "0", "GLOBALID": "0", "LOCALID": "0",
    }  # fmt: skip
    surroundings = {f"SUBMITIT_LOCAL_{name}": value for name, value in place.items()}
    with subprocess.Popen(
        [sys.executable, "-c", _RANK, str(tmp_path), str(works_s)],
        env={**os.environ, **surroundings, "SUBMITIT_EXECUTOR": "local"},
        stderr=subprocess.PIPE,
        text=True,
    ) as rank:
        _wait_for((tmp_path / READY).exists)
        if works_s:
            rank.send_signal(signal.SIGUSR2)
        _wait_for(lambda: read_exit_codes(tmp_path, 1) != (None,))
        time.sleep(0.5)
        rank.send_signal(signal.SIGTERM)
        rank.send_signal(signal.SIGUSR2)
        _, output = rank.communicate(timeout=40)
    assert "Traceback" not in output
    assert rank.returncode == code


@pytest.mark.parametrize("stage", ["compare", "merge"])
def test_a_file_in_place_of_the_result_folder_is_refused_before_models_are_loaded(
    run: RunDir, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run.export.mkdir()
    (run.export / "config.json").write_text("{}")
    place = run.report if stage == "compare" else run.merge
    for thing in (lambda: place.write_text("x"), lambda: place.symlink_to("nowhere")):
        thing()
        (problem,) = output_problems(run, stage=stage)  # type: ignore[arg-type]
        assert problem.exit_code == 74
        assert str(problem) == (
            f"{place} is not a folder in which you may write.\n"
            "To fix: move it elsewhere, get write permission, or ask its owner to run this."
        )
        assert main([stage, str(run.root)]) != 70
        assert f"{place} is not a folder" in capsys.readouterr().err
        place.unlink()
    place.mkdir()
    assert list(output_problems(run, stage=stage)) == []  # type: ignore[arg-type]


_LOOK = (
    "import sys\n"
    "from pathlib import Path\n"
    "from ftdist.rundir import RunDir\n"
    "from ftdist_launch.setup.stage_preflight import output_problems\n"
    "for problem in output_problems(RunDir(Path(sys.argv[1])), stage='compare'):\n"
    "    print(problem.exit_code, problem.problem)\n"
)


def test_a_read_only_report_folder_is_refused(run: RunDir) -> None:
    run.report.mkdir()
    run.report.chmod(0o500)
    done = subprocess.run(
        [*without_superuser(), sys.executable, "-c", _LOOK, str(run.root)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    run.report.chmod(0o700)
    assert done.stdout == f"74 {run.report} is not a folder in which you may write.\n"
