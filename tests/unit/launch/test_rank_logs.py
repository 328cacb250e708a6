"""Ranks that NCCL's watchdog aborts leave a log only: it is read."""

from pathlib import Path

import pytest
from ftdist_launch.rank_logs import TAIL_BYTES, find_timeout, read_log_failures, read_tail
from ftdist_launch.rank_records import record_start

STACK = "frame #1: c10d::ProcessGroupNCCL::WorkNCCL::checkTimeout(...) + 0x2a7 (0x7f in x.so)\n"


def watchdog(rank: int, *, number: int = 1580, operation: str = "ALLREDUCE") -> str:
    work = (
        f"[Rank {rank}] Watchdog caught collective operation timeout: WorkNCCL(SeqNum={number}, "
        f"OpType={operation}, NumelIn=466119168, NumelOut=466119168, Timeout(ms)=600000) ran for "
        "600060 milliseconds before timing out.\n"
    )
    at = f"[rank{rank}]:[E321 02:07:08.408271257 ProcessGroupNCCL.cpp:607] "
    return (
        f"{at}{work}{at}[PG ID 0 PG GUID 0(default_pg) Rank {rank}]  failure detected by watchdog "
        f"at work sequence id: {number} PG status: last enqueued work: {number + 2}, last "
        f"completed work: {number - 1}\n{at}To avoid data inconsistency, we are taking the entire "
        f"process down.\nterminate called after throwing an instance of 'c10::DistBackendError'\n"
        f"  what():  [PG ID 0 PG GUID 0(default_pg) Rank {rank}] Process group watchdog thread "
        f"terminated with exception: {work}{STACK * 20}"
    )


class Attempt:
    """Ranks on nodes of two that vanished, with these logs."""

    def __init__(self, folder: Path, *texts: str) -> None:
        self.folder = folder
        self.codes = [None] * len(texts)
        for rank, text in enumerate(texts):
            record_start(folder, rank, node=f"node{rank // 2}", log_bytes=0)
            self.log(rank).write_text(f"2026-11-23T21:30:01.123Z step 12/120  loss 2.3\n{text}")

    def log(self, rank: int) -> Path:
        return self.folder / f"7_{rank}_log.out"

    def problems(self) -> list[tuple[int, str]]:
        failures = read_log_failures(self.folder, self.codes, log_of=self.log)
        return [(failure.exit_code, failure.problem) for failure in failures]


def test_a_time_out_names_the_collective_and_the_rank_that_did_not_join(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, watchdog(0), watchdog(1), watchdog(2), "")
    ((code, problem),) = attempt.problems()
    assert code == 76
    assert problem == (
        "Rank 0 on node0 waited 600 s for the collective ALLREDUCE number 1580 of 466,119,168 "
        "elements, and NCCL ended it: rank 3 on node1 did not join it."
    )


def test_ranks_in_different_collectives_are_named(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, watchdog(0), watchdog(1, operation="_ALLGATHER_BASE"))
    ((code, problem),) = attempt.problems()
    assert code == 76
    assert problem.endswith("; rank 1 on node0 was in another one, ALLGATHER_BASE number 1580.")


def test_nobody_is_blamed_where_all_waited(tmp_path: Path) -> None:
    ((_, problem),) = Attempt(tmp_path, watchdog(0), watchdog(1)).problems()
    assert problem.endswith("and NCCL ended it.")


def test_a_broken_gpu_is_found_behind_the_watchdog(tmp_path: Path) -> None:
    text = (
        "[rank1]:[E ProcessGroupNCCL.cpp:1895] Process group watchdog thread terminated with "
        "exception: CUDA error: uncorrectable ECC error encountered\n"
    )
    ((code, problem),) = Attempt(tmp_path, "", text + STACK).problems()
    assert code == 71
    assert problem.startswith("Rank 1 on node0 has a GPU with an uncorrectable memory error")


def test_what_an_earlier_attempt_wrote_into_the_same_log_is_not_read(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, watchdog(0))
    size = attempt.log(0).stat().st_size
    record_start(tmp_path, 0, node="node0", log_bytes=size)
    assert attempt.problems() == []


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * (3 * TAIL_BYTES) + "\nend\n")
    assert len(read_tail(log)) == TAIL_BYTES
    assert read_tail(log).endswith("\nend\n")
    assert read_tail(tmp_path / "none") == ""


@pytest.mark.parametrize(
    "text",
    [
        "WorkNCCL(SeqNum=96120, OpType=ALLREDUCE, Timeout(ms)=1800000) ran for 1800001",  # 2.0, 2.1
        "WorkNCCL(SeqNum=7, OpType=SCATTER, NumelIn=4, NumelOut=0, Timeout(ms)=1800000) ran for "
        "1800047",
    ],
)
def test_older_and_newer_forms_of_the_message(text: str) -> None:
    found = find_timeout(
        f"[Rank 5] Watchdog caught collective operation timeout: {text} milliseconds before"
    )
    assert found is not None
    assert found.seconds == pytest.approx(1800, abs=1)
