"""`ftdist status` as typed: one run, all runs, for scripts."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.lock import run_lock
from ftdist_launch.slurm.job_status import JobStatus
from ftdist_launch.status import AttemptStatus, RunStatus, read_status

from ftdist.cli import main as cli
from ftdist.cli.views.runs_table import best_of
from tests.support.runs.watched_runs import watched_run
from tests.support.slurm.records import (
    PREPARED,
    SUBMITTED,
    attempt_finished,
    attempt_started,
    job_submitted,
    make_run,
    run_requested,
    trial_recorded,
)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path / "runs"


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a `squeue` that prints this onto PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(text: str) -> None:
        path = folder / "squeue"
        path.write_text(f"#!/bin/sh\nprintf '{text}'\n")
        path.chmod(0o755)

    return make


def test_a_waiting_run_shows_what_it_waits_for(
    runs_root: Path, squeue: Callable[[str], None], capsys: Captured
) -> None:
    make_run(runs_root / "r", *SUBMITTED)
    squeue("11|PENDING|Resources||2026-11-24T01:00:00\n12|PENDING|Dependency||N/A\\n")
    assert cli.main(["status", "r"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "Run r: pending: waiting for job 11 (prepare) (Dependency); "
        "job 11: waiting for free nodes (Resources), expected to start at "
        "2026-11-24T01:00:00.\nStep 0.\n"
    )
    assert "\njob  stage    state\n11   prepare  waiting for free nodes (Resources)" in output


def test_a_running_run_shows_step_speed_and_time_remaining(
    runs_root: Path, squeue: Callable[[str], None], capsys: Captured
) -> None:
    run = make_run(
        runs_root / "r",
        *PREPARED,
        attempt_started(1),
        attempt_finished(1, "requeue"),
        attempt_started(2),
    )
    (run.wandb / "url").write_text("https://wandb.example/r\n")
    row = {"step": 11, "train/loss": 2.0, "throughput/tokens_per_s": 5123.4, "time/eta_s": 75.0}
    run.metrics.write_text(json.dumps(row) + "\n")
    squeue("12|RUNNING|None|n[1-2]|N/A")
    assert cli.main(["status", "r"]) == 0
    assert capsys.readouterr().out.startswith(
        "Run r: running on n1, n2 (attempt 2, job 12).\n"
        "Step 11 of 20, loss 2.0000, 5,123 tokens/s, 1m15s left; "
        "under 0.1 process-hours in 2 attempts.\n"
        "W&B: https://wandb.example/r\n"
    )


def test_a_lost_run_shows_how_to_resume_and_brackets_are_not_markup(
    runs_root: Path, squeue: Callable[[str], None], capsys: Captured
) -> None:
    make_run(
        runs_root / "r",
        *PREPARED,
        attempt_started(1),
        attempt_finished(1, "requeue", cause="[bold]Killed[/x]"),
    )
    squeue("")
    assert cli.main(["status", "r"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "Run r: lost: its job left the queue without recording an end.\n"
        "Step 0 of 20; under 0.1 process-hours in 1 attempt.\n"
        "Resume it with `ftdist resume r`.\n"
    )
    assert "\n         [bold]Killed[/x]\n" in output


def test_without_slurm_the_records_are_shown_with_a_note(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    make_run(runs_root / "r", *PREPARED, attempt_started(1))
    monkeypatch.setenv("PATH", str(runs_root))
    for words in (["r"], []):
        assert cli.main(["status", *words]) == 0
        output = capsys.readouterr().out
        assert "running" in output
        assert "SLURM is unavailable: `squeue` is not installed on this machine." in output


def test_all_runs_in_one_table_newest_first_and_sweeps_together(
    runs_root: Path, squeue: Callable[[str], None], capsys: Captured
) -> None:
    make_run(runs_root / "old", attempt_started(1, job=None), attempt_finished(1, "done"))
    for number in (10, 2, 1):
        job = f"20_{number}"
        events = [
            run_requested(),
            trial_recorded("s", {"optim.peak_lr": f"{number}e-5"}),
            job_submitted("train", job),
            attempt_started(1, job=job),
        ]
        make_run(runs_root / f"s-{number}", *events)
    make_run(runs_root / "new")
    squeue("20_1|RUNNING|None|n1|N/A\n20_2|PENDING|BeginTime||N/A\n20_10|RUNNING|None|n1|N/A")
    assert cli.main(["status"]) == 0
    *table, legend = capsys.readouterr().out.splitlines()
    assert legend == "hours: GPU-hours of all attempts; c: process-hours on CPUs."
    assert [line.split() for line in table] == [
        ["run", "state", "step", "hours", "age", "swept"],
        ["new", "not", "started", "0s"],
        ["sweep", "s", "3", "runs:", "2", "running,", "1", "restarting"],
        ["s-1", "running", "0/20", "<0.1c", "0s", "peak_lr=1e-5"],
        ["on", "n1,", "n2"],
        ["s-2", "restarting", "0/20", "<0.1c", "0s", "peak_lr=2e-5"],
        ["restarting", "soon", "(BeginTime)"],
        ["s-10", "running", "0/20", "<0.1c", "0s", "peak_lr=10e-5"],
        ["on", "n1,", "n2"],
        ["old", "done", "0/20", "<0.1c", "0s"],
    ]


def test_json_holds_the_same_fields_and_only_finite_numbers(
    runs_root: Path, capsys: Captured
) -> None:
    run = make_run(runs_root / "r", attempt_started(1, job=None), attempt_finished(1, "done"))
    run.metrics.write_text('{"step": 20, "train/loss": NaN}\n')
    assert cli.main(["status", "r", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["state"], output["step"], output["steps"], output["loss"]) == (
        "done",
        20,
        20,
        None,
    )
    assert output["attempts"][0]["outcome"] == "done"
    assert output.keys() == RunStatus.__dataclass_fields__.keys()
    assert cli.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [output]


def test_without_runs_it_shows_how_to_start_one(runs_root: Path, capsys: Captured) -> None:
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == (
        "No runs under runs. Start one: `ftdist train experiment=tiny`; for another folder, add "
        "run.root=DIR.\n"
    )
    make_run(runs_root / "elsewhere" / "r")
    assert cli.main(["status", f"run.root={runs_root / 'elsewhere'}"]) == 0
    assert "not started" in capsys.readouterr().out


def test_a_run_whose_lock_is_held_is_running(runs_root: Path, capsys: Captured) -> None:
    run = make_run(runs_root / "r", attempt_started(1, job=None))
    with run_lock(run):
        assert cli.main(["status", "r"]) == 0
    assert capsys.readouterr().out.startswith("Run r: running on n1 (attempt 1).\n")


def test_status_takes_about_a_second_and_imports_nothing_heavy(runs_root: Path) -> None:
    for number in range(50):
        make_run(
            runs_root / f"r-{number}", attempt_started(1, job=None), attempt_finished(1, "done")
        )
    code = (
        "import sys\nfrom ftdist.cli.main import main\nmain(['status'])\n"
        "assert not {'torch', 'numpy', 'wandb', 'submitit', 'hydra'} & set(sys.modules)"
    )
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done") == 50
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    assert cpu_s < 3  # half a second; of CPU time, because other tests keep the machine busy


@pytest.mark.parametrize("words", [["status"], ["status", "r"], ["watch", "r", "--once"]])
def test_what_the_output_cannot_encode_is_replaced(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """In ASCII, with an ellipsis and a letter that ASCII lacks."""
    cause = "The file Prüfung.jsonl of the library is damaged: " + "x" * 80
    watched_run(runs_root / "r", attempt_finished(1, "failed", cause=cause))
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.main(words) == 0
    output.flush()
    assert b"Pr?fung.jsonl" in output.buffer.getvalue()


def test_every_field_of_the_json_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/watch.md").read_text(encoding="utf-8")
    fields = {*RunStatus.__dataclass_fields__, *AttemptStatus.__dataclass_fields__}
    fields |= JobStatus.__dataclass_fields__.keys()
    assert {field for field in fields if f"`{field}`" not in page} == set()


@pytest.mark.parametrize(("width", "below"), [(80, "peak_lr={}e-5"), (120, "5,000")])
def test_tables_fit_the_terminal(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, width: int, below: str
) -> None:
    """What was swept is a column where there is room, or else below each run."""
    for number in range(3):
        job = f"20_{number}"
        swept = {"optim.peak_lr": f"{number}e-5", "batch.tokens": f"{number}096"}
        events = [trial_recorded("rates", swept), job_submitted("train", job)]
        name = f"rates-of-the-long-manual-{number}"
        watched_run(runs_root / name, *events, attempt_started(1, job=job))
    cause = "Rank 3 on n2 was killed by signal 9, which the kernel sends when memory runs out."
    watched_run(runs_root / "short", attempt_finished(1, "failed", cause=cause), device="cuda")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("PATH", str(runs_root))
    assert cli.main(["status"]) == 0
    *lines, slurm = capsys.readouterr().out.splitlines()
    assert slurm.startswith("SLURM is unavailable")
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines] == [
        *("run", "short", "Rank", "sweep"),
        *("rates-of-the-long-manual-0", below.format(0)),
        *("rates-of-the-long-manual-1", below.format(1)),
        *("rates-of-the-long-manual-2", below.format(2)),
        *("facts:", "hours:"),
    ]
    assert "held-out" in lines[0]
    assert lines[1].split() == ["short", "failed", "40/100", *lines[1].split()[3:]]


@pytest.mark.parametrize(
    ("score", "best", "text"),
    [
        ("held_out_loss", 1, "held_out_loss 1.2500"),
        ("eval/fact_accuracy_ranked", 0, "eval/fact_accuracy_ranked 0.7500"),
        ("eval/general_nll", None, ""),
    ],
)
def test_the_best_of_a_sweep_is_the_best_by_its_score(
    tmp_path: Path, score: str, best: int | None, text: str
) -> None:
    trial, end = trial_recorded("s", {"a": "1"}, score=score), attempt_finished(1, "done")
    rows = [
        {"eval/held_out_loss": 1.5, "eval/fact_accuracy_ranked": 0.75, "eval/general_nll": 2.0},
        {"eval/held_out_loss": 1.25},
        {"eval/fact_accuracy_ranked": 0.5},
        {"eval/held_out_loss": 1.0, "eval/fact_accuracy_ranked": 1.0, "eval/general_nll": 1.0},
    ]
    runs = []
    for number, row in enumerate(rows):
        # the last one is not finished
        events = [trial, attempt_started(1, job=None), *([end] if number < 3 else [])]
        run = make_run(tmp_path / str(number), *events)
        run.metrics.write_text(json.dumps({"step": 1} | row) + "\n")
        runs.append(read_status(run))
    assert best_of(runs) == (None if best is None else (runs[best], text))
