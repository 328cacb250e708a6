"""GPUs by name: memory, dense bfloat16 peak, memory and NVLink bandwidth. No torch."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU's sizes by its maker's data sheet.

    A data sheet's GB of HBM are GiB: the driver reports 140.4 GiB of an H200's 141, 79.6 of an
    H100's 80. Error correction takes a sixteenth of GDDR memory: 45.0 GiB of an L40S's 48.
    Source: https://thundergolfer.com/blog/nvidia-gpu-memory-capacity.
    """

    name: str
    """As part of the driver's name for it, whole words."""

    memory_gib: float
    """The smallest of its variants, unless the driver's name tells which."""

    tflops: float
    """Dense bfloat16 peak, TFLOP/s."""

    memory_gb_per_s: float
    nvlink_gb_per_s: float = 0.0
    """NVLink, both directions together; 0: PCIe only. A ring moves at most half of it."""


GPUS = tuple(
    Gpu(
        name=name,
        memory_gib=memory,
        tflops=tflops,
        memory_gb_per_s=bandwidth,
        nvlink_gb_per_s=nvlink,
    )
    for name, memory, tflops, bandwidth, nvlink in (
        ("GB200", 186.0, 2500.0, 8000.0, 1800.0),
        ("B200", 180.0, 2250.0, 8000.0, 1800.0),
        ("H200 NVL", 141.0, 836.0, 4800.0, 900.0),
        ("H200", 141.0, 989.0, 4800.0, 900.0),
        ("GH200", 96.0, 989.0, 4000.0, 900.0),
        ("H100 NVL", 94.0, 835.0, 3900.0, 600.0),
        ("H100 PCIe", 80.0, 756.0, 2000.0, 0.0),
        ("H100", 80.0, 989.0, 3350.0, 900.0),
        ("H800", 80.0, 989.0, 3350.0, 400.0),
        ("A100", 40.0, 312.0, 1555.0, 600.0),
        ("A100X", 80.0, 312.0, 2039.0, 600.0),
        ("A800", 80.0, 312.0, 2039.0, 400.0),
        ("A40", 45.0, 149.7, 696.0, 0.0),
        ("A30", 24.0, 165.0, 933.0, 0.0),
        ("A10", 22.5, 125.0, 600.0, 0.0),
        ("L40S", 45.0, 362.0, 864.0, 0.0),
        ("L40", 45.0, 181.0, 864.0, 0.0),
        ("L4", 22.5, 121.0, 300.0, 0.0),
        ("RTX 4090", 24.0, 165.0, 1008.0, 0.0),
        ("RTX 3090", 24.0, 71.0, 936.0, 0.0),
    )
)
"""The first match holds. NVLink bridges between pairs of cards are not counted."""

_VARIANTS = {"A100": 2039.0, "A800": 2039.0, "H100": 3350.0, "H800": 3350.0}
"""GPUs whose driver names end in their memory, and the bandwidth of those with 80 GB.

"GH200 480GB" names its host memory instead.
"""


def find_gpu(gpu: str) -> Gpu | None:
    """The data sheet of a GPU; None for an unknown one.

    Args:
        gpu: its name as the driver has it, such as "NVIDIA H100 80GB HBM3", or as SLURM does, such
            as "a100_80gb".
    """
    name = re.sub(r"[_-]+", " ", gpu)
    for known in GPUS:
        if re.search(rf"\b{known.name}\b", name, re.IGNORECASE):
            return _variant(known, name)
    return None


def _variant(known: Gpu, gpu: str) -> Gpu:
    size = re.search(r"\b(\d+)\s?GB\b", gpu, re.IGNORECASE)
    if size is None or known.name not in _VARIANTS:
        return known
    memory = float(size[1])
    bandwidth = _VARIANTS[known.name] if memory >= 80 else known.memory_gb_per_s
    return Gpu(
        name=known.name,
        memory_gib=memory,
        tflops=known.tflops,
        memory_gb_per_s=bandwidth,
        nvlink_gb_per_s=known.nvlink_gb_per_s if "PCI" not in gpu.upper() else 0.0,
    )


def peak_tflops(gpu: str) -> float | None:
    """Dense bfloat16 peak of a GPU in TFLOP/s; None for an unknown one. See `find_gpu`."""
    known = find_gpu(gpu)
    return None if known is None else known.tflops
