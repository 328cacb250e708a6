"""What an exception of a rank means, for the launcher and the user to read."""

import errno
import os
import re
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from ftdist.dist.gpu_faults import find_fault
from ftdist.errors import (
    DeviceError,
    FtdistError,
    GpuMemoryError,
    HangError,
    RequeueError,
    StorageError,
    TransientStorageError,
)
from ftdist.io.filesystem import storage_error
from ftdist.io.host import node_name
from ftdist.rundir import RunDir
from ftdist_launch.gpu_memory import describe_memory, is_out_of_memory, memory_remedy
from ftdist_launch.rank_failures import ECHO, RankFailure, log_line, rank_file, write_failure

_DISK_ERRORS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ESTALE, errno.EIO)
)

_FULL_DISK = re.compile(
    r"(?P<enospc>no space left on device|os error 28\b)|disk quota exceeded|os error 122\b",
    re.IGNORECASE,
)
"""Messages of libraries that raise no OSError, such as safetensors."""

HANG = re.compile(
    r"timed out waiting|watchdog caught collective operation timeout|before timing out"
    r"|application timeout caused pair closure|timed out in monitoredbarrier|wait timeout after"
    r"|timed out after \d+ ?(ms|milliseconds|seconds)",
    re.IGNORECASE,
)
"""Messages of gloo, NCCL and the rendezvous store when a live peer does not answer."""


def report_failure(error: BaseException, *, folder: Path, rank: int) -> int:
    """Report why this rank failed, and return its exit code.

    Args:
        error: that ended the rank; it is being handled.
        folder: of the attempt.
        rank: this one.
    """
    error = _as_storage_error(error, folder=folder) or error
    trace_file = rank_file(folder, rank, "traceback.txt")
    if not isinstance(error, FtdistError):
        with suppress(OSError):  # on a full disk, only the record has it
            trace_file.write_text(traceback.format_exc(), encoding="utf-8")
    failure = _describe(error, folder=folder, rank=rank, trace_file=trace_file)
    if failure.exit_code == RequeueError.exit_code:
        return failure.exit_code
    with suppress(OSError):
        sys.stderr.write(log_line(failure))
    write_failure(folder, failure)
    return failure.exit_code


def _as_storage_error(error: BaseException, *, folder: Path) -> StorageError | None:
    """The error of a disk, whichever library met it; None: it is another kind of error."""
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return storage_error(error, action="read or write", path=folder)
    full = None if isinstance(error, FtdistError) else _FULL_DISK.search(str(error))
    if full is None:
        return None
    number = errno.ENOSPC if full["enospc"] else errno.EDQUOT
    return storage_error(OSError(number, os.strerror(number)), action="write to", path=folder)


def _describe(error: BaseException, *, folder: Path, rank: int, trace_file: Path) -> RankFailure:
    message = " ".join(str(error).split())[:500]
    is_expected, used = True, None
    fault = find_fault(message) if isinstance(error, RuntimeError) else None
    if isinstance(error, FtdistError):
        exit_code, problem, remedy = error.exit_code, error.problem, error.remedy
        if isinstance(error, TransientStorageError):
            exit_code = StorageError.exit_code  # so that the launcher ends the other ranks
    elif is_out_of_memory(error) or (
        fault is not None and fault[0].exit_code == GpuMemoryError.exit_code
    ):
        used, run = _gpu_memory(), RunDir(folder.parents[1])
        details = describe_memory(run, message=message, used=used)
        exit_code = GpuMemoryError.exit_code
        problem = f"Rank {rank} on {node_name()} ran out of GPU memory: {details or message}."
        remedy = memory_remedy(run, message=message, used=used) or _SMALLER
    elif fault is not None and not ECHO.search(message):
        exit_code, remedy = fault[0].exit_code, fault[0].remedy
        is_expected = exit_code != FtdistError.exit_code
        problem = f"Rank {rank} on {node_name()} {fault[0].problem}: {message[:300]}"
    elif _is_hang(error):
        exit_code = HangError.exit_code
        problem = f"Rank {rank} timed out waiting for another rank: {message}"
        remedy = (
            f"read where each rank was in {folder}/stacks-*.txt; if a step can take so long, raise "
            "cluster.step_timeout_s."
        )
    else:
        exit_code, is_expected = FtdistError.exit_code, False
        problem = f"Rank {rank} failed: {type(error).__name__}: {message}"
        remedy = f"read {trace_file}; this may be a bug in ftdist."
        if ECHO.search(message):
            remedy = "nothing here; look at the rank that ended first."
    return RankFailure(
        rank=rank,
        time=time.time(),
        problem=problem,
        remedy=remedy,
        exit_code=exit_code,
        traceback=traceback.format_exc(),
        expected=is_expected,
        passing=isinstance(error, TransientStorageError),
        host=node_name() if exit_code == DeviceError.exit_code else None,
        gpu_memory=used,
    )


_SMALLER = (
    "lower batch.micro_batch_size, or set model.activation_checkpointing=true; `ftdist plan` shows "
    "memory use."
)


def _gpu_memory() -> dict[str, float] | None:
    """Memory of this rank's GPU, GiB; None if it used none, or the driver does not answer."""
    device: Any = sys.modules.get("ftdist.dist.device")  # it loads torch, which this does not
    if device is None:
        return None
    try:
        memory: dict[str, float] | None = device.gpu_memory()
        return memory
    except Exception:  # noqa: BLE001 - a GPU in this state may refuse anything
        return None


def _is_hang(error: BaseException) -> bool:
    """Whether a collective timed out, rather than lost a peer that had ended.

    By its message: torch raises RuntimeError, and torch is not loaded here.
    """
    message = str(error)
    is_timeout = bool(HANG.search(message)) and not ECHO.search(message)
    return isinstance(error, RuntimeError) and is_timeout
