"""Contracts 8 and 10: the record is whole, W&B mirrors it and can break without harm."""

import dataclasses
import json
import os
import resource
import subprocess
import sys
import textwrap
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from ftdist.config.compose import compose
from ftdist.config.plan import LibraryFacts, Plan
from ftdist.config.schema import RunConfig
from ftdist.errors import RequeueError, StorageError
from ftdist.observe.metrics import read_metrics
from ftdist.observe.redact import HIDDEN, redacted
from ftdist.observe.sinks import Console, RowFile, Sinks, duration, open_sinks, progress_line
from ftdist.observe.wandb_files import wandb_id
from ftdist.rundir import RunDir
from tests.support import wandb_reader

STEPS = 10


def make_config(root: Path, *, wandb: str) -> RunConfig:
    return compose(
        ["model.path=m", "library.path=l", "run.name=r", f"run.root={root}", f"tracking={wandb}"]
    )


def make_plan() -> Plan:
    library = LibraryFacts(path="l", key="k", sources=())
    values: dict[str, Any] = {
        field.name: field.type(0)
        for field in dataclasses.fields(Plan)
        if field.type in (int, float)
    }
    values |= {"steps": STEPS, "library": library, "estimates": ()}
    values |= {"device": "cpu", "dtype": "float32"}
    return Plan(**values)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "r")
    made.create(private=True)
    return made


def raw_rows(run: RunDir) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


def record(run: RunDir, *, attempt: int, steps: range) -> None:
    """One attempt without W&B."""
    config = make_config(run.root.parent, wandb="off")
    with open_sinks(run, config, make_plan(), attempt=attempt, first_step=steps.start - 1) as sinks:
        for step in steps:
            sinks.log(step, {"train/loss": 1 / step})


def test_a_row_a_step_with_attempt_and_time(run: RunDir) -> None:
    record(run, attempt=1, steps=range(1, 4))
    rows = raw_rows(run)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1].keys() == {"step", "attempt", "time", "train/loss"}
    assert rows[1]["train/loss"] == 0.5


def test_a_second_attempt_adds_and_destroys_nothing(run: RunDir) -> None:
    record(run, attempt=1, steps=range(1, 6))
    record(run, attempt=2, steps=range(4, 7))
    assert [(row["attempt"], row["step"]) for row in raw_rows(run)] == [
        *((1, step) for step in (1, 2, 3, 4, 5)),
        *((2, step) for step in (4, 5, 6)),
    ]
    assert [row["step"] for row in read_metrics(run.metrics)] == [1, 2, 3, 4, 5, 6]


def test_a_torn_last_line_does_not_swallow_the_next_row(run: RunDir) -> None:
    run.metrics.write_text('{"step": 1, "attempt": 1}\n{"step": 2, "att')
    record(run, attempt=2, steps=range(2, 4))
    assert [row["step"] for row in read_metrics(run.metrics)] == [1, 2, 3]


def test_only_the_owner_reads_the_record(run: RunDir) -> None:
    record(run, attempt=1, steps=range(1, 2))
    assert run.metrics.stat().st_mode & 0o777 == 0o600


def test_a_name_that_is_not_in_the_table_is_our_own_mistake(run: RunDir) -> None:
    config = make_config(run.root.parent, wandb="off")
    with (
        open_sinks(run, config, make_plan(), attempt=1, first_step=0) as sinks,
        pytest.raises(AssertionError, match="train/los"),
    ):
        sinks.log(1, {"train/los": 1.0})


def test_rows_that_the_disk_refuses_wait_and_are_written_whole_later(tmp_path: Path) -> None:
    """A real refusal: the file may not grow beyond 120 bytes, then it may again."""
    path = tmp_path / "metrics.jsonl"

    def write() -> None:
        file = RowFile(path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (120, hard))
        problems = [file.append({"step": step, "x": "y" * 30}) for step in range(5)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        file.close()
        os._exit(42 if problems[:2] == [None, None] and "large" in str(problems[2]) else 1)

    child = get_context("fork").Process(target=write)
    child.start()
    child.join(60)
    assert child.exitcode == 42
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [0, 1, 2, 3, 4]


def sinks_on_a_full_disk() -> Sinks:
    rows, console = RowFile(Path("/dev/full")), Console(total_steps=STEPS)
    return Sinks(rows, console, None, attempt=1)


def test_a_full_disk_is_told_once_and_is_an_error_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sinks = sinks_on_a_full_disk()
    for step in (1, 2, 3):
        sinks.log(step, {"train/loss": 1.0})
    with pytest.raises(StorageError, match="No space left on device; 3 rows are not in it"):
        sinks.close("finished")
    assert capsys.readouterr().out.count("No space left on device") == 1


def test_an_error_in_training_is_not_covered_by_one_in_closing() -> None:
    def train() -> None:
        with sinks_on_a_full_disk() as sinks:
            sinks.log(1, {"train/loss": 1.0})
            raise RequeueError("Stopped.", remedy="start again.")

    with pytest.raises(RequeueError):
        train()


def test_console_shows_the_first_the_last_and_one_line_a_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    console = Console(total_steps=STEPS, clock=lambda: now[0])
    for step in range(1, STEPS + 1):
        console.show({"step": step})
        now[0] += 0.4
    shown = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().out.splitlines()]
    assert shown == [1, 4, 7, 10]


def test_console_line_reads_as_a_sentence_of_numbers() -> None:
    row = {
        "step": 7,
        "attempt": 1,
        "train/loss": 2.34567,
        "optim/learning_rate": 1.9e-5,
        "optim/grad_norm": 1.2344,
        "throughput/tokens_per_s": 5123.4,
        "time/eta_s": 200.0,
    }
    assert progress_line(row, total_steps=120) == (
        "step   7/120  loss 2.3457  lr 1.90e-05  grad norm 1.234  5,123 tokens/s  3m20s left"
    )
    held_out = {"step": 7, "eval/held_out_loss": 2.0}
    assert progress_line(held_out, total_steps=120) == "step   7/120  held-out loss 2.0000"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59.6, "1m00s"), (200.0, "3m20s"), (18_420.0, "5h07m"), (183_600.0, "2d03h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_secrets_are_hidden_and_numbers_of_tokens_are_not() -> None:
    shown = {
        "batch": {"tokens": 4096, "sequence_tokens": 512},
        "engine": {"deepspeed": {"hub_token": "abc", "list": ["x https://me:pw@host/y"]}},
        "tags": ["canary-0123456789"],
        "plan": {"library": {"key": "9f"}},
    }
    environment = {"WANDB_API_KEY": "canary-0123456789", "HOME": "x"}
    assert redacted(shown, environment=environment) == {
        "batch": {"tokens": 4096, "sequence_tokens": 512},
        "engine": {"deepspeed": {"hub_token": HIDDEN, "list": [f"x https://{HIDDEN}@host/y"]}},
        "tags": [HIDDEN],
        "plan": {"library": {"key": "9f"}},
    }


def test_wandb_id_is_made_once_and_kept(run: RunDir) -> None:
    made = wandb_id(run)
    assert wandb_id(run) == made
    assert len(made) == 16
    moved = run.root.rename(run.root.with_name("moved"))
    assert wandb_id(RunDir(moved)) == made


TRAINER = textwrap.dedent("""
    import os, signal, sys, time
    from pathlib import Path
    from ftdist.observe import wandb_mirror
    from ftdist.observe.sinks import open_sinks
    from ftdist.rundir import RunDir
    from tests.unit.test_sinks import make_config, make_plan

    run = RunDir(Path(sys.argv[1]))
    attempt, first, last = (int(text) for text in sys.argv[2:5])
    trouble = sys.argv[5]
    config = make_config(run.root.parent, wandb="offline")

    def core():
        for children in Path("/proc/self/task").glob("*/children"):
            for child in children.read_text().split():
                name, state = Path(f"/proc/{child}/stat").read_text().split()[1:3]
                if name == "(wandb-core)" and state != "Z":
                    return int(child)

    def wait_for(what):
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    wandb_mirror.CLOSE_TIMEOUT_S = 3.0 if trouble == "STOP" else 60.0
    slowest = 0.0
    with open_sinks(run, config, make_plan(), attempt=attempt, first_step=first) as sinks:
        for step in range(first + 1, last + 1):
            if step == 5 and trouble in ("KILL", "STOP"):
                wait_for(lambda: list(run.wandb.glob("offline-run-*/run-*.wandb")))
                os.kill(core(), signal.Signals["SIG" + trouble])
            began = time.monotonic()
            sinks.log(step, {"train/loss": 1 / step, "throughput/tokens_per_s": 10.0 * step})
            slowest = max(slowest, time.monotonic() - began)
        if trouble == "die":
            wait_for(lambda: list(run.wandb.glob("offline-run-*/run-*.wandb")))
            time.sleep(2.5)
            os.kill(os.getpid(), signal.SIGKILL)
        began = time.monotonic()
    print(f"slowest log {slowest:.3f} s, close {time.monotonic() - began:.3f} s")
    assert slowest < 0.5, slowest
    assert core() is None
""")


def train(
    run: RunDir, *, attempt: int = 1, first: int = 0, last: int = STEPS, trouble: str = "none"
) -> subprocess.CompletedProcess[str]:
    """One attempt, a real process with real W&B, offline; canaries in argv and environment."""
    environment = {**os.environ, "WANDB_API_KEY": "canary-of-the-environment-0123456789abcdef"}
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run(
        [
            *(sys.executable, "-c", TRAINER, str(run.root)),
            *(str(attempt), str(first), str(last), trouble, "--canary-of-the-command-line"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def mirrored(path: Path) -> list[dict[str, Any]]:
    """W&B's rows without its own columns, the x-axis under its name in metrics.jsonl."""
    return [
        {"step": row.pop("trainer/global_step")}
        | {name: value for name, value in row.items() if not name.startswith("_")}
        for row in wandb_reader.history(path)
    ]


def recorded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def test_two_attempts_are_one_wandb_run_that_shows_each_step_once_and_no_secret(
    run: RunDir,
) -> None:
    first, second = train(run, last=6), train(run, attempt=2, first=4)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "W&B is offline; `ftdist sync " in first.stdout
    assert "Attempt 2 goes on after step 4 of 10." in second.stdout

    logs = wandb_reader.find_logs(run.wandb)
    assert {wandb_reader.run_id(log) for log in logs} == {wandb_id(run)}
    assert [wandb_reader.exit_code(log) for log in logs] == [0, 0]
    # Steps 5 and 6 were computed twice; W&B has them from attempt 1, the record has both.
    rows = [row for log in logs for row in mirrored(log)]
    assert [(row["step"], row["attempt"]) for row in rows] == [
        *((step, 1) for step in range(1, 7)),
        *((step, 2) for step in range(7, 11)),
    ]
    by_key = {(row["step"], row["attempt"]): row for row in recorded(raw_rows(run))}
    assert len(by_key) == 12
    assert rows == [by_key[row["step"], row["attempt"]] for row in rows]
    assert wandb_reader.metric_axes(logs[0])["*"] == "trainer/global_step"
    shown = wandb_reader.config(logs[0])
    assert shown["batch"]["tokens"] > 0
    assert shown["plan"]["steps"] == STEPS

    assert not list(run.wandb.glob("offline-run-*/files/requirements.txt"))
    assert {wandb_reader.host(log) for log in logs} == {"hidden"}
    for path in run.wandb.rglob("*"):
        if path.is_file():
            assert b"canary-of" not in path.read_bytes(), path


def test_wandb_core_killed_in_mid_run_is_one_line_and_the_record_is_whole(run: RunDir) -> None:
    done = train(run, trouble="KILL")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("W&B stopped") == 1
    assert "Traceback" not in done.stderr
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))


def test_wandb_core_that_hangs_holds_up_neither_the_steps_nor_the_end(run: RunDir) -> None:
    done = train(run, trouble="STOP")
    assert done.returncode == 0, done.stderr
    assert "W&B did not finish within 3 s" in done.stdout
    assert "Traceback" not in done.stderr
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))


def test_all_killed_leaves_wandbs_rows_on_disk_up_to_the_last_second(run: RunDir) -> None:
    done = train(run, trouble="die")
    assert done.returncode == -9
    [log] = wandb_reader.find_logs(run.wandb)
    assert mirrored(log) == recorded(raw_rows(run))
    assert wandb_reader.exit_code(log) is None


def test_wandb_that_cannot_write_is_one_line_and_the_record_is_whole(run: RunDir) -> None:
    run.wandb.rmdir()
    run.wandb.write_text("a file where the folder should be")
    done = train(run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("W&B stopped") == 1
    assert [row["step"] for row in raw_rows(run)] == list(range(1, STEPS + 1))
