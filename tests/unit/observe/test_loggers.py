"""Contracts 8 and 10: the record is whole, and shows no secret. W&B: tests/dist/test_wandb.py."""

import json
import os
import resource
from multiprocessing import get_context
from pathlib import Path

import pytest

from ftdist.errors import RequeueError, StorageError
from ftdist.observe import loggers
from ftdist.observe.console import Console, progress_line
from ftdist.observe.live_page import LivePage
from ftdist.observe.loggers import JsonlWriter, MetricLogger, open_metric_logger
from ftdist.observe.metrics import read_metrics
from ftdist.observe.redact import HIDDEN, redacted
from ftdist.observe.wandb.state import wandb_id
from ftdist.rundir import RunDir
from tests.support.wandb.fake_run import STEPS, make_config, make_plan, raw_rows, record


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    made = RunDir(tmp_path / "r")
    made.create(private=True)
    return made


def test_one_row_per_step_with_attempt_and_time(run: RunDir) -> None:
    record(run, attempt=1, steps=range(1, 4))
    rows = raw_rows(run)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1].keys() == {"step", "attempt", "time", "train/loss"}
    assert rows[1]["train/loss"] == 0.5


def test_a_second_attempt_appends(run: RunDir) -> None:
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


def test_metrics_are_readable_by_the_owner_only(run: RunDir) -> None:
    record(run, attempt=1, steps=range(1, 2))
    assert run.metrics.stat().st_mode & 0o777 == 0o600


def test_an_undeclared_metric_is_an_internal_error(run: RunDir) -> None:
    config = make_config(run.root.parent, wandb="off")
    with (
        open_metric_logger(run, config, make_plan(), attempt=1, first_step=0) as logger,
        pytest.raises(AssertionError, match="train/los"),
    ):
        logger.log(1, {"train/los": 1.0})


def test_rows_that_fail_to_write_are_retried_whole(tmp_path: Path) -> None:
    """A real refusal: the file may not grow beyond 120 bytes, then it may again."""
    path = tmp_path / "metrics.jsonl"

    def write() -> None:
        file = JsonlWriter(path)
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


def sinks_on_a_full_disk() -> MetricLogger:
    rows, console = JsonlWriter(Path("/dev/full")), Console(total_steps=STEPS)
    return MetricLogger(rows, console, None, attempt=1, record_event=lambda _, **__: None)


def test_a_full_disk_is_reported_once_and_fails_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = sinks_on_a_full_disk()
    for step in (1, 2, 3):
        logger.log(step, {"train/loss": 1.0})
    with pytest.raises(StorageError, match="No space left on device; 3 rows are missing"):
        logger.close("finished")
    assert capsys.readouterr().out.count("No space left on device") == 1


@pytest.mark.fault("C10")
def test_a_handle_that_the_server_has_forgotten_is_opened_again(tmp_path: Path) -> None:
    """A write to this process's memory at address 0 is a real EIO."""
    path = tmp_path / "metrics.jsonl"
    rows = JsonlWriter(path)
    assert rows.append({"step": 1}) is None
    broken = os.open("/proc/self/mem", os.O_WRONLY)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(broken, b"row")
    os.dup2(broken, rows._file)
    assert rows.append({"step": 2}) is None
    rows.close()
    os.close(broken)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.fault("M2")
def test_rows_that_wait_for_a_full_disk_are_bounded_and_all_missing_ones_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loggers, "MAX_PENDING_BYTES", 100)
    rows = JsonlWriter(Path("/dev/full"))
    for step in range(50):
        assert rows.append({"step": step, "train/loss": 1.0}) == "No space left on device"
    with pytest.raises(StorageError, match="; 50 rows are missing"):
        rows.close()


def test_a_training_error_is_not_masked_by_an_error_on_close() -> None:
    def train() -> None:
        with sinks_on_a_full_disk() as logger:
            logger.log(1, {"train/loss": 1.0})
            raise RequeueError("Stopped.", remedy="start again.")

    with pytest.raises(RequeueError):
        train()


def test_console_shows_first_and_last_step_and_one_line_per_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    console = Console(total_steps=STEPS, clock=lambda: now[0])
    for step in range(1, STEPS + 1):
        console.show({"step": step})
        now[0] += 0.4
    shown = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().out.splitlines()]
    assert shown == [1, 4, 7, 10]


def test_console_line_format() -> None:
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


def test_secrets_are_hidden_and_numbers_of_tokens_are_not() -> None:
    shown = {
        "batch": {"tokens": 4096, "sequence_length": 512},
        "engine": {"deepspeed": {"hub_token": "abc", "list": ["x https://me:pw@host/y"]}},
        "tags": ["canary-0123456789"],
        "plan": {"library": {"key": "9f"}},
    }
    environment = {"WANDB_API_KEY": "canary-0123456789", "HOME": "x"}
    assert redacted(shown, environment=environment) == {
        "batch": {"tokens": 4096, "sequence_length": 512},
        "engine": {"deepspeed": {"hub_token": HIDDEN, "list": [f"x https://{HIDDEN}@host/y"]}},
        "tags": [HIDDEN],
        "plan": {"library": {"key": "9f"}},
    }


def test_the_wandb_id_is_created_once(run: RunDir) -> None:
    made = wandb_id(run)
    assert wandb_id(run) == made
    assert len(made) == 16
    moved = run.root.rename(run.root.with_name("moved"))
    assert wandb_id(RunDir(moved)) == made


def test_the_page_of_curves_is_named_once_it_exists(
    run: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    page = LivePage(run, every_s=60)
    rows, console = JsonlWriter(run.metrics), Console(total_steps=STEPS)
    logger = MetricLogger(rows, console, None, page, attempt=1, record_event=run.record_event)
    logger.log(1, {"train/loss": 1.0})
    assert "Curves" not in capsys.readouterr().out
    page.path.parent.mkdir(exist_ok=True)
    page.path.touch()
    for step in (2, 3):
        logger.log(step, {"train/loss": 1.0})
    logger.close("finished")
    assert capsys.readouterr().out.count(f"Curves: {page.path}") == 1
