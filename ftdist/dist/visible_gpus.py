"""The GPUs that this process may use, by the names that CUDA gives them. Never loads torch."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"

NUM_NAMED = "FTDIST_NUM_GPUS"
"""Number of GPUs of a rank's node, before the rank narrowed `VISIBLE` to its own."""

DEFAULTS = {
    # Segments grow: batches of unequal length leave no holes. Two names: torch renamed it in 2.9.
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    # A collective that fails or times out ends its process, without waiting for communicators.
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "3",
}
"""Environment variables of ranks on GPUs, unless the user has set them."""

_ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


def visible_gpus(
    environment: Mapping[str, str] | None = None, *, devices: Path = Path("/dev")
) -> tuple[str, ...]:
    """Names of the GPUs that this process may use: indices, GPU-UUIDs or MIG-UUIDs.

    As CUDA reads its variable: a name that is no GPU hides all that follow it. WSL2 has one device
    file for all GPUs, which count as one unless the variable names more.

    Args:
        environment: has CUDA_VISIBLE_DEVICES; None: that of this process.
        devices: folder of the driver's device files.
    """
    environment = os.environ if environment is None else environment
    files = {path.name for path in devices.iterdir()}
    present = sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in files)
    chosen = environment.get(VISIBLE)
    if not present and "dxg" in files and _has_cuda_of_wsl():
        present = 1 if chosen is None else len(chosen.split(","))
    if chosen is None:
        return tuple(map(str, range(present)))
    names: list[str] = []
    for name in map(str.strip, chosen.split(",")):
        if name in names or not _is_gpu(name, present=present):
            break
        names.append(name)
    return tuple(names)


def _has_cuda_of_wsl(library: Path = Path("/usr/lib/wsl/lib/libcuda.so.1")) -> bool:
    """Whether WSL2's GPU is one of NVIDIA: its driver on Windows brings this library."""
    return library.exists()


def _is_gpu(name: str, *, present: int) -> bool:
    if name.isdecimal():
        return int(name) < present
    return present > 0 and name.startswith(("GPU-", "MIG-"))


def num_granted(environment: Mapping[str, str] | None = None) -> int:
    """GPUs of this node that the ranks of the job may use together; 0 if nothing says so."""
    environment = os.environ if environment is None else environment
    return int(environment.get(NUM_NAMED) or environment.get("SLURM_GPUS_ON_NODE") or 0)


def is_granted(environment: Mapping[str, str] | None = None) -> bool:
    """Whether SLURM or the launcher gave this process GPUs, whether they work or not."""
    environment = os.environ if environment is None else environment
    first = environment.get(VISIBLE, "").split(",")[0].strip()
    return num_granted(environment) > 0 or first.isdecimal() or first.startswith(("GPU-", "MIG-"))


def has_driver() -> bool:
    """Whether this machine has a driver for NVIDIA's GPUs."""
    return Path("/proc/driver/nvidia/version").exists() or _has_cuda_of_wsl()


def smi_arguments(environment: Mapping[str, str] | None = None) -> list[str]:
    """Arguments by which nvidia-smi shows the visible GPUs only.

    It knows no names of MIG instances: with those it shows all GPUs.
    """
    environment = os.environ if environment is None else environment
    names = [name.strip() for name in environment.get(VISIBLE, "").split(",")]
    known = all(name.isdecimal() or name.startswith("GPU-") for name in names)
    return [f"--id={','.join(names)}"] if known else []


def own_instance(names: Sequence[str], *, local_rank: int) -> str | None:
    """The name that a rank must make its only one; None: it may see all `names`.

    A process can use one MIG instance: each rank gets its own.
    """
    if len(names) > 1 and all(name.startswith("MIG-") for name in names):
        return names[local_rank % len(names)]
    return None


def set_gpu_defaults() -> None:
    """Set `DEFAULTS` in this process's environment, before torch is loaded."""
    has_allocator = any(name in os.environ for name in _ALLOCATOR)
    for name, value in DEFAULTS.items():
        if not (has_allocator and name in _ALLOCATOR):
            os.environ.setdefault(name, value)
