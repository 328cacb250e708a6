"""What the terminal shows while a run goes on."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from ftdist.api.progress import Copy
from ftdist.cli.progress import Bar, summary
from ftdist.rundir import RunDir

Captured = pytest.CaptureFixture[str]


def made(root: Path) -> RunDir:
    run = RunDir(root)
    run.create(private=True)
    run.config.write_text("run: {}\n")
    return run


def test_copy_forwards_whole_lines_and_hides_those_of_submitit(
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


def test_bar_shows_step_loss_speed_and_remaining_time(tmp_path: Path) -> None:
    run = made(tmp_path / "r")
    log = tmp_path / "log"
    shown = (tmp_path / "shown").open("w+", encoding="utf-8")
    console = Console(file=shown, force_terminal=True, width=120)
    run.metrics.write_text('{"step": 2, "train/loss": 9.9}\n')  # of an earlier attempt
    view = Bar(run, log=log, steps=10, console=console)
    log.write_text("step 3/10 loss 1.5\nW&B is offline\n")
    row = {"step": 3, "train/loss": 1.5, "throughput/tokens_per_s": 2000.0, "time/eta_s": 75.0}
    view.update()
    with run.metrics.open("a") as file:
        file.write(json.dumps(row) + "\n")
    view.update()
    view.close()
    shown.seek(0)
    output = shown.read()
    shown.close()
    assert "3/10" in output
    assert "loss 1.5000  2,000 tokens/s  1m15s left" in output
    assert "W&B is offline" in output
    assert "step 3/10 loss" not in output
    assert "9.9" not in output


def test_summary_has_both_losses() -> None:
    row = {"train/loss": 2.0}
    assert summary(row, mean=1.5, held_out=2.5) == "loss 1.5000  held-out 2.5000"
