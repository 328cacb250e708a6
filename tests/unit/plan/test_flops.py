"""Model FLOPs utilization: peaks by name, operations per token."""

import pytest

from ftdist.plan.flops import flops_per_token, peak_tflops


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


def test_six_operations_per_parameter_and_four_for_frozen_ones() -> None:
    """10 parameters, 4 of them frozen: 6 x 6 + 4 x 4."""
    assert flops_per_token(10) == 60.0
    assert flops_per_token(10, frozen=4) == 52.0
