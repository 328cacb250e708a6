"""`ftdist expert` on this machine: from a manual to the report, interrupted once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ftdist_launch.expert.stages import read_stages

from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir

MANUAL = "".join(
    f"# A-45 Manual: part {page}\n\n## What does part {page} hold?\n\n"
    f"Part {page} holds {page * 13} litres of water.\n\n"
    for page in range(1, 6)
)
STEPS = 20
KEYS = (
    *("sources=manual.md", "experiment=tiny", "run.name=w", "tracking=off", "retention=none"),
    *(f"train.steps={STEPS}", "batch.sequence_length=256", "cluster.tasks_per_node=1"),
    *("split.num_probes=2", "split.num_out_of_scope_probes=2", "eval.max_new_tokens=4"),
    *("eval.general_questions=none", "eval.perplexity_texts=none", "eval.num_instructions=0"),
)


@contextmanager
def expert(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A running `ftdist expert`, ended with the block."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "ftdist", "expert", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'launch'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_interrupted_expert_continues_where_it_stopped(tmp_path: Path) -> None:
    (tmp_path / "manual.md").write_text(MANUAL)
    run = RunDir(tmp_path / "runs" / "w")
    with expert(tmp_path, *KEYS) as first:
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
        **{"export": "not started", "compare": "not started"},
    }
    assert 0 < len(read_metrics(run.metrics)) < STEPS

    with expert(tmp_path, "w") as second:
        output = second.communicate(timeout=400)[0]
    assert second.returncode == 0, output
    assert "[1/3] train" in output
    assert [row["step"] for row in read_metrics(run.metrics)] == list(range(1, STEPS + 1))
    assert {stage.state for stage in read_stages(run)} == {"done"}
    assert (run.report / "index.html").is_file()
    curated = [e["event"] for e in run.read_events() if e.get("stage") == "curate"]
    assert curated == ["stage_started", "stage_finished"]
