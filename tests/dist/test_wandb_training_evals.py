"""What a model answers while it learns, in W&B while it learns; never an obstacle.

Real wandb, in processes of its own, against a stand-in for its server on this machine.
"""

import json
from pathlib import Path
from typing import Any

from ftdist.io.jsonl import append_json_line
from ftdist.observe.training_evals import ANSWERED, COLUMNS
from ftdist.observe.wandb.state import SyncState, wandb_id
from ftdist.rundir import RunDir
from tests.support.runs.fake_comparisons import SECRET, set_tracking
from tests.support.wandb.fake_run import STEPS, make_run, record, start, wait_for
from tests.support.wandb.uploads import Loopback, sync

QUESTION, EXPECTED = "How is it cleaned?", "With vinegar."


def measure(run: RunDir, *, step: int, answer: str) -> None:
    """Put a measurement on record, as training does."""
    written = {"kind": "fact", "question": QUESTION, "expected": EXPECTED, "answer": answer}
    row = {
        "step": step,
        "digest": "d",
        "ranked": [True],
        "recalled": [True],
        "general": [],
        "losses": [],
    }
    append_json_line(run.evals, {**row, "generations": [written]})


def table(server: Loopback, run: RunDir) -> list[list[Any]]:
    """The rows of the table that the run's page shows; none before there is one."""
    shown = server.runs[wandb_id(run)].summary.get(ANSWERED, {"path": ""})
    file = f"{wandb_id(run)}/{shown['path']}"
    if file not in server.uploads:
        return []
    kept = json.loads(server.uploads[file])
    assert kept["columns"] == list(COLUMNS)
    rows: list[list[Any]] = kept["data"]
    return rows


def row(step: int, answer: str) -> list[Any]:
    return [step, QUESTION, "fact", EXPECTED, answer]


def test_generations_are_logged_during_training_without_secrets(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    measure(run, step=0, answer=f"I do not know. {SECRET}")
    with Loopback() as server:
        environment = {**server.environment(), "MY_ACCESS_TOKEN": SECRET}
        started = start(run, environment, wandb="auto", halt=5)
        started.wait_at_halt()
        base = row(0, "I do not know. (hidden)")
        wait_for_table(server, run, [base])
        measure(run, step=4, answer="With soap.")
        wait_for_table(server, run, [base, row(4, "With soap.")])
        started.go_on()
        assert started.wait().exit_code == 0
        assert server.steps(run) == list(range(1, STEPS + 1))
        assert SECRET.encode() not in b"\n".join([*server.bodies, *server.uploads.values()])
        assert (server.unknown, server.errors) == ([], [])
        run.append_event("attempt_finished", attempt=1, outcome="done")
        posts = server.runs[wandb_id(run)].posts
        assert "nothing new to upload" in sync(run, environment).out
        assert server.runs[wandb_id(run)].posts == posts


def wait_for_table(server: Loopback, run: RunDir, rows: list[list[Any]]) -> None:
    wait_for(lambda: wandb_id(run) in server.runs and table(server, run) == rows)


def test_offline_generations_are_sent_once_by_sync(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    record(run, attempt=1, steps=range(1, STEPS + 1))
    run.append_event("attempt_finished", attempt=1, outcome="done")
    measure(run, step=0, answer="I do not know.")
    measure(run, step=4, answer="With soap.")
    with Loopback() as server:
        first = sync(run, server.environment())
        assert first.exit_code == 0, first.err
        assert "10 uploaded now, 2 generations uploaded now, 1 alert sent now: http" in first.out
        expected = [row(0, "I do not know."), row(4, "With soap.")]
        assert table(server, run) == expected
        assert SyncState.read(run).answered
        assert "nothing new to upload" in sync(run, server.environment()).out
        measure(run, step=8, answer="With vinegar.")
        assert "up to step 10, 3 generations" in sync(run, server.environment()).out
        assert table(server, run) == [*expected, row(8, "With vinegar.")]
        set_tracking(run, "tracking.log_generations=false")
        assert "nothing new to upload" in sync(run, server.environment()).out
        assert ANSWERED not in server.runs[wandb_id(run)].summary


def test_generations_stay_local_with_log_generations_false(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="offline")
    set_tracking(run, "tracking.log_generations=false")
    record(run, attempt=1, steps=range(1, 3))
    measure(run, step=0, answer="I do not know.")
    with Loopback() as server:
        assert "2 uploaded now: http" in sync(run, server.environment()).out
        assert QUESTION.encode() not in b"\n".join([*server.bodies, *server.uploads.values()])


def test_an_unsendable_table_prints_one_line_and_training_continues(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", wandb="auto")
    measure(run, step=0, answer="I do not know.")
    with Loopback() as server:
        server.takes_files = False
        done = start(run, server.environment(), wandb="auto").wait()
        assert done.exit_code == 0, done.err
        assert done.out.count("W&B did not accept the generations") == 1
        assert server.steps(run) == list(range(1, STEPS + 1))
        server.takes_files = True
        assert "1 generations" in sync(run, server.environment()).out
        assert table(server, run) == [row(0, "I do not know.")]


def test_a_rejection_that_crashes_wandb_core_loses_nothing(tmp_path: Path) -> None:
    """wandb-core 0.31 crashes where a server makes no artifact."""
    run = make_run(tmp_path / "r", wandb="auto")
    measure(run, step=0, answer="I do not know.")
    with Loopback() as server:
        server.artifacts.refuses = True
        done = start(run, server.environment(), wandb="auto").wait()
        assert done.exit_code == 0, done.err
        assert "W&B upload stopped" in done.out
        server.artifacts.refuses = False
        # Rows may have arrived before wandb-core crashed.
        assert "1 generations uploaded now" in sync(run, server.environment()).out
        assert server.steps(run) == list(range(1, STEPS + 1))
        assert table(server, run) == [row(0, "I do not know.")]
