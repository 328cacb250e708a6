"""What an attempt on a cluster leaves behind says how it ended."""

from pathlib import Path

import pytest
from ftdist_launch.rank_failures import RankFailure, start_path, write_failure
from ftdist_launch.restart_policy import NO_EXIT_FILE
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, read_ended

from tests.support.fake_runs import leave


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt"
    folder.mkdir()
    return folder


def failure(rank: int, problem: str, *, time: float = 1.0) -> RankFailure:
    return RankFailure(
        rank=rank,
        time=time,
        problem=problem,
        remedy="Mend it.",
        exit_code=70,
        traceback="",
        expected=False,
    )


def test_a_killed_rank_is_the_cause_and_not_those_that_lost_it(
    attempt: Path, tmp_path: Path
) -> None:
    leave(attempt, 0, 70)
    write_failure(attempt, failure(0, "Rank 0 failed: RuntimeError: Connection closed by peer"))
    start_path(attempt, 1).write_text("{}")
    log = tmp_path / "log"
    log.write_text("srun: error: node9: task 0: Killed\nsrun: error: node2: task 1: Killed\n")
    start = log.read_text().index("srun: error: node2")
    ended = read_ended(attempt, ranks=2, log=log, log_start=start)
    assert ended.exit_codes == (70, None)
    assert ended.failure is not None
    assert ended.failure.problem == "Rank 1 on node2 ended without a word: Killed."
    assert ended.failure.cause == NO_EXIT_FILE


def test_a_lost_node_is_the_cause(attempt: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("srun: error: Node failure on node2\nsrun: error: node1: task 0: Killed\n")
    ended = read_ended(attempt, ranks=2, log=log, log_start=0)
    assert ended.failure is not None
    assert ended.failure.problem == "SLURM lost node2, and its ranks with it."


def test_a_rank_without_memory_is_told_so(attempt: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("srun: error: node1: tasks 1,3: Out Of Memory\n")
    ended = read_ended(attempt, ranks=4, log=log, log_start=0)
    assert ended.out_of_memory
    assert ended.failure is not None
    assert ended.failure.rank == 1


def test_ranks_that_never_started_are_told_so(attempt: Path, tmp_path: Path) -> None:
    ended = read_ended(attempt, ranks=2, log=tmp_path / "none", log_start=0)
    assert ended.failure is not None
    assert ended.failure.problem == "2 of 2 ranks never started."


def test_ranks_that_saved_and_ended_have_no_failure(attempt: Path, tmp_path: Path) -> None:
    leave(attempt, 0, 75)
    leave(attempt, 1, 75)
    ended = read_ended(attempt, ranks=2, log=tmp_path / "none", log_start=0)
    assert ended.failure is None
    assert ended.exit_codes == (75, 75)


def test_a_job_that_somebody_ended_by_hand_is_told_from_one_that_slurm_made_way_with(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    said = "slurmstepd-node1: error: *** JOB 26 ON node1 CANCELLED AT 2026-11-23T22:58:34"
    log.write_text(f"{said} DUE TO PREEMPTION ***\n{said} DUE TO JOB REQUEUE ***\n")
    assert not ended_by_hand(log, 0)
    with log.open("a") as file:
        file.write(f"{said} ***\n")
    assert ended_by_hand(log, 0)
    assert not ended_by_hand(log, log.stat().st_size)
