"""Contract 7: a run that loses a rank or a node resumes automatically while it makes progress."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from ftdist.checkpoint.manifest import read_manifest, verify_folder
from ftdist.checkpoint.store import CheckpointStore
from ftdist.errors import CrashLoopError
from ftdist.io.jsonl import read_json_lines
from ftdist.rundir import RunDir
from tests.support.slurm.cluster import SlurmLab
from tests.support.slurm.login import Login, logged_in
from tests.support.slurm.processes import NodeProcess
from tests.support.slurm.queued_runs import (
    assert_equal,
    committed,
    events,
    left_over,
    standing_still,
    submit,
    wait_for_ends,
    wait_for_step,
)


def kill(rank: NodeProcess) -> None:
    os.kill(rank.pid, signal.SIGKILL)


def assert_went_on(run: RunDir, uninterrupted: RunDir) -> None:
    """The second attempt continued the first one, and the run ended as if undisturbed."""
    assert [end["outcome"] for end in events(run, "attempt_finished")] == ["requeue", "done"]
    first, second = (event["step"] for event in events(run, "training_started"))
    assert first == 0 < second
    assert_equal(run, uninterrupted)


@pytest.mark.fault("L4")
def test_a_killed_rank_ends_the_others_and_the_run_resumes(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
    run = login.run("r")
    wait_for_step(login, run, 5)
    other = login.lab.ranks("node1")[0]
    kill(login.lab.ranks("node2")[0])
    killed = time.monotonic()
    ended = Path(f"/proc/{other.pid}")
    login.wait_until(lambda: not ended.exists(), what="an end of the other rank", timeout_s=60)
    assert time.monotonic() - killed < 10  # a collective would wait for half an hour
    login.wait_for_state(job, "COMPLETED")

    end = events(run, "attempt_finished")[0]
    assert end["rank"] == 1
    assert "node2" in end["cause"]
    assert "exited without an error report" in end["cause"]
    assert login.lab.starts(job) == ["REQUEUED", "COMPLETED"]
    assert_went_on(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.fault("L8")
@pytest.mark.parametrize("lost", ["node1", "node2"])
def test_a_run_whose_node_is_powered_off_moves_to_the_spare_node(
    three_nodes: SlurmLab, tmp_path: Path, ingredients: Path, uninterrupted: RunDir, lost: str
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
        assert_went_on(run, uninterrupted)
        three_nodes.revive_node(lost)
        assert left_over(login) == []


@pytest.mark.slow
@pytest.mark.fault("L8")
def test_a_run_outlives_a_short_absence_of_a_nodes_daemon(
    login: Login, ingredients: Path, uninterrupted: RunDir
) -> None:
    job = submit(login, ingredients, "r")
    run = login.run("r")
    wait_for_step(login, run, 5)
    login.lab.kill_slurmd("node2")
    time.sleep(3)
    login.lab.start_slurmd("node2")
    login.wait_for_state(job, "COMPLETED")
    assert login.lab.starts(job) == ["COMPLETED"]
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


@pytest.mark.slow
@pytest.mark.fault("L8")
def test_a_run_whose_nodes_daemon_stays_away_moves_and_the_rank_left_behind_writes_nothing(
    three_nodes: SlurmLab, tmp_path: Path, ingredients: Path, uninterrupted: RunDir
) -> None:
    with logged_in(three_nodes, tmp_path) as login:
        job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
        run = login.run("r")
        wait_for_step(login, run, 5)
        with standing_still(three_nodes.ranks("node2")[0]):
            three_nodes.kill_slurmd("node2")
            login.wait_until(lambda: len(events(run, "attempt_started")) == 2, what="a move")
        login.wait_for_state(job, "COMPLETED")

        assert "node2" not in events(run, "attempt_started")[1]["hosts"]
        assert_went_on(run, uninterrupted)
        assert_fenced(run)
        three_nodes.start_slurmd("node2")
        assert left_over(login) == []


@pytest.mark.slow
@pytest.mark.fault("L7")
@pytest.mark.parametrize("lost", ["node1", "node2"])
def test_a_node_cut_off_from_the_network_writes_nothing_once_the_run_has_moved(
    three_nodes: SlurmLab, tmp_path: Path, ingredients: Path, uninterrupted: RunDir, lost: str
) -> None:
    with logged_in(three_nodes, tmp_path) as login:
        job = submit(login, ingredients, "r", "checkpoint.every_steps=3")
        run = login.run("r")
        wait_for_step(login, run, 5)
        (isolated,) = three_nodes.ranks(lost)
        three_nodes.link_down(lost)
        moved = "an attempt on the other nodes"
        login.wait_until(lambda: len(events(run, "attempt_started")) == 2, what=moved)
        assert Path(f"/proc/{isolated.pid}").exists()  # it still waits for an answer
        login.wait_for_state(job, "COMPLETED")

        assert lost not in events(run, "attempt_started")[1]["hosts"]
        assert three_nodes.starts(job) == ["NODE_FAIL", "COMPLETED"]
        three_nodes.link_up(lost)
        gone = f"an end of the rank on {lost}"
        login.wait_until(lambda: not Path(f"/proc/{isolated.pid}").exists(), what=gone)
        assert_went_on(run, uninterrupted)
        assert_fenced(run)
        # SLURM ends the batch script of the old start when its node is back.
        login.wait_until(lambda: left_over(login) == [], what=f"an end of all on {lost}")


def assert_fenced(run: RunDir) -> None:
    """Nothing of the first attempt was written after the second one had begun."""
    began = events(run, "attempt_started")[1]["time"]
    rows = [row["time"] for row in read_json_lines(run.metrics) if row["attempt"] == 1]
    saves = [event["time"] for event in events(run, "checkpoint_saved") if event["attempt"] == 1]
    assert max([*rows, *saves]) < began
    assert [read_manifest(info.path).attempt for info in store(run).committed()] == [2, 2]
    assert not list(run.checkpoints.glob("*partial*"))


def store(run: RunDir) -> CheckpointStore:
    return CheckpointStore(run.checkpoints, keep=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.fault("C1")
@pytest.mark.parametrize("seed", [1, 2])
def test_ranks_killed_while_they_save_lose_no_step(
    login: Login, ingredients: Path, uninterrupted: RunDir, seed: int
) -> None:
    draw = random.Random(seed)
    job = submit(login, ingredients, "r", "checkpoint.every_steps=1")
    run = login.run("r")
    for number in range(1, 4):
        started = f"saves of attempt {number}"
        login.wait_until(lambda: saves_of(run, number) >= 2, what=started)  # noqa: B023
        saves = saves_of(run, number)
        while not list(run.checkpoints.glob("*partial*")) and saves_of(run, number) == saves:
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.1))
        kill(draw.choice([rank for node in ("node1", "node2") for rank in login.lab.ranks(node)]))
        wait_for_ends(login, run, number)
        for info in store(run).committed():
            verify_folder(info.path)
    login.wait_for_state(job, "COMPLETED")

    outcomes = [end["outcome"] for end in events(run, "attempt_finished")]
    assert outcomes == ["requeue"] * 3 + ["done"]
    steps = [event["step"] for event in events(run, "training_started")]
    assert steps == sorted(set(steps))
    assert_equal(run, uninterrupted)
    assert left_over(login) == []


def saves_of(run: RunDir, attempt: int) -> int:
    return sum(event["attempt"] == attempt for event in events(run, "checkpoint_saved"))
