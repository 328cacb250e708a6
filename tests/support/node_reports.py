"""Hand-written reports of compute nodes: healthy ones, to be changed in one point."""

from typing import Any

from ftdist_launch.doctor.gpu_checks import Expected

from ftdist.doctor.node_report import GpuState, NodeReport

TOKEN = "f00d"


def gpu(index: int = 0, **changes: Any) -> GpuState:
    """A healthy H100."""
    usual: dict[str, Any] = {
        "index": index,
        "name": "NVIDIA H100 80GB HBM3",
        "driver": "580.95.05",
        "uncorrected_errors": 0,
        "temperature_c": 41.0,
        "sm_clock_mhz": 1980.0,
        "max_sm_clock_mhz": 1980.0,
        "memory_used_gib": 0.5,
    }
    return GpuState(**usual | changes)


def report(host: str = "n1", *, gpus: int = 0, **changes: Any) -> NodeReport:
    """A healthy node with so many GPUs, all of which torch uses."""
    cuda: dict[str, Any] = {
        "torch": "2.13.0+cu130",
        "cuda": "13.0",
        "nccl": "2.27.5",
        "cuda_devices": gpus,
        "capabilities": ("sm_90",) * gpus,
        "built_for": ("sm_80", "sm_90", "compute_90"),
        "gpus": tuple(gpu(index) for index in range(gpus)),
    }
    cpu: dict[str, Any] = {
        "torch": "2.13.0+cpu",
        "cuda": None,
        "nccl": None,
        "cuda_devices": 0,
        "capabilities": (),
        "built_for": (),
        "gpus": (),
    }
    usual: dict[str, Any] = {
        "host": host,
        "time_s": 110.0,
        "arrived_s": 105.0,
        "python": "3.11.7",
        "torch_error": None,
        "cuda_error": None,
        "smi_error": None,
        "xids": (),
        "cpus": 64,
        "memory_gib": 512.0,
        "tmp_free_gib": 900.0,
        "shm_gib": 256.0,
        "cache_dir": "/tmp",
        "cache_free_gib": 900.0,
        "limits": {"nofile": 65536, "nproc": None, "memlock": None},
        "interfaces": {"eth0": 25000},
        "default_interface": "eth0",
        "infiniband": (),
        "token": TOKEN,
        "lock_held": True,
    }
    return NodeReport(**usual | (cuda if gpus else cpu) | changes)


def expected(*hosts: str, gpus: int = 0, cluster: bool = True) -> Expected:
    """What the login node knows of a job between second 100 and 120 of its clock."""
    return Expected(
        hosts=hosts or ("n1",),
        token=TOKEN,
        started_s=100.0,
        ended_s=120.0,
        gpus=gpus,
        cluster=cluster,
        folder="/shared",
    )
