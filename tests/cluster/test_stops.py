"""Contract 7: a stopped run saves once, exits in time, and resumes bit-identically."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftdist.errors import RequeueError
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.cluster import Login, SlurmLab, logged_in
from tests.support.slurm.queued_runs import (
    STEPS,
    committed,
    events,
    left_over,
    standing_still,
    submit,
    wait_for_ends,
    wait_for_step,
    wait_for_stop,
)


@pytest.fixture(scope="module")
def uninterrupted(
    slurm_lab: SlurmLab, ingredients: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunDir]:
    """An uninterrupted run."""
    with logged_in(slurm_lab, tmp_path_factory.mktemp("whole")) as login:
        job = submit(login, ingredients, "whole")
        login.wait_for_state(job, "COMPLETED")
        assert slurm_lab.exit_code(job) == 0
        assert left_over(login) == []
        yield login.run("whole")


def assert_same(run: RunDir, other: RunDir) -> None:
    """Every step's figures and the final state are equal, bit for bit."""
    assert len(curve(run)) == STEPS
    assert curve(run) == curve(other)
    assert state_hash(run, step=STEPS) == state_hash(other, step=STEPS)


@pytest.mark.fault("L1")
def test_requeue_near_the_time_limit_saves_once_and_ends_as_if_uninterrupted(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r", "cluster.signal_delay_s=60")
    run = login.run("r")
    wait_for_step(login, run, 5)
    rank = login.lab.ranks("node2")[0]
    # SLURM looks at time limits every 30 s; the run would end sooner.
    with standing_still(rank):
        login.lab.client("scontrol", "update", f"JobId={job}", "EndTime=now+80")
        halt = wait_for_stop(login, run)
        login.lab.client("scontrol", "update", f"JobId={job}", "TimeLimit=60")
    login.wait_for_state(job, "COMPLETED")

    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert halt["signal"] == "SIGUSR2"
    assert [event["step"] for event in events(run, "checkpoint_saved")] == [halt["step"], STEPS]
    assert login.lab.starts(job) == ["REQUEUED", "COMPLETED"]
    assert login.lab.exit_code(job) == 0
    assert_same(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.fault("L2")
def test_preempted_run_saves_once_within_its_grace_time_and_resumes_automatically(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    rank = login.lab.ranks("node1")[0]
    script = login.folder / "urgent.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    asked = ("sbatch", "--parsable", "--partition=high", "--nodes=2", "--exclusive")
    with standing_still(rank):
        urgent = login.lab.client(*asked, f"--chdir={login.folder}", str(script)).strip()
        halt = wait_for_stop(login, run)
    login.wait_for_state(urgent, "COMPLETED", timeout_s=25)  # of 30 s grace
    login.wait_for_state(job, "COMPLETED")

    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert [event["step"] for event in events(run, "checkpoint_saved")] == [halt["step"], STEPS]
    assert_same(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.fault("L3")
def test_run_requeued_by_hand_resumes_from_its_newest_checkpoint(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=5")
    run = login.run("r")
    wait_for_step(login, run, 12)
    newest = committed(run)[-1]
    login.lab.client("scontrol", "requeue", job)
    login.wait_for_state(job, "COMPLETED")

    assert login.lab.starts(job) == ["REQUEUED", "COMPLETED"]
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    first_start, second_start = events(run, "training_started")
    assert first_start["step"] == 0
    assert second_start["step"] >= newest >= 10
    assert_same(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.fault("L12", "C8")
def test_cancelled_run_saves_once_is_not_requeued_and_can_finish_on_one_node(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    login("cancel", "r")
    (end,) = wait_for_ends(login, run, 1)
    assert end["outcome"] == "stopped"
    login.wait_for_state(job, "FAILED", "CANCELLED", "COMPLETED")
    (halt,) = events(run, "training_stopped")
    assert committed(run) == [halt["step"]]
    login.wait_until(lambda: len(login.lab.starts(job)) == 1, what="accounts of the job")
    assert login.lab.exit_code(job) == RequeueError.exit_code
    assert left_over(login) == []

    login("resume", "r", "cluster.nodes=1")
    again = login.job("r")
    assert again != job
    login.wait_for_state(again, "COMPLETED")
    assert [start["world_size"] for start in events(run, "attempt_started")] == [2, 1]
    assert [event["step"] for event in events(run, "training_started")] == [0, halt["step"]]
    losses = [row["train/loss"] for row in read_metrics(run.metrics)]
    whole = [row["train/loss"] for row in read_metrics(uninterrupted.metrics)]
    assert losses == pytest.approx(whole, rel=1e-3)
    assert committed(run)[-1] == STEPS
