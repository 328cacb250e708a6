"""Why ranks vanished, from the ends of their logs.

NCCL's watchdog, a thread of C++, prints what it found and aborts the process: there is no Python
exception, and no report of the rank.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.dist.gpu_faults import GpuFault, find_fault
from ftdist.errors import HangError
from ftdist.io.units import format_count
from ftdist_launch.rank_failures import RankFailure, failure_in_log
from ftdist_launch.rank_records import read_starts

TAIL_BYTES = 1 << 16
MAX_LOGS = 1024
"""Logs to read at most: of a run of more ranks, those of the first."""

MAX_NAMED = 4

_TIMEOUT = re.compile(
    r"Watchdog caught collective operation timeout: WorkNCCL\(SeqNum=(?P<number>\d+), "
    r"OpType=(?P<operation>\w+)(?:, NumelIn=(?P<elements>\d+))?[^)]*?Timeout\(ms\)=\d+\) "
    r"ran for (?P<ms>\d+) milliseconds"
)
"""As torch 2.2 to 2.13 write it."""


@dataclass(frozen=True, kw_only=True)
class CollectiveTimeout:
    """A collective that some rank did not join in time, as one that waited names it."""

    number: int
    """Counted from 1 in its process group."""

    operation: str
    elements: int | None
    seconds: float

    def __str__(self) -> str:
        """As a message names it."""
        size = "" if self.elements is None else f" of {format_count(self.elements, 'element')}"
        return f"{self.operation.strip('_')} number {self.number}{size}"


def find_timeout(text: str) -> CollectiveTimeout | None:
    """The first time-out that NCCL's watchdog reports in a text."""
    match = _TIMEOUT.search(text)
    if match is None:
        return None
    return CollectiveTimeout(
        number=int(match["number"]),
        operation=match["operation"],
        elements=None if match["elements"] is None else int(match["elements"]),
        seconds=int(match["ms"]) / 1000,
    )


def read_log_failures(
    folder: Path, codes: Sequence[int | None], *, log_of: Callable[[int], Path]
) -> list[RankFailure]:
    """Failures of ranks without an exit code, as the ends of their logs tell them.

    Args:
        folder: of the attempt.
        codes: exit codes by rank.
        log_of: the log of a rank.
    """
    starts = read_starts(folder)
    silent = [rank for rank, code in enumerate(codes) if code is None and rank in starts]
    tails = {
        rank: read_tail(log_of(rank), start=int(starts[rank].get("log_bytes", 0)))
        for rank in silent[:MAX_LOGS]
    }
    nodes = {rank: str(start.get("node", start.get("host", "?"))) for rank, start in starts.items()}
    failures = [
        _fault_failure(rank, *found, node=nodes[rank], log=log_of(rank))
        for rank, text in tails.items()
        if (found := find_fault(text)) is not None
    ]
    timeouts = {rank: timeout for rank, text in tails.items() if (timeout := find_timeout(text))}
    failures += [
        failure
        for rank, text in tails.items()
        if (failure := failure_in_log(rank, text, time=_modified(log_of(rank)))) is not None
    ]
    if timeouts:
        first = min(timeouts, key=lambda rank: _modified(log_of(rank)))
        is_complete = len(tails) == len(codes)
        absent = [rank for rank in nodes if rank not in timeouts]
        problem = _hang_problem(first, timeouts, nodes=nodes, complete=is_complete)
        remedy = (
            f"read where each rank was in {folder}/stacks-*.txt; raise cluster.step_timeout_s if a "
            "step can take so long. If it is always the same node, set cluster.exclude."
        )
        failures.append(
            RankFailure(
                rank=first,
                time=_modified(log_of(first)),
                problem=problem,
                remedy=remedy,
                exit_code=HangError.exit_code,
                traceback="",
                expected=True,
                host=nodes[absent[0]] if len(absent) == 1 and is_complete else None,
            )
        )
    return failures


def _fault_failure(rank: int, fault: GpuFault, line: str, *, node: str, log: Path) -> RankFailure:
    return RankFailure(
        rank=rank,
        time=_modified(log),
        problem=f"Rank {rank} on {node} {fault.problem}: {line[:300]}",
        remedy=fault.remedy,
        exit_code=fault.exit_code,
        traceback="",
        expected=True,
        host=node,
    )


def read_tail(log: Path, *, start: int = 0) -> str:
    """The last `TAIL_BYTES` of a log, without what is older than `start`; empty without a log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _hang_problem(
    first: int,
    timeouts: Mapping[int, CollectiveTimeout],
    *,
    nodes: Mapping[int, str],
    complete: bool,
) -> str:
    """Which collective timed out, and who did not join it as far as the logs of all tell."""
    timeout = timeouts[first]
    waited = (
        f"Rank {first} on {nodes[first]} waited {timeout.seconds:.0f} s for the collective "
        f"{timeout}, and NCCL ended it"
    )
    others = {
        (other.operation, other.number): rank
        for rank, other in timeouts.items()
        if (other.operation, other.number) != (timeout.operation, timeout.number)
    }
    if others:
        (operation, number), rank = min(others.items(), key=lambda item: item[1])
        return (
            f"{waited}; rank {rank} on {nodes[rank]} was in another one, "
            f"{operation.strip('_')} number {number}."
        )
    absent = [rank for rank in sorted(nodes) if rank not in timeouts]
    if not complete or not absent:
        return f"{waited}."
    named = ", ".join(f"rank {rank} on {nodes[rank]}" for rank in absent[:MAX_NAMED])
    more = f" and {len(absent) - MAX_NAMED} more" if len(absent) > MAX_NAMED else ""
    return f"{waited}: {named}{more} did not join it."


def _modified(log: Path) -> float:
    try:
        return log.stat().st_mtime
    except OSError:
        return 0.0
