"""What ranks and the launcher record of an end, on a real disk without a byte left."""

from pathlib import Path

import pytest
from ftdist_launch.attempts import JobExit, finish_attempt, start_attempt
from ftdist_launch.rank_errors import report_failure
from ftdist_launch.rank_failures import first_failure, read_failures
from ftdist_launch.rank_logs import read_log_failures
from ftdist_launch.rank_records import read_exit_codes, record_exit, record_start
from ftdist_launch.rank_reserve import make_reserve, release_reserves
from ftdist_launch.restart_policy import decide

from ftdist.errors import StorageError, TransientStorageError
from ftdist.rundir import RunDir
from tests.support.runs.fake_runs import plan_of, some_config
from tests.support.small_disk import Kind, small_disk

FULL = StorageError("A checkpoint needs 9.6 MiB.", remedy="delete files.")


def end_with(error: BaseException, folder: Path, rank: int) -> int:
    """What `rank_process` does when the body of a rank fails."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        code = report_failure(caught, folder=folder, rank=rank)
    record_exit(folder, rank, code)
    return code


@pytest.mark.fault("M2")
@pytest.mark.parametrize("kind", ["bytes", "inodes"])
@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (FULL, 74, FULL.problem),
        (OSError(28, "No space left on device", "rows.bin"), 74, "rows.bin: No space left"),
        (RuntimeError("I/O error: (os error 28)"), 74, "No space left on device"),
        (RuntimeError("os error 122"), 74, "Disk quota exceeded"),
        (ValueError("row 7"), 70, "Rank {rank} failed: ValueError: row 7"),
    ],
    ids=["save", "write", "library", "quota", "bug"],
)
def test_cause_and_exit_code_of_each_rank_survive_a_full_disk(
    tmp_path: Path, kind: Kind, error: BaseException, code: int, cause: str
) -> None:
    with small_disk(tmp_path / "disk", kind, size="1m") as disk:
        make_reserve(disk.path, 2)
        for rank in (0, 1):
            record_start(disk.path, rank, time=1.0, host="n1", pid=rank)
        disk.fill()
        assert [end_with(error, disk.path, rank) for rank in (0, 1)] == [code, code]
        assert read_exit_codes(disk.path, 2) == (code, code)
        failures = read_failures(disk.path)
        assert sorted(failure.rank for failure in failures) == [0, 1]
        assert all(cause.format(rank=each.rank) in each.problem for each in failures)
        release_reserves(disk.path)  # which keeps the words
        assert read_exit_codes(disk.path, 2) == (code, code)
        assert len(list(disk.path.glob("*.reserve"))) == 1  # one file for the node


def test_a_node_without_last_words_gives_its_room_back(tmp_path: Path) -> None:
    make_reserve(tmp_path, 8)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [65536]
    release_reserves(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.fault("M2")
def test_the_log_tells_the_cause_where_no_record_could_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "0_log.out"
    with small_disk(tmp_path / "disk", "bytes", size="1m") as disk:
        record_start(disk.path, 0, time=1.0, host="n1", pid=7)
        disk.fill()  # without a reserve, as on a file system that refuses it
        assert report_failure(FULL, folder=disk.path, rank=0) == 74
        log.write_text(f"2026-12-01T11:06:18.479Z {capsys.readouterr().err}")
        assert read_exit_codes(disk.path, 1) == (None,)
        (failure,) = read_log_failures(disk.path, [None], log_of=lambda _: log)
    assert (failure.rank, failure.exit_code) == (0, 74)
    assert (failure.problem, failure.remedy) == (FULL.problem, FULL.remedy)


@pytest.mark.fault("M2")
def test_the_end_of_an_attempt_is_recorded_on_a_full_disk_and_no_other_attempt_begins(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", "bytes", size="1m") as disk:
        run, config = RunDir(disk.path / "r"), some_config()
        plan = plan_of(config, ranks=1)
        run.create(private=True)
        number = start_attempt(run, config, plan)
        folder = run.attempt(number)
        make_reserve(folder, 1)
        disk.fill()
        code = end_with(FULL, folder, 0)
        job_exit = JobExit(
            exit_codes=(code,), failure=first_failure(read_failures(folder)), out_of_memory=False
        )
        finished = finish_attempt(run, number, job_exit, stop_signal=None, limit=3)
        assert (finished.outcome, finished.exit_code) == ("failed", 74)
        (end,) = [e for e in run.read_events() if e["event"] == "attempt_finished"]
        assert end["cause"] == FULL.problem
        disk.empty()
        disk.fill()
        with pytest.raises(StorageError, match="No space left on device"):
            start_attempt(run, config, plan)
        assert run.newest_attempt() == 1


@pytest.mark.fault("C10")
def test_an_error_that_outlasted_the_retries_starts_the_run_again_and_ends_the_other_ranks(
    tmp_path: Path,
) -> None:
    away = TransientStorageError("Cannot read plan.json: Stale file handle.", remedy="wait.")
    code = end_with(away, tmp_path, 0)
    assert code == 74  # srun and the launcher take 75 for a rank that has saved
    failure = first_failure(read_failures(tmp_path))
    job_exit = JobExit(exit_codes=(code, None), failure=failure, out_of_memory=False)
    end = job_exit.as_attempt(stop_signal=None, progressed=False)
    for stalled, outcome in ((0, "requeue"), (1, "requeue"), (2, "crash_loop")):
        decision = decide(end, attempts_without_progress=stalled, max_attempts_without_progress=3)
        assert decision.outcome == outcome
