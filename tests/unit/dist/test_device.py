"""A GPU that was asked for and is not there ends the rank with the node's name."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch

from ftdist.dist.device import open_device
from ftdist.dist.world import World, process_group
from ftdist.errors import ConfigError, DeviceError


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes torch count some GPUs; none of them works."""
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    for name in ("SLURM_GPUS_ON_NODE", "FTDIST_NUM_GPUS"):
        monkeypatch.delenv(name, raising=False)
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_a_cpu_needs_no_gpu() -> None:
    assert open_device("cpu", local_rank=0, local_size=2) == torch.device("cpu")


def test_no_gpu_names_the_node_and_why(gpus: Callable[[int], None]) -> None:
    gpus(0)
    with pytest.raises(DeviceError) as caught:
        open_device("cuda", local_rank=1, local_size=2)
    assert caught.value.exit_code == 71
    assert caught.value.problem.startswith("Rank 1 of 2 on node7 was to train on a GPU, but torch")
    assert "sees none there (no driver, and torch is built for CPUs" in caught.value.problem


@pytest.mark.parametrize(("count", "granted"), [(3, None), (1, None), (3, "4"), (0, "4")])
def test_fewer_gpus_than_ranks_of_the_node_are_refused(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, count: int, granted: str | None
) -> None:
    gpus(count)
    if granted is not None:
        monkeypatch.setenv("SLURM_GPUS_ON_NODE", granted)
    with pytest.raises(DeviceError, match=f"sees {count or 'none'} there"):
        open_device("cuda", local_rank=0, local_size=4)


def test_a_job_with_fewer_gpus_than_ranks_excludes_no_node(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(4)
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "4")
    with pytest.raises(ConfigError, match="the job has 4 of this node") as caught:
        open_device("cuda", local_rank=0, local_size=8)
    assert caught.value.exit_code == 78


def test_a_torch_for_cpus_on_a_node_with_a_driver_excludes_no_node(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(0)
    monkeypatch.setattr("ftdist.dist.device.has_driver", lambda: True)
    with pytest.raises(ConfigError, match="is built for CPUs"):
        open_device("cuda", local_rank=0, local_size=1)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("The NVIDIA driver on your system is too old (found version 11040)", ConfigError),
        ("CUDA error: no kernel image is available for execution on the device", ConfigError),
        ("CUDA error: uncorrectable ECC error encountered", DeviceError),
        ("CUDA error: unspecified driver error", DeviceError),
        ("CUDA out of memory. Tried to allocate 2 MiB", torch.OutOfMemoryError),
    ],
)
def test_only_faults_of_the_gpu_itself_exclude_its_node(
    gpus: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    message: str,
    error: type[Exception],
) -> None:
    gpus(1)
    kind = torch.OutOfMemoryError if "memory." in message else RuntimeError

    def fail(_: torch.device) -> None:
        raise kind(message)

    monkeypatch.setattr(torch.cuda, "set_device", fail)
    with pytest.raises(error):
        open_device("cuda", local_rank=0, local_size=1)


def test_each_rank_may_see_its_own_mig_instance_only(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(1)
    monkeypatch.setenv("FTDIST_NUM_GPUS", "2")
    for call in ("set_device", "synchronize"):
        monkeypatch.setattr(torch.cuda, call, lambda _: None)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: None)
    assert open_device("cuda", local_rank=1, local_size=2) == torch.device("cuda", 0)


def test_a_gpu_that_does_not_answer_is_named_although_each_rank_sees_only_its_own(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(1)
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "4")

    def lost(_: torch.device) -> None:
        raise RuntimeError("CUDA error: unspecified driver error")

    monkeypatch.setattr(torch.cuda, "set_device", lost)
    with pytest.raises(DeviceError, match=r"Rank 3 of 4 on node7: GPU 0 does not answer: CUDA"):
        open_device("cuda", local_rank=3, local_size=4)


@pytest.mark.parametrize(("device", "expected"), [("cpu", None), ("cuda", torch.device("cuda", 1))])
def test_nccl_is_told_its_device_and_gloo_is_not(
    gpus: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    device: str,
    expected: torch.device | None,
) -> None:
    gpus(2)
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda **words: given.update(words)
    )
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    world = World(rank=1, size=2, local_rank=1, local_size=2)
    with process_group(world, rendezvous=tmp_path / "r", device=device, timeout_s=9):
        pass
    assert given["device_id"] == expected
    assert given["timeout"] == timedelta(seconds=9)
