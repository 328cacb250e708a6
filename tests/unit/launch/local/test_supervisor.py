"""Attempts of real ranks, through submitit's local executor."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from ftdist_launch.attempts import Finished, newest_step
from ftdist_launch.hangs import stacks_file
from ftdist_launch.local.leftover_ranks import refuse_leftover_ranks
from ftdist_launch.local.processes import children_of, is_alive, send, started_s
from ftdist_launch.local.supervisor import Supervisor
from ftdist_launch.rank_errors import _is_hang
from ftdist_launch.rank_process import RankInfo
from ftdist_launch.rank_records import record_start
from ftdist_launch.status import read_status

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.rundir import RunDir
from tests.support.models.fake_checkpoints import commit, write
from tests.support.runs.fake_runs import launched_run, plan_of, run_rank, some_config


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return launched_run(tmp_path)


@dataclass
class Watcher:
    """A view that may act once the ranks run."""

    folder: Callable[[], Path]
    ranks: int
    act: Callable[[], None] | None = None
    acted: int = 0
    times: int = 1

    def update(self) -> None:
        started = list(self.folder().glob("rank-*.ready"))
        if self.act is not None and len(started) == self.ranks and self.acted < self.times:
            self.acted += 1
            self.act()

    def close(self) -> None:
        return


@dataclass
class Trial:
    """One call of the supervisor with test ranks."""

    run: RunDir
    config: RunConfig
    messages: list[str] = field(default_factory=list)
    times: int = 1

    def train(
        self,
        function: Callable[[str], None],
        *,
        ranks: int = 2,
        act: Callable[[], None] | None = None,
    ) -> Finished:
        def make_view(log: Path) -> Watcher:
            return Watcher(
                folder=lambda: self.run.attempt(self.run.newest_attempt()),
                ranks=ranks,
                act=act,
                times=self.times,
            )

        supervisor = Supervisor(
            run=self.run,
            config=self.config,
            make_view=make_view,
            log=lambda message: self.messages.append(message),
            jobs=SimpleNamespace(train=function),
        )
        with supervisor.exclusive():
            return supervisor.train(plan_of(self.config, ranks=ranks), requested_by="train")


@pytest.fixture
def trial(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> Trial:
    # The ranks of these tests have nothing to clean up.
    monkeypatch.setattr("ftdist_launch.local.monitor.GRACE_S", 1.0)
    return Trial(run=run, config=some_config("cluster.max_attempts_without_progress=2"))


def folder_of(run_dir: str) -> Path:
    run = RunDir(Path(run_dir))
    return run.attempt(run.newest_attempt())


def ready(run_dir: str, rank: RankInfo) -> None:
    (folder_of(run_dir) / f"rank-{rank.rank}.ready").touch()


def commit_step(run_dir: str, step: int) -> None:
    store = CheckpointStore(RunDir(Path(run_dir)).checkpoints, keep=2)
    partial = store.begin(step, 1)
    commit(store, step, [write(partial, "part", b"whole")])


def succeed(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        print("hello from", rank)
        names = ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "DS_ACCELERATOR")
        variables = {name: os.environ.get(name) for name in names}
        place = folder_of(run_dir) / f"seen-{rank.rank}.json"
        place.write_text(json.dumps({"size": rank.size, **variables}))
        return 0

    run_rank(folder_of(run_dir), rank_main)


def rank_one_refuses(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 1:
            raise StorageError("The disk has 0 bytes free.", remedy="free some.")
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def rank_one_breaks_and_the_other_echoes(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 0:
            raise RuntimeError("Connection closed by peer [127.0.0.1]:1234")
        time.sleep(0.5)
        raise ValueError("row 7 has no answer")

    run_rank(folder_of(run_dir), rank_main)


def rank_one_is_killed(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def times_out(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 0:
            raise RuntimeError("[gloo] Timed out waiting 2000ms for recv operation to complete")
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


def stops_after_a_step_then_is_done(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if RunDir(Path(run_dir)).newest_attempt() > 1:
            return 0
        if rank.rank == 0:
            commit_step(run_dir, 3)
        return 75

    run_rank(folder_of(run_dir), rank_main)


def stops_and_loses_its_checkpoints(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        if rank.rank == 0:
            commit_step(run_dir, 3)
            run = RunDir(Path(run_dir))
            run.append_event("checkpoint_saved", step=3, attempt=1)
            run.checkpoints.rename(run.root / "purged")
        return 75

    run_rank(folder_of(run_dir), rank_main)


def saves_on_request(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        heard: list[int] = []
        signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
        ready(run_dir, rank)
        while not heard:
            time.sleep(0.05)
        if rank.rank == 0:
            commit_step(run_dir, 7)
        return 75

    run_rank(folder_of(run_dir), rank_main)


def stops_because_it_was_cancelled(run_dir: str) -> None:
    def body(facts: RankInfo) -> int:
        if facts.rank == 0:
            commit_step(run_dir, 5)
            RunDir(Path(run_dir)).append_event("cancel_requested", by="wandb", now=False)
        return 75

    run_rank(folder_of(run_dir), body)


def deaf(run_dir: str) -> None:
    def rank_main(rank: RankInfo) -> int:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        ready(run_dir, rank)
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), rank_main)


@pytest.mark.timeout(60)
def test_ranks_get_their_numbers_and_environment_and_the_run_is_done(trial: Trial) -> None:
    finished = trial.train(succeed)
    assert (finished.outcome, finished.exit_code, finished.failure) == ("done", 0, None)
    for rank in (0, 1):
        seen = json.loads((trial.run.attempt(1) / f"seen-{rank}.json").read_text())
        # Ranks on CPUs never look for an accelerator.
        variables = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "DS_ACCELERATOR": "cpu"}
        assert seen == {"size": 2, **variables}
    (log,) = (trial.run.jobs / "train-1").glob("*_0_log.out")
    assert "hello from RankInfo(rank=0, size=2, local_rank=0, local_size=2)" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert read_status(trial.run).state == "done"


@pytest.mark.timeout(60)
def test_one_rank_that_fails_ends_the_others_within_seconds(trial: Trial) -> None:
    begun = time.monotonic()
    finished = trial.train(rank_one_refuses)
    assert time.monotonic() - begun < 20
    assert (finished.outcome, finished.exit_code) == ("failed", 74)
    assert finished.failure is not None
    assert finished.failure.rank == 1
    assert finished.failure.problem == "The disk has 0 bytes free."
    assert not ranks_alive(trial.run)
    # The rank that was waiting wrote where it was before it was ended.
    assert "rank_main" in stacks_file(trial.run.attempt(1)).read_text()


@pytest.mark.timeout(60)
def test_the_first_failure_is_shown_with_its_traceback_rather_than_the_echo(trial: Trial) -> None:
    finished = trial.train(rank_one_breaks_and_the_other_echoes)
    assert (finished.outcome, finished.exit_code) == ("failed", 70)
    assert finished.failure is not None
    assert finished.failure.problem == "Rank 1 failed: ValueError: row 7 has no answer"
    assert "raise ValueError" in finished.failure.traceback
    assert not finished.failure.expected
    kept = trial.run.attempt(1) / "rank-00001.traceback.txt"
    assert str(kept) in finished.failure.remedy
    assert "raise ValueError" in kept.read_text()


@pytest.mark.timeout(60)
def test_a_cancelled_run_saves_and_is_not_restarted(trial: Trial) -> None:
    finished = trial.train(stops_because_it_was_cancelled)
    assert (finished.outcome, finished.exit_code, finished.step) == ("stopped", 0, 5)
    assert finished.cause == "It was stopped with W&B's stop button."
    assert [attempt.outcome for attempt in read_status(trial.run).attempts] == ["stopped"]


@pytest.mark.timeout(90)
def test_a_rank_that_is_killed_repeatedly_ends_in_a_crash_loop(trial: Trial) -> None:
    finished = trial.train(rank_one_is_killed)
    assert (finished.outcome, finished.exit_code) == ("crash_loop", 99)
    assert finished.failure is not None
    assert (
        finished.failure.problem == "Rank 1 exited without an error report; it was probably killed."
    )
    outcomes = [attempt.outcome for attempt in read_status(trial.run).attempts]
    assert outcomes == ["requeue", "crash_loop"]
    assert not ranks_alive(trial.run)


@pytest.mark.timeout(90)
def test_a_collective_timeout_is_a_hang_and_retried(trial: Trial) -> None:
    finished = trial.train(times_out)
    assert finished.outcome == "crash_loop"
    assert finished.failure is not None
    assert finished.failure.exit_code == 76
    assert finished.failure.problem.startswith("Rank 0 timed out waiting for another rank: ")
    assert [a.outcome for a in read_status(trial.run).attempts] == ["requeue", "crash_loop"]


@pytest.mark.parametrize(
    ("words", "hangs"),
    [
        ("Timed out waiting 1800000ms for recv operation to complete", True),
        ("Watchdog caught collective operation timeout: WorkNCCL(...) ran for 600 ms", True),
        ("wait timeout after 300000ms, keys: /default_pg/0", True),
        ("Connection closed by peer [127.0.0.1]:1234", False),
        ("Timed out waiting for send; Connection reset by peer", False),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_a_hanging_peer_differs_from_one_that_exited(words: str, hangs: bool) -> None:
    assert _is_hang(RuntimeError(words)) is hangs
    assert not _is_hang(ValueError(words))


@pytest.mark.timeout(60)
def test_a_stopped_attempt_is_followed_by_the_next(trial: Trial) -> None:
    finished = trial.train(stops_after_a_step_then_is_done)
    assert (finished.outcome, finished.exit_code, finished.step) == ("done", 0, 3)
    assert trial.messages == [
        "Attempt 1 ended: Its ranks were asked to stop. No step was lost. "
        "Starting attempt 2 from step 3."
    ]
    assert [a.checkpoint for a in read_status(trial.run).attempts] == [3, 3]


@pytest.mark.fault("M1", "C5")
@pytest.mark.timeout(60)
def test_checkpoints_that_vanish_between_attempts_end_the_run(trial: Trial) -> None:
    with pytest.raises(StorageError, match=r"at step 3, but .* 3 steps would be lost"):
        trial.train(stops_and_loses_its_checkpoints)
    assert trial.run.newest_attempt() == 1
    status = read_status(trial.run)
    assert status.state == "failed"
    assert (status.error or "").startswith("Run r has committed a checkpoint at step 3")
    assert trial.messages == []  # nobody said that another attempt starts


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.timeout(60)
def test_one_signal_lets_every_rank_save(trial: Trial, number: signal.Signals, code: int) -> None:
    finished = trial.train(saves_on_request, act=lambda: os.kill(os.getpid(), number))
    assert (finished.outcome, finished.exit_code, finished.step) == ("stopped", code, 7)
    assert read_status(trial.run).state == "stopped"
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_IGN


@pytest.mark.timeout(60)
def test_the_second_signal_kills(trial: Trial) -> None:
    trial.times = 2
    begun = time.monotonic()
    finished = trial.train(deaf, act=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert (finished.outcome, finished.exit_code, finished.step) == ("stopped", 130, None)
    assert time.monotonic() - begun < 20
    assert not ranks_alive(trial.run)
    assert [message.partition(":")[0] for message in trial.messages] == [
        "Stopping",
        "Killing the ranks.",
    ]


@pytest.mark.timeout(60)
def test_a_closed_terminal_lets_every_rank_save(trial: Trial) -> None:
    # Whatever is written to it fails from then on; nobody reads what is said.
    def hang_up() -> None:
        trial.messages = Gone()
        os.kill(os.getpid(), signal.SIGHUP)
        raise OSError(5, "Input/output error")

    finished = trial.train(saves_on_request, act=hang_up)
    assert (finished.outcome, finished.exit_code, finished.step) == ("stopped", 129, 7)
    assert not ranks_alive(trial.run)


class Gone(list[str]):
    """Hears nothing more."""

    def append(self, words: str) -> None:  # noqa: ARG002
        raise OSError(5, "Input/output error")


@pytest.mark.timeout(60)
def test_an_error_of_the_view_leaves_no_rank_behind(trial: Trial) -> None:
    def stumble() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trial.train(saves_on_request, act=stumble)
    assert not ranks_alive(trial.run)
    assert newest_step(trial.run) == 7


@pytest.mark.timeout(60)
def test_ctrl_c_in_a_terminal_does_not_reach_the_ranks_directly(trial: Trial) -> None:
    # A terminal signals the whole process group: here to submitit's controller, by hand.
    def press() -> None:
        send(signal.SIGINT, *children_of(os.getpid()))
        os.kill(os.getpid(), signal.SIGINT)

    finished = trial.train(saves_on_request, act=press)
    assert (finished.outcome, finished.step) == ("stopped", 7)


def ranks_alive(run: RunDir) -> bool:
    try:
        refuse_leftover_ranks(run)
    except ConfigError:
        return True
    return False


def test_ranks_that_outlived_their_ftdist_block_the_run(run: RunDir) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as rank:
        own = psutil.Process(rank.pid)
        run.attempt(1).mkdir()
        started = {
            "host": socket.gethostname(),
            "pid": own.pid,
            "started_s": started_s(own),
        }
        record_start(run.attempt(1), 0, **started)
        with pytest.raises(ConfigError) as caught:
            refuse_leftover_ranks(run)
        rank.kill()
    assert f"`kill -USR2 {own.pid}`" in caught.value.remedy
    assert not is_alive(own)
    refuse_leftover_ranks(run)
