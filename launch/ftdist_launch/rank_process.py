"""One rank of a stage: signals, logs, and how it ended, for the launcher to read."""

import faulthandler
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from ftdist.errors import ConfigError, FtdistError, HangError, RequeueError
from ftdist.io.jsonl import write_whole
from ftdist_launch.local.processes import exit_with, started_s
from ftdist_launch.local.submit import EXIT_WITH, is_launcher_variable, visible_gpus
from ftdist_launch.logs.timestamps import add_timestamps
from ftdist_launch.rank_failures import (
    ECHO,
    FAILED,
    RankFailure,
    rank_file,
    write_failure,
)

HANG = re.compile(
    r"timed out waiting|watchdog caught collective operation timeout|before timing out"
    r"|application timeout caused pair closure|timed out in monitoredbarrier|wait timeout after"
    r"|timed out after \d+ ?(ms|milliseconds|seconds)",
    re.IGNORECASE,
)
"""Messages of gloo, NCCL and the rendezvous store when a live peer does not answer."""


STOP_SIGNALS = (signal.SIGUSR2, signal.SIGTERM)
"""Signals that ask a rank to stop."""


@dataclass(frozen=True, kw_only=True)
class RankInfo:
    """This process's rank, from submitit's environment."""

    rank: int
    size: int
    local_rank: int
    local_size: int


@contextmanager
def rank_process(folder: Path) -> Iterator[RankInfo]:
    """Run the `with` block as one rank, and record in `folder` how it ended.

    Errors are reported, and end the process with the exit code of their class; `sys.exit` in the
    block ends it with another one.

    Args:
        folder: of this attempt, made by the launcher.

    Raises:
        SystemExit: with the exit code, unless it is 0: then submitit records a success.
    """
    add_timestamps()
    for name in filter(is_launcher_variable, list(os.environ)):
        del os.environ[name]
    info = read_rank_info()
    if on_slurm():
        _refuse_other_code()
    if not visible_gpus():  # else DeepSpeed searches for an accelerator, and warns
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    _write_json(rank_file(folder, info.rank, "start.json"), _start())
    with (folder / f"stacks-{info.rank:05d}.txt").open("w", encoding="utf-8") as stacks:
        faulthandler.enable(stacks, all_threads=True)
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
        # Before training listens there is nothing to save: a stop signal ends the rank at once.
        for number in STOP_SIGNALS:
            signal.signal(number, _stop_before_training)
        if EXIT_WITH in os.environ:
            exit_with(int(os.environ[EXIT_WITH]), exit_code=RequeueError.exit_code)
        exit_code = 0
        try:
            yield info
        except SystemExit as exit_:
            exit_code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the rank reports it and ends
            exit_code = _report(error, folder=folder, rank=info.rank)
        _ignore_stop_signals()
        _write_json(rank_file(folder, info.rank, "exit.json"), {"exit_code": exit_code})
        with suppress(ValueError):
            faulthandler.unregister(signal.SIGUSR1)
        faulthandler.disable()
    # srun takes any first code but 0 for a failure and kills the other ranks, which may be saving.
    if exit_code and not (on_slurm() and exit_code == RequeueError.exit_code):
        sys.exit(exit_code)


def _start() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "time": time.time(),
        "host": socket.gethostname(),
        "pid": process.pid,
        "started_s": started_s(process),
        "cores": len(os.sched_getaffinity(0)),
    }


def _write_json(path: Path, fields: dict[str, Any]) -> None:
    write_whole(path, json.dumps(fields) + "\n")


def _report(error: BaseException, *, folder: Path, rank: int) -> int:
    """Report why this rank failed, and return its exit code."""
    message = " ".join(str(error).split())[:500]
    trace, is_expected = traceback.format_exc(), True
    path = rank_file(folder, rank, "traceback.txt")
    if isinstance(error, FtdistError):
        exit_code, problem, remedy = error.exit_code, error.problem, error.remedy
    elif _is_hang(error):
        exit_code = HangError.exit_code
        problem = f"Rank {rank} timed out waiting for another rank: {message}"
        remedy = (
            f"read where each rank was in {folder}/stacks-*.txt; if a step takes longer than "
            "cluster.collective_timeout_s, raise it."
        )
    else:
        exit_code, is_expected = FtdistError.exit_code, False
        problem = f"Rank {rank} failed: {type(error).__name__}: {message}"
        remedy = f"read {path}; this may be a bug in ftdist."
        if ECHO.search(message):
            remedy = "nothing here; look at the rank that ended first."
    if not isinstance(error, FtdistError):
        path.write_text(trace, encoding="utf-8")
    if exit_code == RequeueError.exit_code:
        return exit_code
    sys.stderr.write(" ".join(f"{FAILED}{problem} To fix: {remedy}".split()) + "\n")
    write_failure(
        folder,
        RankFailure(
            rank=rank,
            time=time.time(),
            problem=problem,
            remedy=remedy,
            exit_code=exit_code,
            traceback=trace,
            expected=is_expected,
        ),
    )
    return exit_code


def _is_hang(error: BaseException) -> bool:
    """Whether a collective timed out, rather than lost a peer that had ended.

    By its message: torch raises RuntimeError, and torch is not loaded here.
    """
    message = str(error)
    is_timeout = bool(HANG.search(message)) and not ECHO.search(message)
    return isinstance(error, RuntimeError) and is_timeout


def read_rank_info() -> RankInfo:
    """This process's rank; the only reader of submitit's environment."""
    import submitit

    job = submitit.JobEnvironment()
    return RankInfo(
        rank=job.global_rank,
        size=job.num_tasks,
        local_rank=job.local_rank,
        local_size=job.num_tasks // job.num_nodes,
    )


def on_slurm() -> bool:
    """Whether SLURM started this process as a rank."""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _refuse_other_code() -> None:
    """Refuse to run code from outside the job's run directory."""
    code = Path(os.environ["FTDIST_RUN"]).resolve() / "code"
    if not Path(__file__).resolve().is_relative_to(code):
        sys.stderr.write(f"{FAILED}This job runs {__file__}, which is not the code in {code}.\n")
        sys.exit(ConfigError.exit_code)


def _stop_before_training(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _ignore_stop_signals()
    raise SystemExit(RequeueError.exit_code)


def _ignore_stop_signals() -> None:
    """The rank is ending: another signal would interrupt the interpreter's shutdown."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
