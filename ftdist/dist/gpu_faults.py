"""What messages of CUDA and NCCL mean: one table, for exceptions and for the ends of logs."""

import re
from dataclasses import dataclass

from ftdist.errors import (
    ConfigError,
    DeviceError,
    FtdistError,
    GpuMemoryError,
    HangError,
)


@dataclass(frozen=True, kw_only=True)
class GpuFault:
    """One kind of failure."""

    pattern: str
    """Of the message, whatever its case."""

    problem: str
    """What happened; the name of the rank and its node stand before it."""

    remedy: str
    exit_code: int
    """Says whether the run is repeated, and where (`ftdist_launch.restart_policy`)."""


_ELSEWHERE = (
    "nothing on a cluster: the run continues without this node. Report the node; its GPU needs a "
    "reset, or a repair if it fails again (see `nvidia-smi -q` and `dmesg` there)."
)

FAULTS: tuple[GpuFault, ...] = (
    GpuFault(
        pattern=r"uncorrectable (ECC|NVLink) error|ECC_UNCORRECTABLE|row remapping",
        problem="has a GPU with an uncorrectable memory error (ECC)",
        remedy=_ELSEWHERE,
        exit_code=DeviceError.exit_code,
    ),
    GpuFault(
        pattern=r"fallen off the bus|(GPU|device) is lost|CUDA error: device.{0,20} unavailable"
        r"|CUDA-capable device\(s\) is/are busy or unavailable",
        problem="lost its GPU",
        remedy=_ELSEWHERE,
        exit_code=DeviceError.exit_code,
    ),
    GpuFault(
        pattern=r"no CUDA-capable device|no CUDA GPUs are available|No GPUs? (was )?found"
        r"|system not yet initialized|no NVIDIA driver on your system",
        problem="finds no GPU that works",
        remedy=_ELSEWHERE,
        exit_code=DeviceError.exit_code,
    ),
    GpuFault(
        pattern=r"(CUDA|HIP) out of memory|(CUDA|HIP) error: out of memory"
        r"|CU(BLAS|DNN|SOLVER)_STATUS_ALLOC_FAILED|cuda failure \d* ?'?out of memory",
        problem="ran out of GPU memory",
        remedy="lower batch.micro_batch_size, or set model.activation_checkpointing=full; `ftdist "
        "plan` shows memory use.",
        exit_code=GpuMemoryError.exit_code,
    ),
    GpuFault(
        pattern=r"device-side assert",
        problem="ran a GPU kernel that refused its input: in most cases a token id, a label or a "
        "position beyond the model's tables",
        remedy="run `ftdist check` for this model and library; cluster.env.CUDA_LAUNCH_BLOCKING=1 "
        "shows the line.",
        exit_code=FtdistError.exit_code,
    ),
    GpuFault(
        pattern=r"driver version is insufficient|NVIDIA driver on your system is too old"
        r"|forward compatibility was attempted",
        problem="has a driver that is too old for torch's CUDA",
        remedy="install a torch built for an older CUDA, or ask for a newer driver; `ftdist "
        "doctor` compares them.",
        exit_code=ConfigError.exit_code,
    ),
    GpuFault(
        pattern=r"no kernel image is available|is not compatible with the current PyTorch",
        problem="has a GPU that this torch has no kernels for",
        remedy="install a torch built for this GPU, or ask for other ones (cluster.partition, "
        "cluster.constraint); `ftdist doctor` compares them.",
        exit_code=ConfigError.exit_code,
    ),
    GpuFault(
        pattern=r"duplicate GPU detected",
        problem="shares its GPU with another rank",
        remedy="set cluster.tasks_per_node to the number of GPUs per node.",
        exit_code=ConfigError.exit_code,
    ),
    GpuFault(
        pattern=r"illegal memory access|misaligned address|unspecified launch failure"
        r"|illegal instruction was encountered",
        problem="ran a GPU kernel that accessed memory wrongly",
        remedy="set another model.attention; cluster.env.CUDA_LAUNCH_BLOCKING=1 shows the line. If "
        "it is always the same node, its GPU is faulty: cluster.exclude.",
        exit_code=FtdistError.exit_code,
    ),
    GpuFault(
        pattern=r"watchdog got stuck for \d+ seconds",
        problem="made no progress in a call of CUDA or NCCL, and torch's watchdog ended it",
        remedy="nothing if it happens once: the run is repeated. If it is always the same node, "
        "set cluster.exclude.",
        exit_code=HangError.exit_code,
    ),
    GpuFault(
        pattern=r"unhandled system error|ncclSystemError",
        problem="lost its connection in NCCL (a system call failed)",
        remedy="nothing if it happens once: the run is repeated. Else `ftdist doctor --nodes N` "
        "measures the links; cluster.network_interface; cluster.env.NCCL_DEBUG=INFO tells more.",
        exit_code=HangError.exit_code,
    ),
    GpuFault(
        pattern=r"ncclInternalError|ncclUnhandledCudaError|unhandled cuda error",
        problem="failed in NCCL",
        remedy="nothing if it happens once: the run is repeated. Else cluster.env.NCCL_DEBUG=INFO "
        "tells more.",
        exit_code=HangError.exit_code,
    ),
)
"""The more specific first: a message may match several."""

_COMPILED = tuple((re.compile(fault.pattern, re.IGNORECASE), fault) for fault in FAULTS)


def find_fault(text: str) -> tuple[GpuFault, str] | None:
    """The first fault of the table in a text, and the line that names it; None: there is none."""
    for pattern, fault in _COMPILED:
        match = pattern.search(text)
        if match is not None:
            start = text.rfind("\n", 0, match.start()) + 1
            return fault, text[start:].partition("\n")[0].strip()
    return None
