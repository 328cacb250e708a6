"""Contract 7: a stopped run saves once, exits in time, and resumes bit-identically."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ftdist.io.jsonl import read_json_lines
from ftdist.observe.metrics import read_metrics
from ftdist.rundir import RunDir
from ftdist.train.attempt_guard import CHECK_EVERY_S
from tests.support.slurm.cluster import SlurmLab
from tests.support.slurm.login import Login, logged_in
from tests.support.slurm.queued_runs import (
    STEPS,
    assert_equal,
    committed,
    events,
    left_over,
    standing_still,
    submit,
    wait_for_ends,
    wait_for_step,
    wait_for_stop,
)


def submit_urgent(login: Login) -> str:
    """A job of both nodes that preempts those of other partitions; its number."""
    script = login.folder / "urgent.sh"
    script.write_text("#!/bin/sh\nexit 0\n")
    asked = ("sbatch", "--parsable", "--partition=high", "--nodes=2", "--exclusive")
    return login.lab.client(*asked, f"--chdir={login.folder}", str(script)).strip()


@pytest.mark.slow
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
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.fault("L2")
def test_preempted_run_saves_once_within_its_grace_time_and_resumes_automatically(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    rank = login.lab.ranks("node1")[0]
    with standing_still(rank):
        urgent = submit_urgent(login)
        halt = wait_for_stop(login, run)
    login.wait_for_state(urgent, "COMPLETED", timeout_s=25)  # of 30 s grace
    login.wait_for_state(job, "COMPLETED")

    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert [event["step"] for event in events(run, "checkpoint_saved")] == [halt["step"], STEPS]
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.slow
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
    assert_equal(run, uninterrupted)
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
    login.wait_for_state(job, "COMPLETED")
    (halt,) = events(run, "training_stopped")
    assert committed(run) == [halt["step"]]
    login.wait_until(lambda: len(login.lab.starts(job)) == 1, what="accounts of the job")
    assert login.lab.exit_code(job) == 0
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


@pytest.mark.slow
@pytest.mark.fault("L2")
def test_signals_that_hail_on_a_save_neither_break_it_nor_start_another(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    ranks = [rank for node in login.lab.nodes for rank in login.lab.ranks(node)]
    while not events(run, "attempt_finished"):
        for rank in ranks:
            with suppress(ProcessLookupError):
                os.kill(rank.pid, signal.SIGTERM)
        time.sleep(0.02)
    login.wait_for_state(job, "COMPLETED")

    (halt,) = events(run, "training_stopped")
    assert halt["signal"] == "SIGTERM"
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert [event["step"] for event in events(run, "checkpoint_saved")] == [halt["step"], STEPS]
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.slow  # a cluster of its own
@pytest.mark.fault("L2")
def test_a_site_that_preempts_with_sigterm_alone_leaves_time_to_save(
    tmp_path: Path, ingredients: Path, uninterrupted: RunDir
) -> None:
    with SlurmLab.running(nodes=2, user_signal=0) as lab, logged_in(lab, tmp_path) as login:
        job = submit(login, ingredients, "r")
        run = login.run("r")
        wait_for_step(login, run, 5)
        rank = lab.ranks("node1")[0]
        with standing_still(rank):
            urgent = submit_urgent(login)
            halt = wait_for_stop(login, run)
        login.wait_for_state(urgent, "COMPLETED")
        login.wait_for_state(job, "COMPLETED")

        assert halt["signal"] == "SIGTERM"
        assert [event["step"] for event in events(run, "checkpoint_saved")] == [halt["step"], STEPS]
        assert_equal(run, uninterrupted)
        assert left_over(login) == []


@pytest.mark.slow
@pytest.mark.fault("L3")
def test_preemption_without_notice_repeats_no_more_than_one_save_interval(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    keys = ("checkpoint.every_steps=5", "cluster.partition=spot")
    job = submit(login, ingredients, "r", *keys)
    run = login.run("r")
    wait_for_step(login, run, 12)
    # SLURM would signal the ranks, which would save: here they have no time for it.
    for rank in [rank for node in login.lab.nodes for rank in login.lab.ranks(node)]:
        os.kill(rank.pid, signal.SIGKILL)
    urgent = submit_urgent(login)
    login.wait_for_state(urgent, "COMPLETED")
    login.wait_for_state(job, "COMPLETED")

    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    assert events(run, "training_stopped") == []
    first, second = (event["step"] for event in events(run, "training_started"))
    made = [row["step"] for row in read_json_lines(run.metrics) if row["attempt"] == 1]
    assert first == 0
    assert second % 5 == 0
    assert 0 <= max(made) - second <= 2 * 5  # the newest save may not be committed yet
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.slow
@pytest.mark.fault("L12")
def test_a_run_ended_by_scancel_saves_is_not_requeued_and_resumes_when_asked(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    login.lab.client("scancel", job)
    login.wait_for_state(job, "CANCELLED")
    halt = wait_for_stop(login, run)
    assert left_over(login) == []
    assert committed(run) == [halt["step"]]

    login("resume", "r")
    # On a slow machine SLURM kills the batch script too, and `ftdist resume` records its end.
    end = events(run, "attempt_finished")[0]
    assert (end["outcome"], end["cause"]) == ("stopped", "Its job was cancelled with `scancel`.")
    login.wait_for_state(login.job("r"), "COMPLETED")
    assert [start["step"] for start in events(run, "training_started")] == [0, halt["step"]]
    assert_equal(run, uninterrupted)


@pytest.mark.slow
@pytest.mark.fault("L12")
def test_a_stop_file_ends_a_queued_run_until_somebody_resumes_it(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    with standing_still(login.lab.ranks("node2")[0]):
        run.stop.touch()
        time.sleep(CHECK_EVERY_S)
    login.wait_for_state(job, "COMPLETED")
    (halt,) = events(run, "training_stopped")
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["stopped"]
    assert committed(run) == [halt["step"]]
    assert login.lab.starts(job) == ["COMPLETED"]
    assert left_over(login) == []

    login("resume", "r")
    assert not run.stop.exists()
    login.wait_for_state(login.job("r"), "COMPLETED")
    assert_equal(run, uninterrupted)


@pytest.mark.slow  # the second job waits for a minute
@pytest.mark.fault("L13")
def test_a_second_job_of_a_run_is_refused_where_it_is_asked_for_and_where_it_starts(
    login: Login, ingredients: Path
) -> None:
    keys = ("cluster.nodes=1", "cluster.tasks_per_node=2", "train.steps=100000")
    job = submit(login, ingredients, "r", *keys)
    run = login.run("r")
    wait_for_step(login, run, 2)
    refused = login("resume", "r", code=None)
    assert refused.returncode != 0
    assert job in refused.stderr
    # Past the login node: the same script once more, on the other node.
    script = run.jobs / "train" / f"{job}_submission.sh"
    login.lab.client("sbatch", "--parsable", f"--chdir={login.folder}", str(script))
    login.wait_until(lambda: bool(events(run, "start_refused")), what="a refusal of the second job")
    login("cancel", "r")
    login.wait_for_state(job, "COMPLETED")
    assert [start["job"] for start in events(run, "attempt_started")] == [job]
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["stopped"]
    assert left_over(login) == []
