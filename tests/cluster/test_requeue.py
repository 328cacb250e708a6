"""A job that has to be requeued: leftovers, a controller away, a local command beside it."""

import os
import signal
from pathlib import Path

import pytest
from ftdist_launch.status import read_status

from ftdist.errors import ConfigError, RequeueError
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve, state_hash
from tests.support.slurm.login import Login
from tests.support.slurm.queued_runs import (
    STEPS,
    committed,
    events,
    left_over,
    submit,
    wait_for_ends,
    wait_for_step,
    wait_for_stop,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LONG_S = 400.0
"""Longer than all tries to requeue, on a busy machine."""


def assert_same(run: RunDir, other: RunDir) -> None:
    """Every step's figures and the final state are equal, bit for bit."""
    assert len(curve(run)) == STEPS
    assert curve(run) == curve(other)
    assert state_hash(run, step=STEPS) == state_hash(other, step=STEPS)


def stop_ranks(login: Login) -> None:
    """Ask all ranks to save, as SLURM does near a time limit."""
    for node in login.lab.nodes:
        for rank in login.lab.ranks(node):
            os.kill(rank.pid, signal.SIGUSR2)


@pytest.mark.fault("L10")
def test_rank_0_killed_during_a_requeue_with_leftovers_of_earlier_ones(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=5")
    run = login.run("r")
    wait_for_step(login, run, 12)
    partial = run.checkpoints / "step-00000099.partial-1"
    (partial / "shards-000").mkdir(parents=True)
    (partial / "shards-000" / "rank-00000-of-00002.safetensors").write_bytes(b"torn")
    # What submitit leaves if it is killed while it saves: every later requeue would fail.
    leftovers = [
        run.jobs / "train" / f"{job}_submitted.pkl.save_tmp",
        run.jobs / "train" / f"{job}_submitted.save_tmp",
    ]
    for leftover in leftovers:
        leftover.write_bytes(b"torn")
    newest = committed(run)[-1]
    rank_0 = login.lab.ranks("node1")[0]
    login.lab.client("scontrol", "requeue", job)
    os.kill(rank_0.pid, signal.SIGKILL)
    login.wait_for_state(job, "COMPLETED", timeout_s=LONG_S)

    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert events(run, "training_started")[1]["step"] >= newest
    assert not partial.exists()
    assert_same(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.fault("L11")
def test_a_controller_that_comes_back_within_a_minute_requeues_the_job(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    login.lab.kill_controller()
    try:
        stop_ranks(login)
        halt = wait_for_stop(login, run)
        wait_for_ends(login, run, 1)
        assert committed(run) == [halt["step"]]  # safe before SLURM is asked
    finally:
        login.lab.start_controller()
    login.wait_for_state(job, "COMPLETED", timeout_s=LONG_S)
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert events(run, "requeue_failed") == []
    assert_same(run, uninterrupted)


@pytest.mark.fault("L11")
def test_a_controller_that_stays_away_leaves_a_checkpoint_and_the_code_of_a_requeue(
    login: Login, ingredients: Path
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    login.lab.kill_controller()
    try:
        stop_ranks(login)
        halt = wait_for_stop(login, run)
        login.wait_until(
            lambda: bool(events(run, "requeue_failed")),
            what="an end of the tries",
            timeout_s=LONG_S,
        )
    finally:
        login.lab.start_controller()
    login.wait_for_state(job, "FAILED", timeout_s=LONG_S)
    assert login.lab.exit_code(job) == RequeueError.exit_code
    assert committed(run) == [halt["step"]]
    status = login("status", "r").stdout
    assert "SLURM did not requeue its job" in status
    assert "Resume it with `ftdist resume r`" in status
    assert not run.lock.exists()

    login("resume", "r")
    login.wait_for_state(login.job("r"), "COMPLETED", timeout_s=LONG_S)
    assert [event["step"] for event in events(run, "training_started")] == [0, halt["step"]]


@pytest.mark.fault("L13")
def test_a_local_command_is_refused_while_a_job_trains_and_names_it(
    login: Login, ingredients: Path
) -> None:
    job = submit(
        login, ingredients, "r", "cluster.nodes=1", "train.steps=100000", "eval.loss_every_steps=0"
    )
    run = login.run("r")
    wait_for_step(login, run, 5)
    refused = login("resume", "r", "cluster.executor=local", code=ConfigError.exit_code)
    assert f"locked by job {job} on" in refused.stderr
    assert "RUNNING" in refused.stderr
    assert len(events(run, "attempt_started")) == 1
    assert read_status(run).state == "running"

    login("cancel", "r")
    login.wait_for_state(job, "COMPLETED")
    assert login.lab.exit_code(job) == 0
    (end,) = events(run, "attempt_finished")
    assert (end["outcome"], end["cause"]) == ("stopped", "It was cancelled with `ftdist cancel`.")
    assert not run.lock.exists()
