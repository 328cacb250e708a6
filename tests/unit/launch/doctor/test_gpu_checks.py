from dataclasses import replace
from typing import Any

import pytest
from ftdist_launch.doctor.gpu_checks import cuda_findings, health_findings

from ftdist.doctor.node_report import NodeReport
from tests.support.findings import lines
from tests.support.node_reports import expected, gpu, report

CPU_ONLY = "runs train on CPUs, or end at once with cluster.device=cuda"


def cuda(reports: list[NodeReport], *, gpus: int) -> list[str]:
    return lines(cuda_findings(reports, expected(gpus=gpus)))


def test_gpus_that_slurm_grants_and_no_driver_shows_are_a_failure() -> None:
    assert cuda([report("n1"), report("n2")], gpus=2) == [
        f"fail GPUs | n1, n2: SLURM grants 2 GPUs, but there is no driver (nvidia-smi is missing) "
        f"| {CPU_ONLY} | report the nodes; set cluster.exclude=n1,n2, or cluster.device=cpu"
    ]
    (found,) = cuda([report("n1", smi_error="NVIDIA-SMI has failed")], gpus=1)
    assert "SLURM grants 1 GPU, but there is no driver (NVIDIA-SMI has failed)" in found


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {"torch": "2.13.0+cpu", "cuda": None, "cuda_devices": 0},
            f"n1: 2 GPUs, but torch 2.13.0+cpu is built for CPUs | {CPU_ONLY} | install a build of "
            "torch for CUDA into the same environment",
        ),
        (
            {"gpus": (gpu(0, driver="550.54.15"), gpu(1, driver="550.54.15")), "cuda_devices": 0},
            "n1: driver 550.54.15 is too old for torch's CUDA 13.0, which needs 580 | torch sees "
            "no GPU | install a torch built for an older CUDA, or ask for a newer driver",
        ),
        (
            {"cuda_devices": 1, "cuda_error": "CUDA error: uncorrectable ECC error"},
            "n1: torch can use 1 of 2 GPUs: CUDA error: uncorrectable ECC error | ranks without a "
            "GPU fail | report the nodes; set cluster.exclude=n1",
        ),
        (
            {"cuda_devices": 1},
            "n1: torch can use 1 of 2 GPUs | ranks without a GPU fail | report the nodes; set "
            "cluster.exclude=n1",
        ),
        (
            {"capabilities": ("sm_70", "sm_70")},
            "n1: torch 2.13.0+cu130 has no kernels for sm_70, only for sm_80, sm_90, compute_90 | "
            "the first operation fails: 'no kernel image is available' | install a build of torch "
            "for these GPUs",
        ),
    ],
)
def test_each_reason_why_torch_lacks_gpus_has_its_message(
    change: dict[str, Any], found: str
) -> None:
    node = replace(report("n1", gpus=2), **change)
    assert cuda([node], gpus=2) == [f"fail GPUs | {found}"]


def test_newer_gpus_run_what_the_driver_can_compile() -> None:
    # sm_86 runs sm_80's kernels, sm_120 what is compiled from compute_90.
    for capability in ("sm_86", "sm_90", "sm_120"):
        node = replace(report("n1", gpus=1), capabilities=(capability,))
        assert cuda([node], gpus=1) == ["ok GPUs | torch uses 1 per node: NVIDIA H100 80GB HBM3"]


def test_nodes_without_gpus_are_not_blamed() -> None:
    assert cuda([report("n1")], gpus=0) == []
    assert lines(health_findings([report("n1")], expected())) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {"uncorrected_errors": 3},
            "fail GPU health | n1 GPU 1: 3 uncorrected memory errors | runs crash or compute wrong "
            "numbers there",
        ),
        (
            {"remapped_failure": True, "uncorrected_errors": 3},
            "fail GPU health | n1 GPU 1: a damaged memory row could not be remapped | runs crash "
            "or compute wrong numbers there",
        ),
        (
            {"throttle": ("hw_slowdown", "hw_thermal_slowdown"), "temperature_c": 91.0},
            "warn GPU health | n1 GPU 1: clocks lowered (hw_slowdown, hw_thermal_slowdown), 91 C | "
            "all ranks wait for the slowest",
        ),
        (
            {"temperature_c": 88.0},
            "warn GPU health | n1 GPU 1: 88 C | it will lower its clocks under load, and all ranks "
            "wait for it",
        ),
        (
            {"memory_used_gib": 31.25},
            "warn GPU health | n1 GPU 1: 31.2 GiB are already in use | a run may not fit: another "
            "process holds memory",
        ),
    ],
)
def test_each_illness_of_a_gpu_names_it_and_its_node(change: dict[str, Any], found: str) -> None:
    node = replace(report("n1", gpus=2), gpus=(gpu(0), gpu(1, **change)))
    assert lines(health_findings([node], expected())) == [
        f"{found} | report the node; set cluster.exclude=n1"
    ]


def test_instances_of_gpus_and_errors_in_the_kernels_log_are_warnings() -> None:
    node = replace(report("n1", gpus=1), gpus=(gpu(0, mig=True),), xids=(48, 79))
    assert lines(health_findings([node], expected())) == [
        "warn GPU health | n1 GPU 0: divided into MIG instances | NCCL does not connect instances: "
        "one rank per job | use nodes with whole GPUs (cluster.constraint, cluster.exclude)",
        "warn GPU health | n1: Xid 48, 79 in the kernel's log | a GPU failed since the node "
        "booted, and may fail again | report the node; set cluster.exclude=n1",
    ]
