"""Diagnose how an attempt on a cluster ended, from the files of its ranks and srun's messages."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftdist_launch.attempts import OK_CODES, JobExit
from ftdist_launch.hangs import hang_failures
from ftdist_launch.rank_failures import (
    RankFailure,
    exited_silently,
    first_failure,
    read_failures,
)
from ftdist_launch.rank_logs import read_log_failures
from ftdist_launch.rank_records import read_exit_codes, read_starts
from ftdist_launch.slurm.sbatch import job_label

_TASKS_ENDED = re.compile(r"^srun: error: (\S+): tasks? ([\d,\- ]+): (.+)$")
_NODE_LOST = re.compile(r"^srun: error: Node failure on (\S+)|CANCELLED AT .* DUE TO NODE FAILURE")
_CANCELLED = re.compile(r"^slurmstepd\S*: error: \*\*\* JOB \d+ ON \S+ CANCELLED AT \S+ \*\*\*$")
"""If SLURM itself ends a job, its reason follows the time."""

_ENDED_BY_SLURM = re.compile(r"CANCELLED AT \S+ DUE TO (?!NODE FAILURE)")
"""As for a time limit or a preemption: no node is at fault."""

_EXITED = re.compile(r"Exited with exit code|Terminated")


def rank0_log() -> Path:
    """The log of rank 0, to which the batch script and `srun` write too."""
    return Path(os.environ["FTDIST_LOGS"]) / f"{job_label()}_0_log.out"


def ended_by_hand(log: Path, log_start: int) -> bool:
    """Whether a user cancelled the job with `scancel`, rather than requeued it."""
    return any(_CANCELLED.match(line) for line in _lines(log, log_start))


def read_job_exit(folder: Path, *, ranks: int, log: Path, log_start: int) -> JobExit:
    """How an attempt ended, from the files of its ranks and the messages of `srun`.

    Args:
        folder: of the attempt.
        ranks: their number.
        log: of rank 0.
        log_start: bytes of it that are older than the attempt.
    """
    codes = read_exit_codes(folder, ranks)
    failures = read_failures(folder)
    out_of_memory = False
    if any(code not in OK_CODES for code in codes):
        failures += read_log_failures(folder, codes, log_of=lambda rank: _log_of(log, rank))
        failures += hang_failures(folder)
        reported = {failure.rank for failure in failures}
        for killed in _killed_ranks(_lines(log, log_start), log=log):
            out_of_memory |= "out of memory" in killed.problem
            if killed.rank not in reported:
                failures.append(killed)
                break
        if not failures:
            failures = [_unreported_failure(folder, codes, log=log)]
    return JobExit(exit_codes=codes, failure=first_failure(failures), out_of_memory=out_of_memory)


def _killed_ranks(lines: Iterator[str], *, log: Path) -> Iterator[RankFailure]:
    """Killed ranks and lost nodes, in the order in which `srun` reports them."""
    now, at_fault = time.time(), True
    for line in lines:
        at_fault = at_fault and not _ENDED_BY_SLURM.search(line)
        if lost := _NODE_LOST.search(line):
            yield exited_silently(
                -1,
                time=now,
                log=log,
                problem=f"SLURM lost {lost[1] or 'a node'} and the ranks on it.",
                remedy="nothing: the run resumes when SLURM finds nodes for it.",
                host=lost[1],
            )
        ended = _TASKS_ENDED.match(line)
        if ended is None or _EXITED.search(ended[3]):
            continue
        node, ranks, cause = ended.groups()
        rank = int(re.split(r"[,\- ]", ranks)[0])
        yield exited_silently(
            rank,
            time=now,
            log=log,
            out_of_memory="out of memory" in cause.lower(),
            problem=f"Rank {rank} on {node} exited without an error report: {cause.strip()}.",
            host=node if at_fault else None,
        )


def _unreported_failure(folder: Path, codes: Sequence[int | None], *, log: Path) -> RankFailure:
    silent = [rank for rank, code in enumerate(codes) if code is None]
    starts = read_starts(folder)
    started = [rank for rank in silent if rank in starts]
    if started:
        return exited_silently(started[0], time=time.time(), log=log)
    return exited_silently(
        0,
        time=time.time(),
        log=log,
        problem=f"{len(silent)} of {len(codes)} ranks never started.",
        remedy=f"read the end of {log}.",
    )


def _log_of(log: Path, rank: int) -> Path:
    """The log of another rank than 0; submitit puts the rank into the name."""
    return log.with_name(log.name.replace("_0_log", f"_{rank}_log"))


def _lines(log: Path, start: int) -> Iterator[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(start)
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return
