"""GPUs are counted as CUDA counts them, whatever names its variable has."""

import os
from pathlib import Path

import pytest
from ftdist_launch import rank_process

from ftdist.dist.visible_gpus import (
    is_granted,
    num_granted,
    own_instance,
    set_gpu_defaults,
    smi_arguments,
    visible_gpus,
)

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
MIG = "MIG-1c1e5a2b-3e76-5ad0-9d6f-0a1e0f4f2b11"
OLD_MIG = f"MIG-{UUID}/7/0"


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """What the driver of a machine with four GPUs leaves in /dev."""
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, ("0", "1", "2", "3")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0", ("0",)),
        ("2,0", ("2", "0")),
        (" 1, 3 ", ("1", "3")),
        ("0,7,1", ("0",)),  # CUDA stops at the first that is not there
        ("0,-1,1", ("0",)),
        ("1,1", ("1",)),
        (UUID, (UUID,)),
        (f"{UUID},GPU-8932", (UUID, "GPU-8932")),
        (MIG, (MIG,)),
        (f"{MIG},{OLD_MIG}", (MIG, OLD_MIG)),
    ],
)
def test_every_form_of_the_variable(
    devices: Path, value: str | None, names: tuple[str, ...]
) -> None:
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert visible_gpus(environment, devices=devices) == names


@pytest.mark.parametrize("value", [None, "0,1", UUID, MIG])
def test_without_a_driver_there_is_no_gpu(tmp_path: Path, value: str | None) -> None:
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert visible_gpus(environment, devices=tmp_path) == ()


@pytest.mark.parametrize(
    ("value", "names"), [(None, ("0",)), ("0", ("0",)), ("0,1", ("0", "1")), ("-1", ()), ("", ())]
)
@pytest.mark.parametrize("has_cuda", [True, False])
def test_wsl_has_one_device_file_for_all_gpus(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    names: tuple[str, ...],
    has_cuda: bool,
) -> None:
    (tmp_path / "dxg").touch()
    monkeypatch.setattr("ftdist.dist.visible_gpus._has_cuda_of_wsl", lambda: has_cuda)
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    assert visible_gpus(environment, devices=tmp_path) == (names if has_cuda else ())


@pytest.mark.parametrize(
    ("environment", "granted"),
    [
        ({}, False),
        ({"CUDA_VISIBLE_DEVICES": ""}, False),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, False),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles", "SLURM_GPUS_ON_NODE": "0"}, False),
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, True),
        ({"CUDA_VISIBLE_DEVICES": MIG}, True),
        ({"SLURM_GPUS_ON_NODE": "4"}, True),
    ],
)
def test_granted_gpus_are_known_although_none_works(
    environment: dict[str, str], granted: bool
) -> None:
    assert is_granted(environment) is granted


@pytest.mark.parametrize(
    ("value", "arguments"),
    [("0,1", ["--id=0,1"]), (UUID, [f"--id={UUID}"]), (MIG, []), ("", []), (f"{UUID},{MIG}", [])],
)
def test_nvidia_smi_is_asked_by_names_that_it_knows(value: str, arguments: list[str]) -> None:
    assert smi_arguments({"CUDA_VISIBLE_DEVICES": value}) == arguments
    assert smi_arguments({}) == []


def test_each_rank_gets_its_own_mig_instance_and_may_see_all_whole_gpus() -> None:
    assert own_instance((MIG, OLD_MIG), local_rank=1) == OLD_MIG
    assert own_instance((MIG,), local_rank=0) is None
    assert own_instance(("0", "1"), local_rank=1) is None


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, "expandable_segments:True"),
        ({"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}, None),
        ({"PYTORCH_ALLOC_CONF": "backend:cudaMallocAsync"}, "backend:cudaMallocAsync"),
    ],
)
def test_segments_grow_unless_the_user_has_set_the_allocator(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, str], expected: str | None
) -> None:
    environment = dict(own)
    monkeypatch.setattr(os, "environ", environment)
    set_gpu_defaults()
    assert environment.get("PYTORCH_ALLOC_CONF") == expected
    assert environment["TORCH_NCCL_ASYNC_ERROR_HANDLING"] == "3"


def test_a_rank_counts_the_mig_instances_before_it_takes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "hides all")  # put back after the test
    monkeypatch.setenv("FTDIST_NUM_GPUS", "")
    monkeypatch.setenv("FTDIST_GPUS", f"{MIG},{OLD_MIG}")
    monkeypatch.setattr(rank_process, "visible_gpus", lambda: (MIG, OLD_MIG))
    monkeypatch.setattr(rank_process, "set_gpu_defaults", lambda: None)
    rank_process._choose_gpus(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == OLD_MIG
    assert num_granted() == 2


def test_the_gpus_that_slurm_grants_are_counted() -> None:
    assert num_granted({"SLURM_GPUS_ON_NODE": "4"}) == 4
    assert num_granted({"SLURM_GPUS_ON_NODE": "1", "FTDIST_NUM_GPUS": "2"}) == 2
    assert num_granted({}) == 0
