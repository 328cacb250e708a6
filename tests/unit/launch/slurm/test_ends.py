"""Ends of jobs: stopped by a person, refused for another job, requeued while SLURM is away."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ftdist_launch.lock import claim_for_job
from ftdist_launch.lock_holder import read_holder_text
from ftdist_launch.setup.code_snapshot import take_snapshot
from ftdist_launch.slurm.batch_hooks import main
from ftdist_launch.status import read_status

from ftdist.config.saved_config import dump_config
from ftdist.io.jsonl import append_json_line
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import leave, plan_of, slurm_config

CANCELLED = "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-12-01T10:00:00 ***\n"

Command = Callable[[str, str], None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run whose first attempt runs as job 7."""
    run = RunDir(tmp_path / "r")
    run.create(private=True)
    run.config.write_text(dump_config(slurm_config()))
    run.plan.write_text(plan_of(slurm_config(), ranks=1).to_json())
    take_snapshot(run)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node1")
    monkeypatch.setenv("FTDIST_LOGS", str(tmp_path))
    monkeypatch.setenv("FTDIST_ATTEMPT", "1")
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUED_S", 0.0)
    # There is no model to plan again for the node's device.
    monkeypatch.setattr("ftdist_launch.slurm.batch_hooks.resolve_device", lambda _, config: config)
    run.append_event("run_requested", by="submit")
    return run


def begin(run: RunDir, stage: str = "train") -> int:
    return main(["begin", stage, str(run.root)])


def end(run: RunDir) -> int:
    return main(["end", "train", str(run.root)])


def events(run: RunDir, kind: str) -> list[dict[str, object]]:
    return [event for event in run.read_events() if event["event"] == kind]


def saved_and_stopped(run: RunDir) -> None:
    """The only rank has made 7 steps, and a checkpoint of none of them."""
    for step in range(1, 8):
        append_json_line(run.metrics, {"step": step, "attempt": 1, "time": 1.0 * step})
    leave(run.attempt(1), 0, 75)


@pytest.mark.fault("L12")
@pytest.mark.parametrize(
    ("by", "cause"),
    [
        ("cancel", "It was cancelled with `ftdist cancel`."),
        ("wandb", "It was stopped with W&B's stop button."),
        ("stop_file", "It was stopped by a file named `stop` in its directory."),
        ("scancel", "Its job was cancelled with `scancel`."),
    ],
)
def test_a_stop_by_a_person_ends_with_0_and_the_stages_after_it_do_not_run(
    run: RunDir, by: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert begin(run) == 0
    run.append_event("job_submitted", stage="export", job="8", after=["7"])
    run.append_event("job_submitted", stage="compare", job="9", after=["8"])
    saved_and_stopped(run)
    if by == "scancel":
        (run.root.parent / "7_0_log.out").write_text(CANCELLED)
    else:
        run.append_event("cancel_requested", by=by, now=False)
    assert end(run) == 0
    (finished,) = events(run, "attempt_finished")
    assert (finished["outcome"], finished["exit_code"]) == ("stopped", 0)
    assert (finished["cause"], finished["steps_lost"]) == (cause, 7)
    assert not run.lock.exists()
    capsys.readouterr()

    # SLURM starts them: the job before ended with 0.
    assert [begin(run, stage) for stage in ("export", "compare")] == [0, 0]
    output = capsys.readouterr()
    assert output.out == ""  # the script ends without ranks
    assert f"Stage export does not go on. {cause}" in output.err
    ends = events(run, "stage_finished")
    assert [(e["stage"], e["outcome"], e["cause"]) for e in ends] == [
        ("export", "stopped", cause),
        ("compare", "stopped", cause),
    ]
    assert read_status(run).state == "stopped"


@pytest.mark.fault("L13")
def test_a_second_job_of_a_run_is_refused_and_is_no_end_of_the_run(
    run: RunDir,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ftdist_launch.lock.JOB_WAIT_S", 0.0)
    assert begin(run) == 0
    command("squeue", 'echo "7|RUNNING|None|node1|N/A"')
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    assert begin(run) == 78
    assert "locked by job 7 on" in capsys.readouterr().err
    (refused,) = events(run, "start_refused")
    assert refused["job"] == "13"
    assert len(events(run, "attempt_started")) == 1
    assert read_status(run).state != "failed"

    monkeypatch.setenv("SLURM_JOB_ID", "7")
    leave(run.attempt(1), 0, 0)
    assert end(run) == 0
    assert not run.lock.exists()


@pytest.mark.fault("L11")
def test_a_cancellation_ends_the_tries_to_requeue(
    run: RunDir, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller comes back with a `scancel` that it got meanwhile."""
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUE_RETRIES_S", (0.0, 0.0, 0.0))
    log = run.root.parent / "7_0_log.out"
    assert begin(run) == 0
    saved_and_stopped(run)
    command("squeue", "exit 1")
    command(
        "scontrol", f'echo "$*" >> {run.root}/calls; printf "{CANCELLED[:-1]}\\n" >> {log}; exit 1'
    )
    assert end(run) == 0
    assert (run.root / "calls").read_text() == "requeue 7\n"
    assert events(run, "requeue_failed") == []
    assert [e["by"] for e in events(run, "cancel_requested")] == ["scancel"]
    assert not run.lock.exists()


@pytest.mark.fault("L11")
def test_a_controller_that_stays_away_leaves_a_run_that_says_how_to_go_on(
    run: RunDir, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftdist_launch.slurm.requeue.REQUEUE_RETRIES_S", (0.0, 0.0))
    assert begin(run) == 0
    saved_and_stopped(run)
    command("squeue", "exit 1")
    command("scontrol", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert end(run) == 75
    status = read_status(run)
    assert status.state == "stopped"
    assert "SLURM did not requeue its job: " in str(status.reason)
    assert not run.lock.exists()


@pytest.mark.fault("L9")
def test_a_run_that_was_given_up_does_not_start_again_by_slurms_requeue(run: RunDir) -> None:
    assert begin(run) == 0
    run.append_event("attempt_finished", attempt=1, outcome="crash_loop", progressed=False)
    assert begin(run) == 99
    assert len(events(run, "attempt_started")) == 1
    run.append_event("run_requested", by="resume")
    assert begin(run) == 0
    holder = read_holder_text(run.lock.read_text())
    assert holder is not None
    assert holder.job == "7"
    claim_for_job(run, "7", log=print)
