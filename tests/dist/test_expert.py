"""`ftdist expert` on this machine: from a manual to the report, interrupted once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ftdist_launch.expert.stages import read_stages

from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir

MANUAL = "".join(
    f"# A-45 Manual: part {page}\n\n## What does part {page} hold?\n\n"
    f"Part {page} holds {page * 13} litres of water.\n\n"
    for page in range(1, 6)
)
KEYS = (
    *("sources=manual.md", "experiment=tiny", "run.name=w", "tracking=off", "retention=none"),
    *("train.steps=30", "batch.sequence_length=256", "cluster.tasks_per_node=1"),
    *("split.num_probes=2", "split.num_out_of_scope_probes=2", "eval.max_new_tokens=4"),
    *("eval.general_questions=none", "eval.perplexity_texts=none"),
)


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "ftdist", "expert", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'launch'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_an_interrupted_expert_continues_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "manual.md").write_text(MANUAL)
    run = RunDir(tmp_path / "runs" / "w")
    first = start(tmp_path, *KEYS)
    until = time.monotonic() + 240
    while not read_metrics(run.metrics) and time.monotonic() < until and first.poll() is None:
        time.sleep(0.2)
    first.send_signal(signal.SIGINT)
    output = first.communicate(timeout=120)[0]
    assert first.returncode == 130, output
    assert "Stage train of run w was stopped. Continue: `ftdist expert w`." in output
    states = {stage.name: stage.state for stage in read_stages(run)}
    assert states == {
        **{"curate": "done", "prepare": "done", "train": "cancelled"},
        **{"export": "cancelled", "compare": "cancelled"},
    }
    steps = len(read_metrics(run.metrics))
    assert 0 < steps < 30

    second = start(tmp_path, "w")
    output = second.communicate(timeout=280)[0]
    assert second.returncode == 0, output
    assert "[1/3] train" in output
    assert "curate:" not in output
    assert [row["step"] for row in read_metrics(run.metrics)] == list(range(1, 31))
    assert {stage.state for stage in read_stages(run)} == {"done"}
    assert (run.report / "index.html").is_file()
    curated = [e for e in run.read_events() if e.get("stage") == "curate"]
    assert [event["event"] for event in curated] == ["stage_started", "stage_finished"]

    third = start(tmp_path, "w", "optim.peak_lr=1e-4")
    output = third.communicate(timeout=120)[0]
    assert third.returncode == 78
    assert "has begun to train with other values of optim.peak_lr" in output
