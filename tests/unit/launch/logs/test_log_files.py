"""`ftdist logs`: which files, the error if there is none, following to the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ftdist_launch.lock import run_lock
from ftdist_launch.logs.files import LogSelection, find_logs, is_complete, missing_log_error
from ftdist_launch.logs.merge import LogLine
from ftdist_launch.run_records import read_run_records
from ftdist_launch.slurm.client import QueuedJob
from ftdist_launch.slurm.job_status import QueueSnapshot
from ftdist_launch.status import status_of

from ftdist.cli import main as cli
from ftdist.cli.commands.logs import prefix, without_escapes
from ftdist.errors import ConfigError
from ftdist.rundir import RunDir
from tests.support.runs.rank_logs import at, merged, texts, write

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_term_handler() -> Iterator[None]:
    """`main` answers SIGTERM; the test process keeps its own answer afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "r")
    made.create(private=True)
    made.config.write_text("run: {}\n")
    return made


# Finding


def launched(run: RunDir, number: int, **facts: object) -> None:
    run.append_event(
        "attempt_started", **{"attempt": number, "world_size": 2, "steps": 9, "host": "h"} | facts
    )


def ended(run: RunDir, number: int, outcome: str) -> None:
    run.append_event("attempt_finished", attempt=number, outcome=outcome)


def found(run: RunDir, **wanted: object) -> list[str]:
    files = find_logs(run, read_run_records(run), LogSelection(**wanted))  # type: ignore[arg-type]
    return [str(file.path.relative_to(run.root.parent)) for file in files]


def test_the_newest_attempt_here_and_the_newest_job_of_its_folder(run: RunDir) -> None:
    for attempt in (1, 2, 10):
        launched(run, attempt)
        for rank in (1, 0):
            write(run.jobs / f"train-{attempt}" / f"{attempt}7_{rank}_log.out")
    write(run.jobs / "export" / "99_0_log.out")
    write(run.jobs / "export" / "5_0_log.out")
    os.utime(run.jobs / "export" / "99_0_log.out", (1, 1))
    assert found(run) == ["r/jobs/train-10/107_0_log.out", "r/jobs/train-10/107_1_log.out"]
    assert found(run, attempt=2, rank=1) == ["r/jobs/train-2/27_1_log.out"]
    assert found(run, stage="export") == ["r/jobs/export/5_0_log.out"]


def test_the_newest_job_of_a_cluster_and_a_task_of_an_array(run: RunDir) -> None:
    sweep = run.root.parent / ".sweeps" / "s" / "train"
    run.append_event(
        "job_submitted", stage="train", job="12", after=[], logs=str(run.jobs / "train")
    )
    write(run.jobs / "train" / "12_0_log.out")
    assert found(run) == ["r/jobs/train/12_0_log.out"]
    run.append_event("job_submitted", stage="train", job="13_2", after=[], logs=str(sweep))
    assert found(run) == []
    for name in ("13_2_0_log.out", "13_2_1_log.out", "13_1_0_log.out", "13_2_log.out"):
        write(sweep / name)
    assert found(run) == [".sweeps/s/train/13_2_0_log.out", ".sweeps/s/train/13_2_1_log.out"]


def test_logs_of_a_moved_run_are_found_inside_it(run: RunDir) -> None:
    run.append_event("job_submitted", stage="train", job="12", after=[], logs="/nowhere/jobs/train")
    write(run.jobs / "train" / "12_0_log.out")
    assert found(run) == ["r/jobs/train/12_0_log.out"]


def test_an_attempt_of_a_job_is_its_part_of_the_same_files(run: RunDir) -> None:
    logs = run.jobs / "train"
    run.append_event("job_submitted", stage="train", job="12", after=[], logs=str(logs))
    # Batch script and srun print to the log of rank 0 too, without the time.
    zero = [
        *("module loaded", f"{at(9)} Attempt 1 starts.", "bound", f"{at(10)} a", "srun: error"),
        *(f"{at(25)} Attempt 2 starts.", "bound again", f"{at(30)} b"),
    ]
    write(logs / "12_0_log.out", *zero)
    write(logs / "12_1_log.out", f"{at(11)} c", f"{at(31)} d")
    # The start is recorded a moment before it is logged, to the millisecond.
    events = [
        {"attempt": 1, "time": 999_999_968.9},
        {"attempt": 2, "time": 999_999_985.0004},
    ]
    lines = [
        json.dumps({"event": "attempt_started", "world_size": 2, "host": "h", "job": "12", **event})
        for event in events
    ]
    with run.events.open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))

    def part(number: int) -> list[str]:
        return texts(
            merged(*find_logs(run, read_run_records(run), LogSelection(attempt=number))).remaining()
        )

    assert part(1) == [
        *("0 module loaded", "0 Attempt 1 starts.", "0 bound", "0 a", "0 srun: error", "1 c"),
    ]
    assert part(2) == ["0 Attempt 2 starts.", "0 bound again", "0 b", "1 d"]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (
            LogSelection(rank=2),
            "Rank 2 does not exist: stage train of run r has 2 ranks, counted from 0.",
        ),
        (
            LogSelection(stage="export", rank=1),
            "Rank 1 does not exist: stage export of run r has 1 rank, counted from 0.",
        ),
        (LogSelection(attempt=3), "Run r has no attempt 3."),
        (LogSelection(stage="export", attempt=1), "--attempt applies to training"),
    ],
)
def test_an_unknown_rank_or_attempt_is_refused(
    run: RunDir, wanted: LogSelection, problem: str
) -> None:
    launched(run, 1)
    with pytest.raises(ConfigError) as caught:
        find_logs(run, read_run_records(run), wanted)
    assert caught.value.problem.startswith(problem)


WAITING = QueuedJob(job="12", state="PENDING", reason="Resources", nodes="", start="N/A")


@pytest.mark.parametrize(
    ("events", "queue", "wanted", "problem", "remedy"),
    [
        (
            [],
            {},
            LogSelection(),
            "no log of stage train yet: it was never started",
            "`ftdist resume r`",
        ),
        (
            [("job_submitted", {"stage": "train", "job": "12", "after": []})],
            {"12": WAITING},
            LogSelection(),
            "no log of stage train yet: job 12 is waiting for free nodes (Resources).",
            "wait for it with `ftdist logs r -f`.",
        ),
        (
            [("job_submitted", {"stage": "train", "job": "12", "after": []})],
            {},
            LogSelection(),
            "yet, and job 12 is no longer in the queue (ended)",
            "`ftdist status r`",
        ),
        (
            [],
            {},
            LogSelection(stage="compare"),
            "`ftdist compare` was not run",
            "`ftdist compare r`",
        ),
        ([], {}, LogSelection(stage="prepare"), "prepares the library itself", "`ftdist logs r`"),
        (
            [("attempt_started", {"attempt": 1, "world_size": 4, "steps": 9, "host": "h"})],
            {},
            LogSelection(rank=3),
            "Rank 3 of run r has no log yet.",
            "`ftdist logs r --rank 3 -f`",
        ),
    ],
)
def test_a_missing_log_is_explained_with_a_remedy(
    run: RunDir,
    monkeypatch: pytest.MonkeyPatch,
    events: list[tuple[str, dict[str, object]]],
    queue: dict[str, QueuedJob],
    wanted: LogSelection,
    problem: str,
    remedy: str,
) -> None:
    monkeypatch.setattr("ftdist.rundir.RUNS_ROOT", run.root.parent)
    for kind, fields in events:
        run.append_event(kind, **fields)
    records = read_run_records(run)
    output = missing_log_error(
        run, records, status_of(records, snapshot=QueueSnapshot(queue=queue)), wanted
    )
    assert problem in output.problem
    assert remedy in output.remedy


@pytest.mark.parametrize(
    ("outcomes", "held", "wanted", "over"),
    [
        ([], False, LogSelection(), True),
        ([None], True, LogSelection(), False),
        ([None], False, LogSelection(), True),  # lost
        (["requeue"], True, LogSelection(), False),
        (["requeue", None], True, LogSelection(attempt=1), True),
        (["requeue", None], True, LogSelection(attempt=2), False),
        ([None, None], True, LogSelection(attempt=1), True),
        (["done"], False, LogSelection(), True),
        (["done"], True, LogSelection(stage="export"), False),
        (["done"], False, LogSelection(stage="export"), True),
    ],
)
def test_when_logs_are_complete(
    run: RunDir, outcomes: list[str | None], held: bool, wanted: LogSelection, over: bool
) -> None:
    for number, outcome in enumerate(outcomes, start=1):
        launched(run, number)
        if outcome is not None:
            ended(run, number, outcome)
    if held:
        with run_lock(run):
            records = read_run_records(run)
    else:
        records = read_run_records(run)
    assert is_complete(records, status_of(records, snapshot=QueueSnapshot()), wanted) == over


# The command


def test_lines_are_printed_with_rank_and_time(run: RunDir, capsys: Captured) -> None:
    launched(run, 1, world_size=11)
    ended(run, 1, "done")
    logs = run.jobs / "train-1"
    write(logs / "7_10_log.out", "srun: ready", f"{at(2)} ten")
    write(logs / "7_0_log.out", f"{at(3)} \x1b[31mred\x1b[0m\x07 [bold] \x1b]0;title\x07tab\there")
    for words in ([], ["-f"], ["--follow", "--stage=train", "--attempt", "1"]):
        assert cli.main(["logs", str(run.root), *words]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "[10]          srun: ready",
            "[10] 01:46:02 ten",
            "[ 0] 01:46:03 red [bold] tab\there",
        ]
    assert cli.main(["logs", str(run.root), "--rank", "10"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_lines_of_the_launcher_are_shown_on_request_only(run: RunDir, capsys: Captured) -> None:
    launched(run, 1, world_size=1)
    file = run.jobs / "train-1" / "7_0_log.out"
    write(file, "submitit INFO (x) - Starting")
    assert cli.main(["logs", str(run.root)]) == 0
    assert capsys.readouterr().err.startswith("Nothing was printed yet; `--all` shows")
    file.write_text("submitit INFO (x) - Starting\nstep 1\nsubmitit INFO (x) - Exiting\n")
    assert cli.main(["logs", str(run.root)]) == 0
    assert capsys.readouterr().out == "[0]          step 1\n"
    assert cli.main(["logs", str(run.root), "--all"]) == 0
    assert capsys.readouterr().out.count("submitit") == 2


def test_terminal_control_sequences_are_removed() -> None:
    assert without_escapes("a\x1b[2Jb\x9b31mc\x00\x7fd\r") == "ab31mcd"
    assert without_escapes("\u00fc \u4e2d\ttab") == "\u00fc \u4e2d\ttab"
    assert prefix(LogLine(rank=3, time=0.0, text=""), width=3) == "[  3]          "


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--stage", "exprot"], "argument --stage: invalid choice: 'exprot' (choose from 'curate'"),
        (["--stage"], "argument --stage: expected one argument."),
        (["--rank", "x"], "argument --rank: expected a number, for example 1."),
        (["--attempt=-1"], "argument --attempt: expected a number, for example 1."),
        (["--foo"], "--foo is not a flag of `ftdist logs`"),
    ],
)
def test_mistyped_flags_are_refused(flags: list[str], message: str, capsys: Captured) -> None:
    assert cli.main(["logs", "r", *flags]) == 78
    assert message in capsys.readouterr().err


@pytest.fixture
def follower(run: RunDir) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts `ftdist logs R -f`."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "ftdist", "logs", str(run.root), "-f"],
            env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.timeout(60)
def test_following_continues_across_restarts_until_the_run_ends(
    run: RunDir, follower: Callable[[], "subprocess.Popen[str]"]
) -> None:
    with run_lock(run):
        process = follower()
        assert process.stdout is not None
        assert process.stderr is not None
        assert "has no log of stage train yet" in process.stderr.readline()
        launched(run, 1)
        write(run.jobs / "train-1" / "7_0_log.out", f"{at(1)} first")
        assert process.stdout.readline() == "[0] 01:46:01 first\n"
        ended(run, 1, "requeue")
        launched(run, 2)
        write(run.jobs / "train-2" / "8_1_log.out", f"{at(2)} second")
        assert process.stdout.readline() == "[1] 01:46:02 second\n"
        write(run.jobs / "train-2" / "8_0_log.out", f"{at(3)} third")
        ended(run, 2, "done")
    assert process.communicate(timeout=30) == ("[0] 01:46:03 third\n", "")
    assert process.returncode == 0


@pytest.mark.timeout(60)
def test_ctrl_c_ends_following_silently(
    run: RunDir, follower: Callable[[], "subprocess.Popen[str]"]
) -> None:
    with run_lock(run):
        launched(run, 1)
        write(run.jobs / "train-1" / "7_0_log.out", f"{at(1)} first")
        process = follower()
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130


@pytest.mark.timeout(60)
def test_following_ends_when_its_reader_closes_the_pipe(
    run: RunDir, follower: Callable[[], "subprocess.Popen[str]"]
) -> None:
    with run_lock(run):
        launched(run, 1)
        write(run.jobs / "train-1" / "7_0_log.out", f"{at(1)} first")
        process = follower()
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 128 + signal.SIGPIPE
        assert process.stderr.read() == ""
