"""Launching: decisions as tables, and real ranks through submitit's local executor."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ftdist.checkpoint.store import CheckpointStore
from ftdist.config.compose import compose, dump_config
from ftdist.config.plan import LibraryFacts, ModelFacts, Plan, SourceFacts, make_plan
from ftdist.config.schema import RunConfig
from ftdist.errors import ConfigError, StorageError
from ftdist.rundir import RunDir
from launch.after import (
    LOST_PEER,
    VANISHED,
    AttemptEnd,
    Decision,
    attempts_without_progress,
    decide,
)
from launch.attempt import newest_step
from launch.failure import RankFailure, first_failure, read_failures, vanished, write_failure
from launch.job import RankFacts, _is_hang, run_rank
from launch.lock import _unlink_stale, holding, is_held
from launch.preflight import (
    Machine,
    check_plan,
    check_run,
    machine_notes,
    machine_problems,
    model_problems,
)
from launch.processes import ProcessId, children_of
from launch.resume import MAY_CHANGE, changed
from launch.status import read_status
from launch.submit import rank_environment
from launch.supervise import Finished, Supervisor, refuse_leftover_ranks

KILLED = None


# Decisions


def end(
    *codes: int | None,
    cause: int | None = None,
    stop_signal: int | None = None,
    out_of_memory: bool = False,
    progressed: bool = False,
) -> AttemptEnd:
    return AttemptEnd(
        exit_codes=codes,
        cause=cause,
        stop_signal=stop_signal,
        out_of_memory=out_of_memory,
        progressed=progressed,
    )


@pytest.mark.parametrize(
    ("ended", "in_vain", "decision"),
    [
        (end(0, 0), 0, Decision("done", 0)),
        (end(0, 0, stop_signal=2), 0, Decision("done", 0)),
        (end(75, 75, progressed=True), 0, Decision("requeue", 75)),
        (end(75, 75, progressed=True), 2, Decision("requeue", 75)),
        (end(75, 75), 1, Decision("requeue", 75)),
        (end(75, 75), 2, Decision("crash_loop", 99)),
        (end(75, 75, stop_signal=2, progressed=True), 0, Decision("stopped", 130)),
        (end(75, 75, stop_signal=15), 2, Decision("stopped", 143)),
        (end(KILLED, KILLED, stop_signal=2, cause=VANISHED), 0, Decision("stopped", 130)),
        (end(78, KILLED, cause=78), 0, Decision("failed", 78)),
        (end(74, 74, cause=74, progressed=True), 0, Decision("failed", 74)),
        (end(70, KILLED, cause=70), 0, Decision("failed", 70)),
        (end(74, 75, cause=74, stop_signal=2), 0, Decision("failed", 74)),
        (end(99, 99, cause=99), 0, Decision("failed", 99)),
        (end(70, KILLED, cause=VANISHED, progressed=True), 2, Decision("requeue", 75)),
        (end(70, KILLED, cause=VANISHED), 2, Decision("crash_loop", 99)),
        (end(70, KILLED, cause=VANISHED, out_of_memory=True), 0, Decision("failed", 70)),
        (end(76, 76, cause=76), 0, Decision("requeue", 75)),
        (end(76, 76, cause=76), 2, Decision("crash_loop", 99)),
        (end(70, 70, cause=LOST_PEER), 0, Decision("requeue", 75)),
        (end(), 0, Decision("requeue", 75)),
    ],
)
def test_what_happens_after_an_attempt(ended: AttemptEnd, in_vain: int, decision: Decision) -> None:
    decided = decide(ended, attempts_without_progress=in_vain, max_attempts_without_progress=3)
    assert decided == decision


def test_attempts_in_vain_are_counted_since_the_last_progress_or_the_last_asking() -> None:
    vain, progress, asked = (
        {"event": "attempt_ended", "progressed": False},
        {"event": "attempt_ended", "progressed": True},
        {"event": "asked"},
    )
    assert attempts_without_progress([]) == 0
    assert attempts_without_progress([asked, vain, vain]) == 2
    assert attempts_without_progress([asked, vain, progress, vain, {"event": "other"}]) == 1
    assert attempts_without_progress([asked, vain, vain, asked]) == 0


# Which rank failed first


def failure(rank: int, at: float, problem: str, code: int = 70) -> RankFailure:
    return RankFailure(
        rank=rank,
        time=at,
        problem=problem,
        remedy="do something.",
        exit_code=code,
        traceback="",
        expected=False,
    )


def test_the_cause_is_shown_not_its_earlier_echo() -> None:
    echo = failure(0, 10.0, "Rank 0 failed: RuntimeError: Connection closed by peer [127.0.0.1]")
    cause = failure(1, 11.0, "Rank 1 failed: ValueError: row 7 has no answer")
    assert first_failure([echo, cause]) == cause
    assert cause.cause == 70


def test_a_killed_rank_comes_before_the_echoes_that_it_left() -> None:
    echo = failure(0, 10.0, "Rank 0 failed: RuntimeError: Connection reset by peer")
    killed = vanished(1, time=10.2, out_of_memory=False, log=Path("log"))
    assert first_failure([echo, killed]) == killed
    assert killed.cause == VANISHED


def test_echoes_alone_say_that_ranks_lost_each_other() -> None:
    early, late = failure(0, 1.0, "Broken pipe"), failure(1, 2.0, "Connection reset by peer")
    first = first_failure([late, early])
    assert first == early
    assert first.cause == LOST_PEER
    assert first_failure([]) is None


def test_a_rank_keeps_its_first_reason(tmp_path: Path) -> None:
    write_failure(tmp_path, failure(0, 1.0, "first"))
    write_failure(tmp_path, failure(0, 2.0, "second"))
    assert [kept.problem for kept in read_failures(tmp_path)] == ["first"]


# The lock


def test_second_writer_is_refused_while_the_first_lives(run: RunDir) -> None:
    with holding(run, say=print):
        assert is_held(run)
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on"), holding(run, say=print):
            pass
    assert not run.lock.exists()
    assert not is_held(run)


def test_lock_of_a_dead_process_is_taken_over_and_said(run: RunDir) -> None:
    # This pid lives, but it started at another time: it is not the process that held the lock.
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "start_ticks": 1}
    run.lock.write_text(json.dumps(holder))
    said: list[str] = []
    with holding(run, say=said.append):
        assert json.loads(run.lock.read_text())["start_ticks"] != 1
    assert said == [f"Taking over run r: process {os.getpid()}, which held it, has ended."]


def test_the_slower_of_two_that_take_over_leaves_the_lock_of_the_faster(run: RunDir) -> None:
    dead = {"host": socket.gethostname(), "pid": os.getpid(), "start_ticks": 1}
    run.lock.write_text(json.dumps(dead))
    assert _unlink_stale(run, dead)
    run.lock.write_text(json.dumps(dead | {"start_ticks": 2}))
    assert not _unlink_stale(run, dead)
    assert json.loads(run.lock.read_text())["start_ticks"] == 2


@pytest.mark.parametrize("text", ['{"host": "elsewhere", "pid": 1, "start_ticks": 1}', "garbage"])
def test_lock_that_cannot_be_judged_here_is_respected(run: RunDir, text: str) -> None:
    run.lock.write_text(text)
    with pytest.raises(ConfigError) as caught, holding(run, say=print):
        pass
    assert str(run.lock) in caught.value.remedy
    assert run.lock.read_text() == text


# Real ranks


@dataclass
class Watcher:
    """A view that notes what it saw, and may act once the ranks run."""

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
    """One call of the supervisor with ranks of the test's own."""

    run: RunDir
    config: RunConfig
    said: list[str] = field(default_factory=list)
    times: int = 1

    def train(
        self,
        function: Callable[[str], None],
        *,
        ranks: int = 2,
        act: Callable[[], None] | None = None,
    ) -> Finished:
        def view_of(log: Path) -> Watcher:
            return Watcher(
                folder=lambda: self.run.attempt(self.run.newest_attempt()),
                ranks=ranks,
                act=act,
                times=self.times,
            )

        supervisor = Supervisor(
            run=self.run,
            config=self.config,
            view_of=view_of,
            say=lambda words: self.said.append(words),
            callables={"train": function},
        )
        with supervisor.sole():
            return supervisor.train(plan_of(self.config, ranks=ranks), asked_by="train")


def some_config(*overrides: str) -> RunConfig:
    base = ["model.path=m", "library.path=l", "run.name=r", "cluster.device=cpu"]
    asked = {override.partition("=")[0] for override in overrides}
    return compose([*(b for b in base if b.partition("=")[0] not in asked), *overrides])


def plan_of(config: RunConfig, *, ranks: int) -> Plan:
    source = SourceFacts(
        name="library",
        weight=1.0,
        samples=100,
        sequences=320,
        tokens=320 * 4096,
        loss_tokens=1000,
        held_out_samples=0,
        held_out_sequences=0,
    )
    model = ModelFacts(
        parameters=1000,
        largest_parameter=100,
        hidden_size=8,
        layers=2,
        vocab_size=16,
        max_position=None,
        model_type="llama",
        tied=True,
    )
    library = LibraryFacts(path="cache", key="k", sources=(source,))
    import dataclasses

    cluster = dataclasses.replace(config.cluster, tasks_per_node=ranks)
    return make_plan(
        dataclasses.replace(config, cluster=cluster), model=model, library=library, device="cpu"
    )


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "a run's folder" / "r")
    made.create(private=True)
    made.config.write_text(dump_config(some_config()))
    return made


@pytest.fixture
def trial(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> Trial:
    # The ranks of these tests have nothing to clean up.
    monkeypatch.setattr("launch.local.GRACE_S", 1.0)
    return Trial(run=run, config=some_config("cluster.max_attempts_without_progress=2"))


def folder_of(run_dir: str) -> Path:
    run = RunDir(Path(run_dir))
    return run.attempt(run.newest_attempt())


def ready(run_dir: str, facts: RankFacts) -> None:
    (folder_of(run_dir) / f"rank-{facts.rank}.ready").touch()


def commit_step(run_dir: str, step: int) -> None:
    store = CheckpointStore(RunDir(Path(run_dir)).checkpoints, keep=2)
    partial = store.begin(step, 1)
    (partial / "part").write_text("whole")
    store.commit(step, 1, store.describe([partial / "part"]), {})


def succeed(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        print("hello from", facts)
        variables = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE")}
        place = folder_of(run_dir) / f"seen-{facts.rank}.json"
        place.write_text(json.dumps({"size": facts.size, **variables}))
        return 0

    run_rank(folder_of(run_dir), body)


def rank_one_refuses(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        if facts.rank == 1:
            raise StorageError("The disk has 0 bytes free.", remedy="free some.")
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), body)


def rank_one_breaks_and_the_other_echoes(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        if facts.rank == 0:
            raise RuntimeError("Connection closed by peer [127.0.0.1]:1234")
        time.sleep(0.5)
        raise ValueError("row 7 has no answer")

    run_rank(folder_of(run_dir), body)


def rank_one_is_killed(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        if facts.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), body)


def waits_in_vain(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        if facts.rank == 0:
            raise RuntimeError("[gloo] Timed out waiting 2000ms for recv operation to complete")
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), body)


def stops_after_a_step_then_is_done(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        if RunDir(Path(run_dir)).newest_attempt() > 1:
            return 0
        if facts.rank == 0:
            commit_step(run_dir, 3)
        return 75

    run_rank(folder_of(run_dir), body)


def saves_when_asked(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        heard: list[int] = []
        signal.signal(signal.SIGUSR2, lambda number, _: heard.append(number))
        ready(run_dir, facts)
        while not heard:
            time.sleep(0.05)
        if facts.rank == 0:
            commit_step(run_dir, 7)
        return 75

    run_rank(folder_of(run_dir), body)


def deaf(run_dir: str) -> None:
    def body(facts: RankFacts) -> int:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        ready(run_dir, facts)
        time.sleep(60)
        return 0

    run_rank(folder_of(run_dir), body)


@pytest.mark.timeout(60)
def test_ranks_get_their_place_and_surroundings_and_the_run_is_done(trial: Trial) -> None:
    finished = trial.train(succeed)
    assert (finished.outcome, finished.exit_code, finished.failure) == ("done", 0, None)
    for rank in (0, 1):
        seen = json.loads((trial.run.attempt(1) / f"seen-{rank}.json").read_text())
        assert seen == {"size": 2, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    (log,) = (trial.run.jobs / "train-1").glob("*_0_log.out")
    assert "hello from RankFacts(rank=0, size=2, local_rank=0, local_size=2)" in log.read_text()
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
    assert "body" in (trial.run.attempt(1) / "stacks-00000.txt").read_text()


@pytest.mark.timeout(60)
def test_the_first_failure_is_shown_with_its_traceback_not_the_echo(trial: Trial) -> None:
    finished = trial.train(rank_one_breaks_and_the_other_echoes)
    assert (finished.outcome, finished.exit_code) == ("failed", 70)
    assert finished.failure is not None
    assert finished.failure.problem == "Rank 1 failed: ValueError: row 7 has no answer"
    assert "raise ValueError" in finished.failure.traceback
    assert not finished.failure.expected
    kept = trial.run.attempt(1) / "rank-00001.traceback.txt"
    assert str(kept) in finished.failure.remedy
    assert "raise ValueError" in kept.read_text()


@pytest.mark.timeout(90)
def test_a_rank_that_is_killed_again_and_again_ends_in_a_crash_loop(trial: Trial) -> None:
    finished = trial.train(rank_one_is_killed)
    assert (finished.outcome, finished.exit_code) == ("crash_loop", 99)
    assert finished.failure is not None
    assert finished.failure.problem == "Rank 1 ended without a word: something killed it."
    outcomes = [attempt.outcome for attempt in read_status(trial.run).attempts]
    assert outcomes == ["requeue", "crash_loop"]
    assert not ranks_alive(trial.run)


@pytest.mark.timeout(90)
def test_a_rank_that_waited_in_vain_is_a_hang_and_tried_again(trial: Trial) -> None:
    finished = trial.train(waits_in_vain)
    assert finished.outcome == "crash_loop"
    assert finished.failure is not None
    assert finished.failure.exit_code == 76
    assert finished.failure.problem.startswith("Rank 0 waited in vain for another rank to answer")
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
def test_a_peer_that_hangs_is_told_from_one_that_has_gone(words: str, hangs: bool) -> None:
    assert _is_hang(RuntimeError(words)) is hangs
    assert not _is_hang(ValueError(words))


@pytest.mark.timeout(60)
def test_an_attempt_that_asks_for_it_is_followed_by_the_next(trial: Trial) -> None:
    finished = trial.train(stops_after_a_step_then_is_done)
    assert (finished.outcome, finished.exit_code, finished.step) == ("done", 0, 3)
    assert trial.said == [
        "Attempt 1 ended: it was asked to save and end. Starting attempt 2 from step 3."
    ]
    assert [a.checkpoint for a in read_status(trial.run).attempts] == [3, 3]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.timeout(60)
def test_one_signal_lets_every_rank_save(trial: Trial, number: signal.Signals, code: int) -> None:
    finished = trial.train(saves_when_asked, act=lambda: os.kill(os.getpid(), number))
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
    assert [words.split(":")[0] for words in trial.said] == ["Asked to stop", "Asked again"]


@pytest.mark.timeout(60)
def test_a_closed_terminal_lets_every_rank_save(trial: Trial) -> None:
    # Whatever is written to it fails from then on; nobody reads what is said.
    def hang_up() -> None:
        trial.said = Gone()
        os.kill(os.getpid(), signal.SIGHUP)
        raise OSError(5, "Input/output error")

    finished = trial.train(saves_when_asked, act=hang_up)
    assert (finished.outcome, finished.exit_code, finished.step) == ("stopped", 129, 7)
    assert not ranks_alive(trial.run)


class Gone(list[str]):
    """Hears nothing more."""

    def append(self, words: str) -> None:  # noqa: ARG002
        raise OSError(5, "Input/output error")


@pytest.mark.timeout(60)
def test_a_mistake_of_the_watcher_leaves_no_rank_behind(trial: Trial) -> None:
    def stumble() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trial.train(saves_when_asked, act=stumble)
    assert not ranks_alive(trial.run)
    assert newest_step(trial.run) == 7


@pytest.mark.timeout(60)
def test_ctrl_c_in_a_terminal_does_not_reach_the_ranks_behind_our_back(trial: Trial) -> None:
    # A terminal signals the whole process group: here to submitit's controller, by hand.
    def press() -> None:
        for child in children_of(os.getpid()):
            child.send(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    finished = trial.train(saves_when_asked, act=press)
    assert (finished.outcome, finished.step) == ("stopped", 7)


def ranks_alive(run: RunDir) -> bool:
    try:
        refuse_leftover_ranks(run)
    except ConfigError:
        return True
    return False


def test_ranks_that_outlived_their_ftdist_keep_others_out(run: RunDir) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as rank:
        own = ProcessId.of(rank.pid)
        assert own is not None
        run.attempt(1).mkdir()
        started = {
            "host": socket.gethostname(),
            "pid": own.pid,
            "start_ticks": own.start_ticks,
        }
        (run.attempt(1) / "rank-00000.start.json").write_text(json.dumps(started))
        with pytest.raises(ConfigError) as caught:
            refuse_leftover_ranks(run)
        rank.kill()
    assert f"`kill -USR2 {own.pid}`" in caught.value.remedy
    assert not own.alive
    refuse_leftover_ranks(run)


# Preflight


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    config = {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "vocab_size": 16,
        "max_position_embeddings": 8192,
    }
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    text = len(header).to_bytes(8, "little") + header + bytes(8)
    (folder / "model.safetensors").write_bytes(text)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_a_whole_model_folder_has_no_problem(tmp_path: Path) -> None:
    assert list(model_problems(model_folder(tmp_path / "m"))) == []


def test_a_model_that_brings_its_own_code_is_refused_by_name(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    fields = json.loads((folder / "config.json").read_text())
    fields["auto_map"] = {"AutoModelForCausalLM": "modeling_evil.EvilForCausalLM"}
    (folder / "config.json").write_text(json.dumps(fields))
    (problem,) = model_problems(folder)
    assert "modeling_evil.EvilForCausalLM" in problem.problem


def test_a_model_without_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    (problem,) = model_problems(folder)
    assert "has no tokenizer" in problem.problem


def test_all_problems_of_a_run_are_told_in_one_answer(tmp_path: Path) -> None:
    taken = RunDir(tmp_path / "runs" / "r")
    taken.create(private=True)
    taken.config.write_text("x")
    config = some_config(
        f"model.path={tmp_path / 'no model'}",
        f"library.path={tmp_path / 'no library'}",
        f"run.root={tmp_path / 'runs'}",
    )
    config = replace(config, cluster=replace(config.cluster, tasks_per_node=5))
    with pytest.raises(ConfigError) as caught:
        check_run(
            config,
            place_problems=lambda: machine_problems(config, machine=Machine(cores=2, gpus=0)),
            new=True,
        )
    told = caught.value.problem
    assert told.startswith("The run has 4 problems, and nothing was started:")
    for words in ("no model folder", "no file or folder", "cannot be shared equally by 5 ranks"):
        assert words in told
    assert "`ftdist resume r`" in told


@pytest.mark.parametrize(
    ("overrides", "gpus", "problem"),
    [
        (["cluster.device=cuda"], 0, "no GPU is visible"),
        (["cluster.device=auto", "cluster.tasks_per_node=2"], 1, "1 GPUs are visible"),
        (["cluster.nodes=2"], 0, "this machine alone"),
    ],
)
def test_more_ranks_than_the_machine_holds_are_refused(
    overrides: list[str], gpus: int, problem: str
) -> None:
    base = ["model.path=m", "library.path=l", "run.name=r"]
    (found,) = machine_problems(compose([*base, *overrides]), machine=Machine(cores=8, gpus=gpus))
    assert problem in found.problem


def test_more_threads_than_cores_are_said_not_refused() -> None:
    config = some_config("cluster.tasks_per_node=4", "cluster.threads_per_task=2")
    (note,) = machine_notes(config, machine=Machine(cores=2, gpus=0))
    assert "4 ranks of 2 threads share 2 cores" in note
    assert machine_notes(config, machine=Machine(cores=8, gpus=0)) == []


def test_a_disk_too_small_is_refused_with_both_sizes(tmp_path: Path) -> None:
    import dataclasses

    plan = dataclasses.replace(plan_of(some_config(), ranks=1), disk_gib=1e9)
    with pytest.raises(StorageError, match=r"about 1000000000\.0 GiB of disk"):
        check_plan(plan, root=tmp_path / "runs" / "r")


# The environment of ranks


def test_ranks_on_a_cpu_never_look_for_an_accelerator() -> None:
    cluster = some_config("cluster.threads_per_task=3").cluster
    variables = rank_environment(cluster, gpus=0, inherited={"PYTHONPATH": "/other"})
    assert variables["DS_ACCELERATOR"] == "cpu"
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["PYTHONPATH"].endswith(":/other")


def test_ranks_on_gpus_let_deepspeed_choose() -> None:
    config = compose(["model.path=m", "library.path=l", "run.name=r"])
    assert "DS_ACCELERATOR" not in rank_environment(config.cluster, gpus=2, inherited={})


# Resume


def test_keys_that_would_change_the_run_are_refused_with_all_other_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        changed(
            some_config(),
            ["optim.peak_lr=1", "cluster.tasks_per_nodes=2", "cluster.tasks_per_node=3"],
            allowed=MAY_CHANGE,
        )
    assert "optim.peak_lr cannot change in a run that has begun" in caught.value.problem
    assert "Write cluster.tasks_per_node=2" in caught.value.problem


def test_allowed_keys_change_and_the_rest_stays() -> None:
    before = some_config()
    after = changed(
        before, ["cluster.tasks_per_node=3", "checkpoint.every_steps=5"], allowed=MAY_CHANGE
    )
    assert after.cluster.tasks_per_node == 3
    assert after.checkpoint.every_steps == 5
    assert after.optim == before.optim
    assert after.run == before.run


def test_an_allowed_key_with_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cluster\.tasks_per_node=0"):
        changed(some_config(), ["cluster.tasks_per_node=0"], allowed=MAY_CHANGE)


def test_texts_and_choices_are_taken_as_typed() -> None:
    asked = ["tracking.wandb=off", "tracking.project=007", "tracking.tags=[off,1]"]
    tracking = changed(some_config(), asked, allowed=MAY_CHANGE).tracking
    assert (tracking.wandb, tracking.project, tracking.tags) == ("off", "007", ["off", "1"])
    asked = ["tracking.entity=null", "checkpoint.every_steps=1k"]
    after = changed(some_config("tracking.entity=me"), asked, allowed=MAY_CHANGE)
    assert after.tracking.entity is None
    assert after.checkpoint.every_steps == 1000


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["tracking=off"], ["write tracking.wandb=off"]),
        (["optim=wsd"], ["chooses a group", "leave it out"]),
        (["cluster.nodes=1", "cluster.nodes=2"], ["cluster.nodes is set twice, to 1 and to 2."]),
        (["cluster.nods=1", "checkpoint.keep=x"], ["cluster.nods is not", "checkpoint.keep=x"]),
        (["checkpoint.keep="], ["checkpoint.keep= has no value"]),
        (["tracking.project=${oc.env:HF_TOKEN}"], ["interpolation"]),
    ],
)
def test_what_is_wrong_with_a_resume_is_told_at_once(asked: list[str], told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(some_config(), asked, allowed=MAY_CHANGE)
    for words in told:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["tracking.project", "tracking.api_key", "tracking.tags"])
def test_a_secret_on_the_way_back_in_is_refused_and_not_repeated(name: str) -> None:
    secret = "hf_" + "a1B2" * 6
    with pytest.raises(ConfigError) as caught:
        changed(some_config(), [f"{name}={secret}", "cluster.nodes=x"], allowed=MAY_CHANGE)
    assert "looks like a secret" in str(caught.value)
    assert "cluster.nodes=x" in str(caught.value)
    assert secret not in str(caught.value)
