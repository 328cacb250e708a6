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

from ftdist.errors import ConfigError, FtdistError, HangError, RequeueError
from ftdist.io.jsonl import write_whole
from ftdist_launch.local.processes import ProcessId, exit_with
from ftdist_launch.local.submit import EXIT_WITH
from ftdist_launch.logs.timestamps import add_timestamps
from ftdist_launch.rank_failures import (
    ECHO,
    FAILED,
    RankFailure,
    exit_path,
    start_path,
    traceback_path,
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


@dataclass(kw_only=True)
class RankProcess:
    """This process within `rank_process`."""

    info: RankInfo
    exit_code: int = 0
    """With which the process will end, unless an error decides otherwise."""


@contextmanager
def rank_process(folder: Path) -> Iterator[RankProcess]:
    """Run the `with` block as one rank, and record in `folder` how it ended.

    Errors are reported, and end the process with the exit code of their class.

    Args:
        folder: of this attempt, made by the launcher.

    Raises:
        SystemExit: with the exit code, unless it is 0: then submitit records a success.
    """
    add_timestamps()
    info = read_rank_info()
    if on_slurm():
        _refuse_other_code()
    rank = RankProcess(info=info)
    _write_start(folder, info)
    with (folder / f"stacks-{info.rank:05d}.txt").open("w", encoding="utf-8") as stacks:
        faulthandler.enable(stacks, all_threads=True)
        faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
        # Before training listens there is nothing to save: a stop signal ends the rank at once.
        for number in STOP_SIGNALS:
            signal.signal(number, _stop_before_training)
        _exit_with_starter()
        with _reported_errors(folder, rank):
            yield rank
        _ignore_stop_signals()
        write_whole(exit_path(folder, info.rank), json.dumps({"exit_code": rank.exit_code}) + "\n")
        with suppress(ValueError):
            faulthandler.unregister(signal.SIGUSR1)
        faulthandler.disable()
    # srun takes any first code but 0 for a failure and kills the other ranks, which may be saving.
    if rank.exit_code and not (on_slurm() and rank.exit_code == RequeueError.exit_code):
        sys.exit(rank.exit_code)


def _write_start(folder: Path, info: RankInfo) -> None:
    own = ProcessId.current()
    start = {
        "time": time.time(),
        "host": socket.gethostname(),
        "pid": own.pid,
        "start_ticks": own.start_ticks,
        "cores": len(os.sched_getaffinity(0)),
    }
    write_whole(start_path(folder, info.rank), json.dumps(start) + "\n")


@contextmanager
def _reported_errors(folder: Path, rank: RankProcess) -> Iterator[None]:
    """Report what the `with` block raises, and set the exit code by it."""
    number = rank.info.rank
    try:
        yield
        return
    except SystemExit as exit_:
        rank.exit_code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        return
    except FtdistError as error:
        rank.exit_code = error.exit_code
        problem, remedy, expected = error.problem, error.remedy, True
        trace = traceback.format_exc()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the rank reports it and ends
        rank.exit_code = FtdistError.exit_code
        message = " ".join(str(error).split())[:500]
        problem, expected = f"Rank {number} failed: {type(error).__name__}: {message}", False
        path = traceback_path(folder, number)
        remedy = f"read {path}; this may be a bug in ftdist."
        if _is_hang(error):
            rank.exit_code, expected = HangError.exit_code, True
            problem = f"Rank {number} timed out waiting for another rank: {message}"
            remedy = (
                f"read where each rank was in {folder}/stacks-*.txt; if a step takes longer than "
                "cluster.collective_timeout_s, raise it."
            )
        elif ECHO.search(message):
            remedy = "nothing here; look at the rank that ended first."
        trace = traceback.format_exc()
        path.write_text(trace, encoding="utf-8")
    if rank.exit_code == RequeueError.exit_code:
        return
    sys.stderr.write(" ".join(f"{FAILED}{problem} To fix: {remedy}".split()) + "\n")
    write_failure(
        folder,
        RankFailure(
            rank=number,
            time=time.time(),
            problem=problem,
            remedy=remedy,
            exit_code=rank.exit_code,
            traceback=trace,
            expected=expected,
        ),
    )


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


def _exit_with_starter() -> None:
    """Exit together with the process that started this rank, if `EXIT_WITH` names it."""
    starter_id = os.environ.get(EXIT_WITH)
    if starter_id and not on_slurm():
        pid, start_ticks = map(int, starter_id.split())
        starter = ProcessId(pid=pid, start_ticks=start_ticks)
        exit_with(starter, exit_code=RequeueError.exit_code)
