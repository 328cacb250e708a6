"""The command: help, verbs, errors in two lines, exit codes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from ftdist.cli import main as cli
from ftdist.cli.outcome import tell
from ftdist.cli.progress import Bar, Copy, Tail, clock, summary
from ftdist.rundir import RunDir
from launch.failure import RankFailure
from launch.supervise import Finished

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_term_handler() -> Iterator[None]:
    """`main` answers SIGTERM; the test process keeps its own answer afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ftdist(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ftdist", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def made(root: Path) -> RunDir:
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text("run: {}\n")
    return run


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(words: list[str], capsys: Captured) -> None:
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    for verb in ("train", "plan", "resume", "export", "compare", "status"):
        assert f"  ftdist {verb}" in told


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        ("trian", "`ftdist train ...`"),
        ("exprot", "`ftdist export ...`"),
        ("model.path=x", "`ftdist train ...`"),
        ("zzz", "use one of train, plan"),
    ],
)
def test_unknown_verb_gives_the_nearest_one(typed: str, advice: str, capsys: Captured) -> None:
    assert cli.main([typed]) == 78
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"ftdist has no command {typed!r}."
    assert second.startswith("To fix: ")
    assert advice in second


@pytest.mark.parametrize("verb", ["resume", "export", "compare", "status"])
def test_verbs_of_a_run_ask_for_one(verb: str, capsys: Captured) -> None:
    assert cli.main([verb]) == 78
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"`ftdist {verb}` was given no run.",
        f"To fix: name one run: `ftdist {verb} R`.",
    ]
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: ftdist {verb} R")


def test_a_mistyped_key_and_a_mistyped_value_come_in_one_answer(capsys: Captured) -> None:
    code = cli.main(["train", "experiment=tiny", "optim.peak_lrr=1", "model.dtype=floot32"])
    told = capsys.readouterr().err
    assert code == 78
    assert "optim.peak_lr" in told
    assert "model.dtype=floot32" in told
    assert "Traceback" not in told


def test_hydra_prints_the_composed_config(capsys: Captured) -> None:
    assert cli.main(["train", "experiment=tiny", "--cfg", "job"]) == 0
    assert "sequence_tokens: 256" in capsys.readouterr().out


def test_a_command_answers_in_about_a_second(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = ftdist("status", "none", folder=tmp_path)
    took = time.monotonic() - begun
    assert done.returncode == 78
    assert done.stderr.splitlines()[0] == "There is no run 'none' under runs."
    assert took < 5  # a second on an idle machine


def test_no_such_folders_are_told_together_and_nothing_is_written(tmp_path: Path) -> None:
    words = ["train", "model.path=nowhere", "library.path=missing", "run.name=r"]
    done = ftdist(*words, "cluster.device=cpu", folder=tmp_path)
    assert done.returncode == 78
    assert "nowhere" in done.stderr
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_our_own_mistake_is_one_line_and_a_file(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(cli.VERBS, "arguments", "has no main")
    assert cli.main(["arguments"]) == 70
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("ftdist made a mistake: AttributeError: ")
    (kept,) = tmp_path.glob("ftdist-traceback-*.txt")
    assert str(kept) in second
    assert "Traceback" in kept.read_text()


def test_ctrl_c_before_anything_runs_is_130(tmp_path: Path) -> None:
    code = (
        "import sys, types, ftdist.cli.main as cli\n"
        "def main(words):\n    raise KeyboardInterrupt\n"
        "sys.modules['ftdist.cli.status'] = types.SimpleNamespace(main=main)\n"
        "sys.exit(cli.main(['status', 'r']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 130


def test_status_tells_state_step_and_the_cause_of_each_end(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    run = made(tmp_path / "runs" / "r")
    launched = {"world_size": 2, "steps": 20, "host": "h"}
    run.append_event("launched", attempt=1, **launched)
    killed = {"outcome": "requeue", "checkpoint": 10, "cause": "Rank 1 was killed."}
    run.append_event("attempt_ended", attempt=1, **killed)
    run.append_event("launched", attempt=2, **launched)
    run.metrics.write_text('{"step": 11, "attempt": 1, "train/loss": 2.0}\n{"step": 12, "attemp')
    assert cli.main(["status", "r"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(
        "Run r: not running: whoever watched it ended without a word.\n"
        "Step 11 of 20, loss 2.0000.\n"
    )
    assert "Rank 1 was killed." in told


def test_copy_passes_on_whole_lines_and_keeps_submitits_to_itself(
    tmp_path: Path, capsys: Captured
) -> None:
    log = tmp_path / "0_log.out"
    view = Copy(log)
    view.update()
    log.write_text("submitit INFO (x) - Starting\nstep 1 loss 2\nstep 2 lo")
    view.update()
    assert capsys.readouterr().out == "step 1 loss 2\n"
    view.close()
    assert capsys.readouterr().out == "step 2 lo\n"


def test_a_tail_that_starts_at_the_end_gives_only_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("old\n")
    tail = Tail(path, from_end=True)
    with path.open("a") as file:
        file.write("new\n")
    assert tail.new_lines() == ["new"]
    assert tail.new_lines() == []


def test_bar_shows_step_loss_speed_and_remaining_time(tmp_path: Path) -> None:
    run = made(tmp_path / "r")
    log = tmp_path / "log"
    shown = (tmp_path / "shown").open("w+", encoding="utf-8")
    console = Console(file=shown, force_terminal=True, width=120)
    view = Bar(run, log=log, steps=10, console=console)
    log.write_text("step 3/10 loss 1.5\nW&B is offline\n")
    run.metrics.write_text(
        '{"step": 3, "train/loss": 1.5, "throughput/tokens_per_s": 2000.0, "time/eta_s": 75.0}\n'
    )
    view.update()
    view.close()
    shown.seek(0)
    told = shown.read()
    shown.close()
    assert "3/10" in told
    assert "loss 1.5000  2,000 tokens/s  1:15 left" in told
    assert "W&B is offline" in told
    assert "step 3/10 loss" not in told


def test_lengths_of_time_are_easy_to_read() -> None:
    assert [clock(s) for s in (0.0, 59.6, 3723.0)] == ["0:00", "1:00", "1:02:03"]
    assert summary({"train/loss": 2.0}, 2.5) == "loss 2.0000  held-out 2.5000"


def test_last_words_name_the_cause_and_the_way_on(tmp_path: Path, capsys: Captured) -> None:
    run = RunDir(tmp_path / "r")
    failure = RankFailure(
        rank=1,
        time=0.0,
        problem="The disk is full.",
        remedy="free some.",
        exit_code=74,
        traceback="",
        expected=True,
    )
    finished = Finished(outcome="failed", exit_code=74, failure=failure, step=5)
    assert tell(finished, run=run) == 74
    assert capsys.readouterr().err.splitlines() == [
        "The disk is full.",
        "To fix: free some.",
        "Run r is kept, with a checkpoint at step 5: once that is mended, `ftdist resume r`.",
    ]
