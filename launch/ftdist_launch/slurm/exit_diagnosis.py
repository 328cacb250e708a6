"""How an attempt in a cluster ended, from what its ranks and SLURM left behind. Pure reading."""

import dataclasses
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftdist_launch.attempts import CALM_CODES, JobExit
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
"""Where SLURM ends a job for a reason of its own, the reason follows the time."""

_OF_ITSELF = re.compile(r"Exited with exit code|Terminated")


def ended_by_hand(log: Path, log_start: int) -> bool:
    """Whether somebody ended the job by SLURM's own means, and not to have it start again."""
    return any(_CANCELLED.match(line) for line in _lines(log, log_start))


def read_ended(folder: Path, *, ranks: int, log: Path, log_start: int) -> JobExit:
    """How an attempt ended, from what its ranks left behind and what `srun` said.

    Args:
        folder: of the attempt.
        ranks: that were to be started.
        log: of rank 0.
        log_start: bytes of it that are older than the attempt.
    """
    left = [read_json(exit_path(folder, rank)) for rank in range(ranks)]
    codes = tuple(None if each is None else int(each["exit_code"]) for each in left)
    failures = read_failures(folder)
    out_of_memory = False
    if any(code not in CALM_CODES for code in codes):
        said = {failure.rank for failure in failures}
        for found in _killed(_lines(log, log_start), log=log):
            out_of_memory |= "out of memory" in found.problem
            if found.rank not in said:
                failures.append(found)
                break
        if not failures:
            failures = [_nobody_said(folder, codes, log=log)]
    return JobExit(exit_codes=codes, failure=first_failure(failures), out_of_memory=out_of_memory)


def _killed(lines: Iterator[str], *, log: Path) -> Iterator[RankFailure]:
    """Ranks that `srun` says were killed, and nodes that were lost, the first one first."""
    for line in lines:
        if lost := _NODE_LOST.search(line):
            node = lost[1] or "a node"
            yield RankFailure(
                rank=-1,
                time=time.time(),
                problem=f"SLURM lost {node}, and its ranks with it.",
                remedy="nothing: the run goes on where SLURM finds nodes for it.",
                exit_code=NO_EXIT_FILE,
                traceback="",
                expected=True,
            )
        ended = _TASKS_ENDED.match(line)
        if ended is None or _OF_ITSELF.search(ended[3]):
            continue
        rank = int(re.split(r"[,\- ]", ended[2])[0])
        no_memory = "out of memory" in ended[3].lower()
        failure = exited_silently(rank, time=time.time(), out_of_memory=no_memory, log=log)
        if not no_memory:
            problem = f"Rank {rank} on {ended[1]} ended without a word: {ended[3].strip()}."
            failure = dataclasses.replace(failure, problem=problem)
        yield failure


def _nobody_said(folder: Path, codes: Sequence[int | None], *, log: Path) -> RankFailure:
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
