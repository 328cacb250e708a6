"""Diagnose how an attempt on a cluster ended, from the files of its ranks and srun's messages."""

import dataclasses
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftdist_launch.attempts import OK_CODES, JobExit
from ftdist_launch.rank_failures import (
    RankFailure,
    exit_path,
    exited_silently,
    first_failure,
    read_failures,
    read_json,
    start_path,
)
from ftdist_launch.restart_policy import NO_EXIT_FILE

_TASKS_ENDED = re.compile(r"^srun: error: (\S+): tasks? ([\d,\- ]+): (.+)$")
_NODE_LOST = re.compile(r"^srun: error: Node failure on (\S+)|CANCELLED AT .* DUE TO NODE FAILURE")
_CANCELLED = re.compile(r"^slurmstepd\S*: error: \*\*\* JOB \d+ ON \S+ CANCELLED AT \S+ \*\*\*$")
"""If SLURM itself ends a job, its reason follows the time."""

_EXITED = re.compile(r"Exited with exit code|Terminated")


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
    exit_files = [read_json(exit_path(folder, rank)) for rank in range(ranks)]
    codes = tuple(None if each is None else int(each["exit_code"]) for each in exit_files)
    failures = read_failures(folder)
    out_of_memory = False
    if any(code not in OK_CODES for code in codes):
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
    for line in lines:
        if lost := _NODE_LOST.search(line):
            node = lost[1] or "a node"
            yield RankFailure(
                rank=-1,
                time=time.time(),
                problem=f"SLURM lost {node} and the ranks on it.",
                remedy="nothing: the run resumes when SLURM finds nodes for it.",
                exit_code=NO_EXIT_FILE,
                traceback="",
                expected=True,
            )
        exit_message = _TASKS_ENDED.match(line)
        if exit_message is None or _EXITED.search(exit_message[3]):
            continue
        rank = int(re.split(r"[,\- ]", exit_message[2])[0])
        no_memory = "out of memory" in exit_message[3].lower()
        failure = exited_silently(rank, time=time.time(), out_of_memory=no_memory, log=log)
        if not no_memory:
            where, cause = exit_message[1], exit_message[3].strip()
            problem = f"Rank {rank} on {where} exited without an error report: {cause}."
            failure = dataclasses.replace(failure, problem=problem)
        yield failure


def _unreported_failure(folder: Path, codes: Sequence[int | None], *, log: Path) -> RankFailure:
    silent = [rank for rank, code in enumerate(codes) if code is None]
    started = [rank for rank in silent if start_path(folder, rank).exists()]
    failure = exited_silently(
        (started or silent or [0])[0], time=time.time(), out_of_memory=False, log=log
    )
    if not started:
        return dataclasses.replace(
            failure,
            problem=f"{len(silent)} of {len(codes)} ranks never started.",
            remedy=f"read the end of {log}.",
        )
    return failure


def _lines(log: Path, start: int) -> Iterator[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(start)
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return
