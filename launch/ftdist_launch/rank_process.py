"""One rank of a stage: signals, logs, and how it ended, for the launcher to read."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from ftdist.dist.phases import SharedProgress
from ftdist.dist.visible_gpus import (
    NUM_NAMED,
    VISIBLE,
    own_instance,
    set_gpu_defaults,
    visible_gpus,
)
from ftdist.errors import ConfigError, RequeueError
from ftdist.io.host import node_name
from ftdist.io.private_dir import private_dir
from ftdist.io.retry import wait_for
from ftdist.io.room import free_room
from ftdist_launch.local.processes import exit_with, started_s
from ftdist_launch.local.submit import EXIT_WITH, GPUS, NODE_CACHE, is_launcher_variable
from ftdist_launch.logs.timestamps import add_timestamps
from ftdist_launch.rank_errors import report_failure
from ftdist_launch.rank_failures import FAILED
from ftdist_launch.rank_records import record_exit, record_start
from ftdist_launch.rank_reserve import make_reserve
from ftdist_launch.watchdog import start_watchdog

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
def rank_process(folder: Path, progress: SharedProgress | None = None) -> Iterator[RankInfo]:
    """Run the `with` block as one rank, and record in `folder` how it ended.

    Errors are reported, and end the process with the exit code of their class; `sys.exit` in the
    block ends it with another one.

    Args:
        folder: of this attempt, made by the launcher.
        progress: what the rank reports its progress to; None: it may take forever.

    Raises:
        SystemExit: with the exit code, unless it is 0: then submitit records a success.
    """
    add_timestamps()
    for name in filter(is_launcher_variable, list(os.environ)):
        del os.environ[name]
    info = read_rank_info()
    _choose_gpus(info.local_rank)
    if NODE_CACHE in os.environ:
        _use_node_cache(Path(os.environ[NODE_CACHE]))
    if on_slurm():
        _refuse_other_code()
    watchdog = start_watchdog(folder, info.rank, progress or SharedProgress())
    # Before training listens there is nothing to save: a stop signal ends the rank at once.
    for number in STOP_SIGNALS:
        signal.signal(number, _stop_before_training)
    if EXIT_WITH in os.environ:
        exit_with(int(os.environ[EXIT_WITH]), exit_code=RequeueError.exit_code)
    exit_code = 0
    try:
        _begin(wait_for(folder), info, watchdog=watchdog)
        yield info
    except SystemExit as exit_:
        exit_code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the rank reports it and ends
        _ignore_stop_signals()  # another rank's end brings one
        exit_code = report_failure(error, folder=folder, rank=info.rank)
    _ignore_stop_signals()
    record_exit(folder, info.rank, exit_code)
    if exit_code == 0 and not _has_room(folder):
        sys.exit(0)  # else submitit writes its result, and fails with a traceback
    # srun takes any first code but 0 for a failure and kills the other ranks, which may be saving.
    if exit_code and not (on_slurm() and exit_code == RequeueError.exit_code):
        sys.exit(exit_code)


def _has_room(folder: Path) -> bool:
    try:
        room = free_room(folder)
    except OSError:
        return False
    return room.gib > 0 and room.files != 0


def _choose_gpus(local_rank: int) -> None:
    """Set the environment of torch's GPUs, before torch is loaded."""
    if GPUS in os.environ:
        os.environ[VISIBLE] = os.environ[GPUS]
    names = visible_gpus()
    own = own_instance(names, local_rank=local_rank)
    if own is not None:
        os.environ |= {VISIBLE: own, NUM_NAMED: str(len(names))}
    if names:
        set_gpu_defaults()
    else:  # else DeepSpeed searches for an accelerator, and warns
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def _use_node_cache(place: Path) -> None:
    """Have torch and triton share compiled code with the other ranks of the node.

    Nodes do not wait for each other's locks. Torch loads whatever is in these folders.
    """
    usual = place / f"ftdist-{os.getuid()}"
    cache = private_dir(usual)
    if cache != usual:
        sys.stderr.write(f"Warning: others may change {usual}; kernels are built in {cache}.\n")
    os.environ |= {
        "TORCH_EXTENSIONS_DIR": str(cache / "torch-extensions"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
    }


def _begin(folder: Path, info: RankInfo, *, watchdog: int | None) -> None:
    if info.local_rank == 0:
        make_reserve(folder, info.local_size)
    record_start(folder, info.rank, **_start(), watchdog=watchdog)


def _start() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "time": time.time(),
        "host": socket.gethostname(),
        "node": node_name(),
        # Attempts of one job append to the same log: this one begins here.
        "log_bytes": os.fstat(sys.__stdout__.fileno()).st_size if sys.__stdout__ else 0,
        "pid": process.pid,
        "started_s": started_s(process),
        "cores": len(os.sched_getaffinity(0)),
    }


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
