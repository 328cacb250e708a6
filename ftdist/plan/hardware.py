"""What a rank has: memory, speed and links of its GPU, or a part of a node's memory on CPUs."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ftdist.config.schema import ClusterConfig
from ftdist.errors import ConfigError
from ftdist.plan.gpus import Gpu, find_gpu

ASSUMED_GPU = "A100"
PCIE_GB_PER_S = 20.0
"""Of collectives between GPUs of a node without NVLink: about two thirds of PCIe 4.0 x16."""

NVLINK_SHARE = 0.8
"""Of one direction of NVLink that large collectives reach; NCCL's tests: 350 to 370 of 450 GB/s."""

NETWORK_SHARE = 0.75
"""Of the network between nodes that large collectives reach."""

NETWORK_GBIT_S = 100.0
"""Of a node whose network is not known, unless its GPU is sold with more."""

GPU_NETWORK_GBIT_S = {"GB200": 400, "B200": 400, "H200": 400, "H100": 400, "H800": 400, "A100": 200}
"""Network per GPU of the makers' reference systems (HGX and DGX), with NVLink only."""

_GPUS = Path("/proc/driver/nvidia/gpus")
_INSTANCES = Path("/proc/driver/nvidia/capabilities")
"""Has a folder per GPU, with one per MIG instance."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What one rank has, and how that is known."""

    gpu: str | None
    """Name of the GPU; None: a rank on CPUs."""

    host_gib: float | None = None
    """This rank's part of the node's memory, for offloading; None: unknown."""

    memory_gib: float | None
    """Of the GPU, or this rank's part of the node's memory; None: unknown."""

    tflops: float
    """Dense bfloat16 peak of the GPU."""

    inside_gb_per_s: float
    """Collectives inside a node, per rank."""

    between_gb_per_s: float
    """Collectives between nodes, per node."""

    is_assumed: bool = False
    """Whether the GPU is a guess."""

    basis: str = ""
    """Where this is from, in words."""


def find_hardware(cluster: ClusterConfig, *, device: Literal["cpu", "cuda"]) -> Hardware:
    """The hardware of a run's ranks: from the config, this machine's driver, or assumed.

    Args:
        cluster: where the run will be; on this machine if its executor is local.
        device: of the ranks.

    Raises:
        ConfigError: this machine's ranks get MIG instances, and nothing says how much they have.
    """
    if device == "cpu":
        return _cpu(cluster)
    host = _host_gib(cluster)
    here = driver_gpu() if cluster.executor == "local" else None
    if here is not None:
        require_memory_of_instance(cluster)
    name = cluster.gpu or here
    known = find_gpu(name) if name else None
    sheet = known or find_gpu(ASSUMED_GPU)
    assert sheet is not None, "the assumed GPU is in the table"
    memory = cluster.gpu_memory_gib or sheet.memory_gib
    is_assumed = known is None and cluster.gpu_memory_gib is None
    network = cluster.network_gbit_s or _usual_network(sheet, gpus=cluster.tasks_per_node)
    return Hardware(
        gpu=name or sheet.name,
        memory_gib=memory,
        host_gib=host,
        tflops=sheet.tflops,
        inside_gb_per_s=sheet.nvlink_gb_per_s / 2 * NVLINK_SHARE or PCIE_GB_PER_S,
        between_gb_per_s=network / 8 * NETWORK_SHARE,
        is_assumed=is_assumed,
        basis=_basis(cluster, name=name, known=known, sheet=sheet, memory_gib=memory),
    )


def driver_gpu() -> str | None:
    """The model of this machine's first GPU, as its driver names it; None: there is none."""
    for path in sorted(_GPUS.glob("*/information")):
        if found := re.search(r"^Model:\s*(.+)$", path.read_text(errors="replace"), re.MULTILINE):
            return found[1].strip()
    return None


def require_memory_of_instance(cluster: ClusterConfig) -> None:
    """Refuse to plan this machine's MIG instances as whole GPUs, which is all the driver names.

    Raises:
        ConfigError: they are instances, and `cluster.gpu_memory_gib` is not set.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:  # CUDA then takes an instance wherever there is one
        has_instances = any(_INSTANCES.glob("gpu*/mig/gi*"))
    else:
        has_instances = chosen.startswith("MIG-")
    if has_instances and cluster.gpu_memory_gib is None:
        raise ConfigError(
            "The GPUs here are MIG instances, whose memory the plan cannot read.",
            remedy="set cluster.gpu_memory_gib to that of one instance; `nvidia-smi` shows it.",
        )


def host_memory_gib() -> float:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _cpu(cluster: ClusterConfig) -> Hardware:
    """Of a rank on CPUs: its part of the memory of the node, where that is known."""
    shared = _host_gib(cluster)
    where = "cluster.memory_gib" if cluster.memory_gib else "this machine"
    basis = "memory of a node unknown" if shared is None else f"{shared:,.0f} GiB, by {where}"
    return Hardware(
        gpu=None,
        memory_gib=shared,
        tflops=0.0,
        inside_gb_per_s=0.0,
        between_gb_per_s=0.0,
        basis=basis,
    )


def _host_gib(cluster: ClusterConfig) -> float | None:
    node_gib = cluster.memory_gib or (host_memory_gib() if cluster.executor == "local" else None)
    return None if node_gib is None else node_gib / cluster.tasks_per_node


def _usual_network(gpu: Gpu, *, gpus: int) -> float:
    """Gbit/s of a node, as such GPUs are usually sold."""
    if not gpu.nvlink_gb_per_s:
        return NETWORK_GBIT_S
    each = (rate for name, rate in GPU_NETWORK_GBIT_S.items() if gpu.name.startswith(name))
    return next(each, 0) * gpus or NETWORK_GBIT_S


def _basis(
    cluster: ClusterConfig, *, name: str | None, known: Gpu | None, sheet: Gpu, memory_gib: float
) -> str:
    """How the GPU is known, such as `H100, 80 GiB, by cluster.gpu`."""
    source = "cluster.gpu" if cluster.gpu else "the driver"
    if known is not None:
        text = f"{known.name}, {memory_gib:g} GiB, by {source}"
    elif name:
        text = f"{name} is not in the table: {sheet.name} with {memory_gib:g} GiB assumed"
    else:
        text = f"unknown: {sheet.name} with {memory_gib:g} GiB assumed; set cluster.gpu"
    if cluster.nodes > 1 and cluster.network_gbit_s is None:
        rate = _usual_network(sheet, gpus=cluster.tasks_per_node)
        text += f"; {rate:,.0f} Gbit/s per node assumed"
    return text
