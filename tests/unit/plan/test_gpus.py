"""What data sheets say of a GPU that the driver names."""

import pytest

from ftdist.plan.gpus import find_gpu, peak_tflops


@pytest.mark.parametrize(
    ("gpu", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.0),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA H100 NVL", 835.0),
        ("NVIDIA H200", 989.0),
        ("NVIDIA GH200 480GB", 989.0),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA L4", 121.0),
        ("NVIDIA L40", 181.0),
        ("NVIDIA A10", 125.0),
        ("NVIDIA A10G", None),
        ("NVIDIA A100X", 312.0),
        ("NVIDIA RTX A6000", None),
        ("Tesla V100-SXM2-32GB", None),
    ],
)
def test_the_peak_follows_from_the_name(gpu: str, peak: float | None) -> None:
    assert peak_tflops(gpu) == peak


@pytest.mark.parametrize(
    ("gpu", "memory"),
    [
        ("NVIDIA H200", 141.0),
        ("NVIDIA H100 80GB HBM3", 80.0),
        ("NVIDIA H100 NVL", 94.0),
        ("NVIDIA B200", 180.0),
        ("NVIDIA A100-SXM4-40GB", 40.0),
        ("NVIDIA A100-SXM4-80GB", 80.0),
        ("NVIDIA A100-SXM-64GB", 64.0),
        ("NVIDIA GH200 480GB", 96.0),  # 480 GB are the host's
        ("h100", 80.0),  # as in SLURM's gres
        ("a100_80gb", 80.0),
        ("nvidia_h200_nvl", 141.0),
        ("NVIDIA L40S", 45.0),  # 48 less a sixteenth for error correction
    ],
)
def test_memory_follows_from_the_name_and_its_variant(gpu: str, memory: float) -> None:
    found = find_gpu(gpu)
    assert found is not None
    assert found.memory_gib == memory


def test_bandwidths_follow_the_variant() -> None:
    small, large = find_gpu("NVIDIA A100-SXM4-40GB"), find_gpu("NVIDIA A100 80GB PCIe")
    assert small is not None
    assert large is not None
    assert (small.memory_gb_per_s, small.nvlink_gb_per_s) == (1555.0, 600.0)
    assert (large.memory_gb_per_s, large.nvlink_gb_per_s) == (2039.0, 0.0)
