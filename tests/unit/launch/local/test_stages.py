"""Stages of a run on a cluster: submitted once, preempted, cancelled, finished."""

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.logs.timestamps import split_timestamp
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.slurm.batch_hooks import main
from ftdist_launch.slurm.cancel import cancel
from ftdist_launch.slurm.client import Queue, SlurmError
from ftdist_launch.slurm.run_jobs import refuse_queued, refuse_second_job
from ftdist_launch.slurm.submit import submit
from ftdist_launch.status import read_status

from ftdist.config.saved_config import dump_config
from ftdist.errors import ConfigError
from ftdist.io.jsonl import append_json_line
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import leave, plan_of, slurm_config


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run whose library is being prepared, as job 7."""
    run = RunDir(tmp_path / "r")
    run.create(private=True)
    (run.attempts / "prepare").mkdir()
    run.config.write_text(dump_config(slurm_config()))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("FTDIST_LOGS", str(tmp_path))
    return run


def last_event(run: RunDir) -> dict[str, object]:
    return list(run.read_events())[-1]


def test_a_preempted_stage_is_requeued_a_limited_number_of_times(
    stage: RunDir, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    command("scontrol", f'echo "$*" >> {stage.root}/calls')
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUED_S", 0.0)
    leave(stage.attempts / "prepare", 0, 75)
    # srun saw no failure: a rank that was asked to end does so with 0.
    assert [main(["end", "prepare", str(stage.root), "0"]) for _ in range(3)] == [75] * 3
    assert (stage.root / "calls").read_text() == "requeue 7\n" * 2
    assert last_event(stage)["cause"] == "It was stopped too often."


def preempted_attempt(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempt 1 of job 7, whose only rank saved and ended on request."""
    monkeypatch.setenv("FTDIST_ATTEMPT", "1")
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUED_S", 0.0)
    run.attempt(1).mkdir()
    run.append_event(
        "attempt_started", attempt=1, job="7", world_size=1, checkpoint=None, host="n", steps=9
    )
    leave(run.attempt(1), 0, 75)


@pytest.mark.parametrize("breaks", ["drawing", "importing"])
def test_a_preempted_run_is_requeued_even_if_its_page_cannot_be_drawn(
    stage: RunDir,
    breaks: str,
    command: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command("scontrol", f'echo "$*" >> {stage.root}/calls')
    preempted_attempt(stage, monkeypatch)
    requeued_before = []

    def draw(run: RunDir) -> None:
        requeued_before.append((run.root / "calls").exists())
        "\udcff".encode()

    module = "ftdist.observe.training_page"
    if breaks == "drawing":
        monkeypatch.setattr(f"{module}.write_training_page", draw)
    else:
        monkeypatch.setitem(sys.modules, module, None)
    assert main(["end", "train", str(stage.root)]) == 75
    assert (stage.root / "calls").read_text() == "requeue 7\n"
    assert "stage_finished" not in [event["event"] for event in stage.read_events()]
    assert "curves of run r could not be drawn" in capsys.readouterr().err
    assert all(requeued_before)


def test_a_requeue_that_slurm_refuses_for_a_moment_is_tried_again(
    stage: RunDir, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stage.root / "calls"
    command("squeue", 'echo "7|RUNNING|None|node1|N/A"')
    command("scontrol", f'echo "$*" >> {calls}; [ "$(wc -l < {calls})" -gt 2 ]')
    preempted_attempt(stage, monkeypatch)
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUE_RETRIES_S", (0.0, 0.01))
    assert main(["end", "train", str(stage.root)]) == 75
    assert calls.read_text() == "requeue 7\n" * 3
    assert last_event(stage)["event"] == "attempt_finished"

    command("scontrol", f'echo "$*" >> {calls}; exit 1')
    assert main(["end", "train", str(stage.root)]) == 75
    assert calls.read_text() == "requeue 7\n" * 6
    assert last_event(stage)["event"] == "requeue_failed"
    assert read_status(stage).state == "stopped"
    assert "SLURM did not requeue its job" in str(read_status(stage).reason)


def test_a_cancelled_stage_is_stopped_rather_than_failed(stage: RunDir) -> None:
    stage.append_event("cancel_requested", by="cancel")
    assert main(["end", "prepare", str(stage.root), "137"]) == 0
    ended = last_event(stage)
    assert (ended["outcome"], ended["exit_code"]) == ("stopped", 0)
    assert ended["cause"] == "It was cancelled with `ftdist cancel`."


def test_a_stage_that_was_killed_has_failed(stage: RunDir) -> None:
    assert main(["end", "prepare", str(stage.root), "137"]) == 137
    assert "exited without an error report" in str(last_event(stage)["cause"])


def test_an_attempt_of_a_job_is_recorded_and_begins_with_a_timestamped_line(
    stage: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node[1-2]")
    take_snapshot(stage)
    stage.plan.write_text(plan_of(slurm_config(), ranks=2).to_json())
    stage.attempt(1).mkdir()
    started = {"attempt": 1, "job": "7", "world_size": 2, "checkpoint": None, "log_bytes": 0}
    stage.append_event("attempt_started", **started)
    stage.append_event("attempt_finished", attempt=1, outcome="requeue", progressed=True)
    assert main(["begin", "train", str(stage.root)]) == 0
    output = capsys.readouterr()
    assert output.out == "2\n"
    seconds, text = split_timestamp(output.err.rstrip("\n"))
    assert text == "Attempt 2 starts."
    event = last_event(stage)
    assert (event["attempt"], event["job"], event["hosts"]) == (2, "7", ["node1", "node2"])
    assert seconds is not None
    assert isinstance(event["time"], float)
    assert seconds >= int(event["time"] * 1000) / 1000


def test_an_attempt_without_a_recorded_end_is_judged_by_the_next_start(
    stage: RunDir, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node1")
    command("sacct", 'echo "7|NODE_FAIL"')
    take_snapshot(stage)
    stage.plan.write_text(plan_of(slurm_config(), ranks=2).to_json())
    stage.attempt(1).mkdir()
    started = {"attempt": 1, "job": "7", "world_size": 2, "checkpoint": None, "log_bytes": 0}
    started |= {"host": "node1", "steps": 3}
    stage.append_event("attempt_started", **started)
    (begun,) = [event["time"] for event in stage.read_events()]
    append_json_line(stage.metrics, {"step": 1, "attempt": 1, "time": begun + 0.001})
    time.sleep(0.01)
    assert main(["begin", "train", str(stage.root)]) == 0
    (end,) = [event for event in stage.read_events() if event["event"] == "attempt_finished"]
    assert (end["outcome"], end["cause"]) == (
        "requeue",
        "SLURM lost a node of the job and the ranks on it.",
    )
    assert read_status(stage).attempts[0].ended == begun + 0.001  # with its last step, not now


def test_a_queued_run_is_refused_locally_and_a_stage_is_submitted_once(
    stage: RunDir, command: Callable[[str, str], None]
) -> None:
    stage.append_event("job_submitted", stage="export", job="7")
    command("squeue", 'echo "7|RUNNING|None|node1|N/A"')
    with pytest.raises(ConfigError, match="has jobs in the queue of a cluster: 7"):
        refuse_queued(stage)
    with pytest.raises(ConfigError, match="already in the queue for stage export, as job 7"):
        refuse_second_job("export", stage, queue=Queue())
    refuse_second_job("compare", stage, queue=Queue())
    command("squeue", "exit 0")
    refuse_queued(stage)
    refuse_second_job("export", stage, queue=Queue())


def test_a_rejected_submission_leaves_existing_files_alone(
    tmp_path: Path, command: Callable[[str, str], None]
) -> None:
    command("srun", "exit 0")
    command("sbatch", "echo 'sbatch: error: job submit limit' >&2; exit 1")
    command("squeue", "exit 0")
    config = slurm_config("cluster.partition=main", f"run.root={tmp_path / 'runs'}")
    config = dataclasses.replace(
        config, run=dataclasses.replace(config.run, root=str(tmp_path / "runs"))
    )
    with pytest.raises(SlurmError, match="job submit limit"):
        submit([config], overrides=[[]], sweep=None, queue=Queue())
    assert not (tmp_path / "runs" / "r").exists()

    (tmp_path / "runs" / "r").mkdir()
    (tmp_path / "runs" / "r" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="Run r already exists in"):
        submit([config], overrides=[[]], sweep=None, queue=Queue())
    assert (tmp_path / "runs" / "r" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("events", "train", "export"),
    [
        ([], False, False),
        (["run_requested", "cancel_requested"], True, True),
        (["run_requested", "cancel_requested", "run_requested"], False, True),
        (["run_requested", "cancel_requested", "export"], True, False),
        (["export", "run_requested", "cancel_requested"], True, True),
    ],
)
def test_a_cancellation_holds_until_its_stage_is_requested_again(
    events: list[str], train: bool, export: bool, tmp_path: Path
) -> None:
    run = RunDir(tmp_path)
    for event in events:
        if event == "export":
            run.append_event("job_submitted", stage="export", job="7")
        else:
            run.append_event(event)
    assert run.was_cancelled("train") == train
    assert run.was_cancelled("export") == export


def test_a_run_whose_events_cannot_be_written_is_cancelled_anyway(
    stage: RunDir, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.append_event("job_submitted", stage="train", job="7")
    command("squeue", 'echo "7|RUNNING|None|node1|N/A"')
    command("scancel", f'echo "$*" > {stage.root}/calls')

    def full(self: RunDir, kind: str, **fields: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunDir, "append_event", full)
    messages = cancel(stage, now=False, queue=Queue())
    assert "No space left on device" in messages[0]
    assert (stage.root / "calls").read_text() == "7\n"
