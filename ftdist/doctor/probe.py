"""One process per node that writes what the node is: `python -m ftdist.doctor.probe FOLDER CACHE`.

A missing or broken torch is a finding, not an error: the report is written in any case.
"""

import fcntl
import os
import platform
import resource
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ftdist.doctor.gpu_health import read_gpus, read_xids
from ftdist.doctor.node_report import LOCK, TOKEN, NodeReport, write_report
from ftdist.io.filesystem import free_gib

_LIMITS = {
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "memlock": resource.RLIMIT_MEMLOCK,
}


def main(arguments: Sequence[str]) -> int:
    """Write the report of this node into a folder."""
    folder, cache = map(Path, arguments)
    write_report(folder, node_report(folder, cache=cache))
    return 0


def host_name() -> str:
    """This node's name, as SLURM writes it."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname().partition(".")[0]


def node_report(folder: Path, *, cache: Path) -> NodeReport:
    """What this node is.

    Args:
        folder: shared with the login node, which wrote a token there and holds a lock.
        cache: folder on the node's own disk.
    """
    arrived = time.time()
    gpus, smi_error = read_gpus()
    limits = {name: resource.getrlimit(kind)[0] for name, kind in _LIMITS.items()}
    return NodeReport(
        host=host_name(),
        arrived_s=arrived,
        python=platform.python_version(),
        **_torch_facts(),
        gpus=gpus,
        smi_error=smi_error,
        xids=read_xids() if gpus else (),
        cpus=len(os.sched_getaffinity(0)),
        memory_gib=psutil.virtual_memory().total / 2**30,
        tmp_free_gib=free_gib(Path("/tmp")),
        shm_gib=_size_gib(Path("/dev/shm")),
        cache_dir=str(cache),
        cache_free_gib=_writable_gib(cache),
        limits={
            name: None if value == resource.RLIM_INFINITY else value
            for name, value in limits.items()
        },
        interfaces=interfaces(),
        default_interface=default_interface(),
        infiniband=_infiniband(),
        token=_read(folder / TOKEN),
        lock_held=_lock_held(folder / LOCK),
        time_s=time.time(),
    )


def _torch_facts() -> dict[str, Any]:
    """What torch is and which GPUs it can use."""
    facts: dict[str, Any] = {
        **{"torch": None, "torch_error": None, "cuda": None, "nccl": None},
        **{"cuda_devices": 0, "cuda_error": None, "capabilities": (), "built_for": ()},
    }
    try:
        import torch
    except Exception as error:  # noqa: BLE001 - a broken installation fails in many ways
        return facts | {"torch_error": f"{type(error).__name__}: {error}"[:200]}
    facts |= {"torch": torch.__version__, "cuda": torch.version.cuda}
    if facts["cuda"] is None:
        return facts
    facts["built_for"] = tuple(torch.cuda.get_arch_list())
    with suppress(Exception):
        facts["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
    try:
        torch.cuda.init()
        count = torch.cuda.device_count()
        facts["cuda_devices"] = count
        found = (torch.cuda.get_device_capability(index) for index in range(count))
        facts["capabilities"] = tuple(f"sm_{major}{minor}" for major, minor in found)
    except Exception as error:  # noqa: BLE001 - no driver, an old one, a broken GPU
        facts["cuda_error"] = " ".join(str(error).split())[:200]
    return facts


def interfaces() -> dict[str, int]:
    """Interfaces with an IPv4 address that are up, other than loopback, with Mbit/s."""
    stats = psutil.net_if_stats()
    return {
        name: stats[name].speed
        for name, addresses in psutil.net_if_addrs().items()
        if any(each.family == socket.AF_INET for each in addresses)
        and not any(each.address.startswith("127.") for each in addresses)
        and name in stats
        and stats[name].isup
    }


def default_interface() -> str | None:
    """The interface with the address to which this node's own name resolves."""
    with suppress(OSError):
        address = socket.gethostbyname(socket.gethostname())
        for name, addresses in psutil.net_if_addrs().items():
            if any(each.address == address for each in addresses):
                return str(name)
    return None


def _infiniband() -> tuple[str, ...]:
    folder = Path("/sys/class/infiniband")
    return tuple(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ()


def _size_gib(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).total / 2**30
    except OSError:
        return 0.0


def _writable_gib(folder: Path) -> float | None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return free_gib(there) if os.access(there, os.W_OK | os.X_OK) else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _lock_held(path: Path) -> bool | None:
    """Whether another process, on another machine, holds the lock of a file."""
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
