"""How an attempt on a cluster ended is read from the files it left."""

from pathlib import Path

import pytest
from ftdist_launch.rank_failures import RankFailure, write_failure
from ftdist_launch.rank_records import record_start
from ftdist_launch.restart_policy import NO_EXIT_FILE
from ftdist_launch.slurm.exit_diagnosis import ended_by_hand, read_job_exit

from tests.support.runs.fake_runs import leave

CANCELLED = "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-12-01T10:00:00"


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
    record_start(attempt, 1)
    log = tmp_path / "log"
    log.write_text("srun: error: node9: task 0: Killed\nsrun: error: node2: task 1: Killed\n")
    start = log.read_text().index("srun: error: node2")
    job_exit = read_job_exit(attempt, ranks=2, log=log, log_start=start)
    assert job_exit.exit_codes == (70, None)
    assert job_exit.failure is not None
    assert job_exit.failure.problem == "Rank 1 on node2 exited without an error report: Killed."
    assert job_exit.failure.cause == NO_EXIT_FILE


def test_a_lost_node_is_the_cause(attempt: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("srun: error: Node failure on node2\nsrun: error: node1: task 0: Killed\n")
    job_exit = read_job_exit(attempt, ranks=2, log=log, log_start=0)
    assert job_exit.failure is not None
    assert job_exit.failure.problem == "SLURM lost node2 and the ranks on it."


def test_a_rank_that_ran_out_of_memory_is_reported(attempt: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("srun: error: node1: tasks 1,3: Out Of Memory\n")
    job_exit = read_job_exit(attempt, ranks=4, log=log, log_start=0)
    assert job_exit.out_of_memory
    assert job_exit.failure is not None
    assert job_exit.failure.rank == 1


def test_ranks_that_never_started_are_reported(attempt: Path, tmp_path: Path) -> None:
    job_exit = read_job_exit(attempt, ranks=2, log=tmp_path / "none", log_start=0)
    assert job_exit.failure is not None
    assert job_exit.failure.problem == "2 of 2 ranks never started."


def test_ranks_that_saved_and_ended_have_no_failure(attempt: Path, tmp_path: Path) -> None:
    leave(attempt, 0, 75)
    leave(attempt, 1, 75)
    job_exit = read_job_exit(attempt, ranks=2, log=tmp_path / "none", log_start=0)
    assert job_exit.failure is None
    assert job_exit.exit_codes == (75, 75)


def test_a_job_cancelled_by_hand_differs_from_a_preempted_one(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    message = "slurmstepd-node1: error: *** JOB 26 ON node1 CANCELLED AT 2026-11-23T22:58:34"
    log.write_text(f"{message} DUE TO PREEMPTION ***\n{message} DUE TO JOB REQUEUE ***\n")
    assert not ended_by_hand(log, 0)
    with log.open("a") as file:
        file.write(f"{message} ***\n")
    assert ended_by_hand(log, 0)
    assert not ended_by_hand(log, log.stat().st_size)


@pytest.mark.fault("L8", "L1", "L2")
@pytest.mark.parametrize(
    ("first_line", "host"),
    [
        ("srun: error: some other line", "node2"),
        (
            f"{CANCELLED} DUE TO TIME LIMIT ***",
            None,
        ),
        (
            f"{CANCELLED} DUE TO PREEMPTION ***",
            None,
        ),
    ],
)
def test_a_node_is_not_blamed_for_ranks_that_slurm_ended(
    attempt: Path, tmp_path: Path, first_line: str, host: str | None
) -> None:
    record_start(attempt, 1)
    log = tmp_path / "log"
    log.write_text(f"{first_line}\nsrun: error: node2: task 1: Killed\n")
    job_exit = read_job_exit(attempt, ranks=2, log=log, log_start=0)
    assert job_exit.failure is not None
    assert job_exit.failure.host == host
