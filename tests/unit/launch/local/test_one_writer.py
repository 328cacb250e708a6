"""One writer on this machine: superseded attempts, and ranks whose `ftdist` was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from ftdist_launch.attempts import Finished
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.lock import RunLockedError
from ftdist_launch.rank_process import RankInfo
from ftdist_launch.rank_records import read_starts
from ftdist_launch.restart_policy import attempts_without_progress
from ftdist_launch.status import read_status

from ftdist.cli.exit_messages import report_training
from ftdist.errors import ConfigError
from ftdist.io.jsonl import append_json_line
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import launched_run, plan_of, run_rank, some_config

ROOT = Path(__file__).resolve().parents[4]


class NoView:
    """Shows nothing."""

    def update(self) -> None:
        return

    def close(self) -> None:
        return


def train(
    run: RunDir, function: Callable[[str], None], *, limit: int = 2, log: list[str] | None = None
) -> Finished:
    """`ftdist train` with ranks of a test."""
    config = some_config(f"cluster.max_attempts_without_progress={limit}")
    messages: list[str] = [] if log is None else log
    supervisor = Supervisor(
        run=run,
        config=config,
        make_view=lambda _: NoView(),
        log=messages.append,
        jobs=SimpleNamespace(train=function),
    )
    with supervisor.exclusive():
        return supervisor.train(plan_of(config, ranks=1), requested_by="resume")


def folder_of(run_dir: str) -> Path:
    run = RunDir(Path(run_dir))
    return run.attempt(run.newest_attempt())


def is_superseded(run_dir: str) -> None:
    def rank_main(_: RankInfo) -> int:
        RunDir(Path(run_dir)).attempt(2).mkdir()  # the first thing that another `ftdist` does
        return 75

    run_rank(folder_of(run_dir), rank_main)


def waits_for_a_file(run_dir: str) -> None:
    def rank_main(_: RankInfo) -> int:
        run, number = RunDir(Path(run_dir)), RunDir(Path(run_dir)).newest_attempt()
        append_json_line(run.metrics, {"step": 7, "attempt": number, "time": time.time()})
        while not (run.root / "go").exists():
            time.sleep(0.05)
        run.append_event("training_complete", step=9, attempt=number)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def is_killed(run_dir: str) -> None:
    def rank_main(_: RankInfo) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    run_rank(folder_of(run_dir), rank_main)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.setattr("ftdist_launch.local.monitor.GRACE_S", 1.0)
    return launched_run(tmp_path)


@pytest.fixture
def unsupervised(run: RunDir) -> Iterator[int]:
    """The process of a rank whose `ftdist` was killed; it ends with the test."""
    code = (
        "import sys; from pathlib import Path; from ftdist.rundir import RunDir; "
        "from tests.unit.launch.local.test_one_writer import train, waits_for_a_file; "
        "train(RunDir(Path(sys.argv[1])), waits_for_a_file)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(run.root)], cwd=ROOT) as ftdist:
        deadline = time.monotonic() + 120
        while not run.metrics.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        pid = read_starts(run.attempt(1))[0]["pid"]
        ftdist.kill()
    yield pid
    (run.root / "go").touch()
    wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.fault("L13", "M3")
@pytest.mark.timeout(120)
def test_a_superseded_attempt_ends_its_ftdist_with_a_sentence(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = train(run, is_superseded)
    assert (finished.outcome, finished.exit_code) == ("superseded", ConfigError.exit_code)
    assert [e["event"] for e in run.read_events()].count("attempt_started") == 1
    assert attempts_without_progress(run.read_events()) == 0  # it does not count
    assert report_training(finished, run=run) == 78
    assert "goes on elsewhere: Attempt 2 of the run has replaced it" in capsys.readouterr().err
    assert not run.lock.exists()


@pytest.mark.fault("M4")
@pytest.mark.timeout(240)
def test_ranks_whose_ftdist_was_killed_go_on_and_status_says_so(
    run: RunDir, unsupervised: int
) -> None:
    status = read_status(run)
    assert status.state == "running"
    assert str(status.reason).startswith("without its `ftdist`, which has ended; its ranks go on")
    before = run.events.read_bytes()
    with pytest.raises(ConfigError) as caught:
        train(run, is_killed)
    assert f"PID {unsupervised}" in caught.value.problem
    assert "let it finish the run" in caught.value.remedy
    assert [e["event"] for e in run.read_events()][-1] == "lock_taken_over"
    assert run.events.read_bytes().startswith(before)

    (run.root / "go").touch()
    wait_for_end(unsupervised)
    before = run.events.read_bytes()
    assert read_status(run).state == "done"
    assert run.events.read_bytes() == before  # status writes nothing

    messages: list[str] = []
    train(run, is_killed, log=messages)
    assert messages[0] == "Attempt 1 of run r had ended: All steps are done. 7 steps were lost."
    (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"][:1]
    assert (end["attempt"], end["outcome"], end["lost"]) == (1, "done", True)


@pytest.mark.fault("M4", "L9")
@pytest.mark.timeout(240)
def test_an_attempt_that_was_lost_with_its_ftdist_counts_towards_giving_up(
    run: RunDir, unsupervised: int
) -> None:
    os.kill(unsupervised, signal.SIGKILL)
    wait_for_end(unsupervised)
    assert read_status(run).state == "lost"
    messages: list[str] = []
    finished = train(run, is_killed, limit=2, log=messages)
    # The lost attempt and this one: no third.
    assert (finished.outcome, finished.num_stalled_attempts) == ("crash_loop", 2)
    lost, last = [e for e in run.read_events() if e["event"] == "attempt_finished"]
    assert (
        lost["cause"] == "The `ftdist` that supervised it was killed, and its ranks ended with it."
    )
    assert (lost["steps_lost"], lost["exit_codes"]) == (7, {"None": 1})
    assert (last["outcome"], last["exit_code"]) == ("crash_loop", 99)
    # Given up and resumed by hand: the count starts again.
    assert train(run, is_killed, limit=2).num_stalled_attempts == 2
    outcomes = [a.outcome for a in read_status(run).attempts]
    assert outcomes == ["requeue", "crash_loop", "requeue", "crash_loop"]


@pytest.mark.fault("L13")
@pytest.mark.timeout(120)
def test_a_second_ftdist_is_refused_while_the_first_trains(run: RunDir) -> None:
    refusals: list[str] = []

    def try_too(_: object) -> NoView:
        with pytest.raises(RunLockedError) as caught:
            train(run, is_killed)
        refusals.append(caught.value.problem)
        return NoView()

    config = some_config()
    supervisor = Supervisor(
        run=run,
        config=config,
        make_view=try_too,
        log=print,
        jobs=SimpleNamespace(train=waits_for_a_file),
    )
    (run.root / "go").touch()
    with supervisor.exclusive():
        finished = supervisor.train(plan_of(config, ranks=1), requested_by="train")
    assert finished.outcome == "done"
    assert f"locked by process {os.getpid()} on" in refusals[0]


@pytest.mark.fault("M4")
@pytest.mark.timeout(120)
def test_an_attempt_of_which_only_the_folder_was_made_is_passed_over(run: RunDir) -> None:
    run.attempt(1).mkdir()
    assert train(run, is_killed, limit=1).outcome == "crash_loop"
    (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
    assert end["attempt"] == 2
