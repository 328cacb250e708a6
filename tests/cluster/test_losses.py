"""Contract 7: a run that loses a rank or a node resumes automatically while it makes progress."""

import os
import signal
import time
from pathlib import Path

import pytest

from ftdist.errors import CrashLoopError
from ftdist.rundir import RunDir
from tests.support.runs.tiny_runs import curve
from tests.support.slurm.cluster import Login, NodeProcess, SlurmLab, logged_in
from tests.support.slurm.queued_runs import (
    STEPS,
    committed,
    events,
    left_over,
    submit,
    wait_for_ends,
    wait_for_step,
)


def kill(rank: NodeProcess) -> None:
    os.kill(rank.pid, signal.SIGKILL)


def assert_went_on(run: RunDir) -> None:
    """The second attempt continued the first one, and no step was lost or repeated."""
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    first, second = (event["step"] for event in events(run, "training_started"))
    assert first == 0 < second
    assert len(curve(run)) == STEPS
    assert committed(run)[-1] == STEPS


@pytest.mark.fault("L4")
def test_a_killed_rank_ends_the_others_and_the_run_resumes(login: Login, ingredients: Path) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
    run = login.run("r")
    wait_for_step(login, run, 5)
    other = login.lab.ranks("node1")[0]
    kill(login.lab.ranks("node2")[0])
    killed = time.monotonic()
    ended = Path(f"/proc/{other.pid}")
    login.wait_until(lambda: not ended.exists(), what="an end of the other rank", timeout_s=60)
    assert time.monotonic() - killed < 30  # a collective would wait for half an hour
    login.wait_for_state(job, "COMPLETED")

    end = events(run, "attempt_finished")[0]
    assert end["rank"] == 1
    assert "node2" in end["cause"]
    assert "exited without an error report" in end["cause"]
    assert login.lab.starts(job) == ["REQUEUED", "COMPLETED"]
    assert_went_on(run)
    assert left_over(login) == []


@pytest.mark.fault("L9")
def test_three_starts_without_a_checkpoint_end_the_run(login: Login, ingredients: Path) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    for number in (1, 2, 3):
        login.wait_until(lambda: bool(login.lab.ranks("node2")), what=f"start {number}")
        kill(login.lab.ranks("node2")[0])
        wait_for_ends(login, run, number)
    login.wait_for_state(job, "FAILED")

    outcomes = [end["outcome"] for end in events(run, "attempt_finished")]
    assert outcomes == ["requeue", "requeue", "crash_loop"]
    assert login.lab.starts(job) == ["REQUEUED", "REQUEUED", "FAILED"]
    assert login.lab.exit_code(job) == CrashLoopError.exit_code
    assert committed(run) == []
    assert left_over(login) == []


@pytest.mark.fault("L8")
@pytest.mark.parametrize("lost", ["node1", "node2"])
def test_a_run_whose_node_is_powered_off_moves_to_the_spare_node(
    three_nodes: SlurmLab, tmp_path: Path, ingredients: Path, lost: str
) -> None:
    with logged_in(three_nodes, tmp_path) as login:
        job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
        run = login.run("r")
        wait_for_step(login, run, 5)
        three_nodes.kill_node(lost)
        login.wait_for_state(job, "COMPLETED", timeout_s=200)

        first, second = events(run, "attempt_started")
        assert first["hosts"] == ["node1", "node2"]
        assert sorted(second["hosts"]) == sorted({"node1", "node2", "node3"} - {lost})
        assert three_nodes.starts(job) == ["NODE_FAIL", "COMPLETED"]
        assert_went_on(run)
        three_nodes.revive_node(lost)
        assert left_over(login) == []
