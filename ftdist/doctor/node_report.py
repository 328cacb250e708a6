"""What a compute node says about itself, as a JSON file in a shared folder. Never loads torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftdist.io.jsonl import write_whole

TOKEN = "token"
"""File that the login node writes before the job, to be read by each node."""

LOCK = "lock"
"""File whose lock the login node holds while the job runs."""


@dataclass(frozen=True, kw_only=True)
class GpuState:
    """One GPU, as nvidia-smi shows it; None: it does not say."""

    index: int
    name: str
    driver: str
    uncorrected_errors: int | None
    """ECC errors that damaged data since the driver was loaded."""

    temperature_c: float | None
    sm_clock_mhz: float | None
    max_sm_clock_mhz: float | None
    throttle: tuple[str, ...] = ()
    """Reasons for lowered clocks that are active: hw_slowdown, hw_thermal_slowdown, ..."""

    memory_used_gib: float | None = None
    remapped_failure: bool = False
    """Whether remapping of a damaged row failed: the GPU should be replaced."""

    mig: bool = False
    """Whether it is divided into instances."""


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """One node."""

    host: str
    time_s: float
    """Its clock when it wrote this."""

    arrived_s: float
    """Its clock when its process started."""

    python: str
    torch: str | None
    """Version; None: it cannot be imported."""

    torch_error: str | None
    cuda: str | None
    """CUDA that torch was built for; None: a build for CPUs."""

    nccl: str | None
    cuda_devices: int
    """GPUs that torch can use."""

    cuda_error: str | None
    capabilities: tuple[str, ...]
    """Of the GPUs, such as sm_90."""

    built_for: tuple[str, ...]
    """Architectures that torch was built for."""

    gpus: tuple[GpuState, ...]
    smi_error: str | None
    """Why nvidia-smi showed nothing; None: it did, or is not installed."""

    xids: tuple[int, ...]
    """Numbers of recent GPU errors in the kernel's log, where it may be read."""

    cpus: int
    memory_gib: float
    tmp_free_gib: float
    shm_gib: float
    cache_dir: str
    cache_free_gib: float | None
    """None: the folder cannot be written."""

    limits: dict[str, int | None]
    """Soft limits: nofile, nproc, memlock; None: unlimited."""

    interfaces: dict[str, int]
    """Network interfaces with an IPv4 address that are up, with Mbit/s; 0: unknown."""

    default_interface: str | None
    """The one with the address to which the node's name resolves."""

    infiniband: tuple[str, ...]
    """RDMA devices, such as mlx5_0."""

    token: str | None
    """Content of the login node's file; None: it is not there."""

    lock_held: bool | None
    """Whether the login node's lock is seen; None: locks do not work."""


def write_report(folder: Path, report: NodeReport) -> None:
    """Write `node-HOST.json`."""
    write_whole(folder / f"node-{report.host}.json", json.dumps(asdict(report)))


def read_reports(folder: Path) -> list[NodeReport]:
    """The reports in a folder, by host."""
    paths = sorted(folder.glob("node-*.json"))
    return [from_fields(json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def from_fields(fields: dict[str, Any]) -> NodeReport:
    """A report from its JSON object."""
    gpus = tuple(GpuState(**gpu | {"throttle": tuple(gpu["throttle"])}) for gpu in fields["gpus"])
    lists = ("capabilities", "built_for", "xids", "infiniband")
    return NodeReport(**fields | {name: tuple(fields[name]) for name in lists} | {"gpus": gpus})
