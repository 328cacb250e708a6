"""Devices, dtypes and backends: the only module that names cuda, cpu, nccl or gloo."""

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Literal, NoReturn

import torch

from ftdist.dist.gpu_faults import find_fault
from ftdist.dist.visible_gpus import VISIBLE, has_driver, is_granted, num_granted
from ftdist.errors import ConfigError, DeviceError
from ftdist.io.host import node_name
from ftdist.io.units import GIB
from ftdist.plan.gpus import peak_tflops

Device = Literal["cpu", "cuda"]
Dtype = Literal["bfloat16", "float32"]
OutOfGpuMemory = torch.OutOfMemoryError

TORCH_DTYPE = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def choose_device(choice: Literal["auto", "cpu", "cuda"]) -> Device:
    """The device that `cluster.device` means on this machine.

    Raises:
        ConfigError: cuda is asked for and no GPU is visible.
    """
    visible = torch.cuda.is_available() and torch.cuda.device_count() > 0
    if choice == "cuda" and not visible:
        raise ConfigError(
            "cluster.device=cuda, but this process sees no GPU.",
            remedy="ask the cluster for GPUs, or set cluster.device=cpu.",
        )
    return "cuda" if visible and choice != "cpu" else "cpu"


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32 (AVX-512 BF16, AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def inference_device(choice: Literal["auto", "cpu", "cuda"]) -> Device:
    """The device on which a run's models are evaluated in this process.

    `cluster.device` is that of training: a model that was trained on GPUs is evaluated on a CPU
    where this process sees no GPU.
    """
    visible = torch.cuda.is_available() and torch.cuda.device_count() > 0
    return "cuda" if visible and choice != "cpu" else "cpu"


def evaluation_device(choice: Literal["auto", "cpu", "cuda"]) -> Device:
    """As `inference_device`; but a job that has GPUs is not evaluated on the CPU.

    Raises:
        ConfigError: torch cannot use the job's GPUs.
        DeviceError: the job has GPUs, and this process sees none.
    """
    device = inference_device(choice)
    if device == "cpu" and choice != "cpu" and is_granted():
        place = f"The job on {node_name()}"
        _refuse_cpu_build(place, has_driver=has_driver())
        raise DeviceError(
            f"{place} has GPUs, but torch {torch.__version__} sees none there ({_why_none()}).",
            remedy="report the node, and see `nvidia-smi` there; then run the command again.",
        )
    return device


def torch_device(device: Device, *, local_rank: int) -> torch.device:
    """This rank's own device; the index counts among the visible GPUs.

    A cluster may show each rank one GPU only, then its index is 0 whatever the local rank.
    """
    if device == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", local_rank % torch.cuda.device_count())


def open_device(device: Device, *, local_rank: int, local_size: int) -> torch.device:
    """This rank's own device, ready to compute; it becomes the process's current one.

    Args:
        device: that the run was planned for.
        local_rank: of this rank, on its node.
        local_size: ranks on the node.

    Raises:
        ConfigError: torch cannot use the node's GPUs, or the job asked for too few of them: other
            nodes would fail alike.
        DeviceError: the rank has no GPU of its own, or it does not answer.
        RuntimeError: other faults, such as a full GPU.
    """
    if device == "cpu":
        return torch.device("cpu")
    place = f"Rank {local_rank} of {local_size} on {node_name()}"
    _refuse_cpu_build(place, has_driver=has_driver())
    count, granted = torch.cuda.device_count(), num_granted()
    if granted and granted < local_size:
        raise ConfigError(
            f"{place} has no GPU of its own: the job has {granted} of this node.",
            remedy="set cluster.tasks_per_node to the number of GPUs per node.",
        )
    # A cluster may show each rank one GPU only; then the node has granted one for each.
    if count == 0 or (count < local_size and not (count == 1 and granted >= local_size)):
        raise DeviceError(
            f"{place} was to train on a GPU, but torch {torch.__version__} sees "
            f"{count or 'none'} there ({_why_none()}).",
            remedy="nothing on a cluster: the run continues without this node; elsewhere, run "
            "`ftdist doctor`, or set cluster.device=cpu.",
        )
    own = torch_device(device, local_rank=local_rank)
    try:
        torch.cuda.set_device(own)
        torch.zeros(1, device=own)
        torch.cuda.synchronize(own)
    except RuntimeError as error:
        _raise_fault(error, place=place, gpu=own.index)
    return own


def _raise_fault(error: RuntimeError, *, place: str, gpu: int | None) -> NoReturn:
    """Raise what a GPU's first use failed with: a fault of the software excludes no node."""
    message = " ".join(str(error).split())[:200]
    fault = find_fault(str(error))
    if fault is not None and fault[0].exit_code == ConfigError.exit_code:
        raise ConfigError(
            f"{place} {fault[0].problem}: {message}.", remedy=fault[0].remedy
        ) from error
    if fault is not None and fault[0].exit_code != DeviceError.exit_code:
        raise error
    raise DeviceError(
        f"{place}: GPU {gpu} does not answer: {message}.",
        remedy="nothing on a cluster: the run continues without this node; report it, and see "
        "`nvidia-smi` and `dmesg` there.",
    ) from error


def _refuse_cpu_build(place: str, *, has_driver: bool) -> None:
    """Refuse a torch without GPU kernels on a node whose GPUs have a driver."""
    if has_driver and torch.version.cuda is None and torch.version.hip is None:
        raise ConfigError(
            f"{place} was to use a GPU, but torch {torch.__version__} is built for CPUs.",
            remedy="install a torch built for CUDA (`ftdist doctor` compares it with the driver), "
            "or set cluster.device=cpu.",
        )


def _why_none() -> str:
    """Why a process may see too few GPUs, as far as it can tell."""
    driver = "a driver" if has_driver() else "no driver"
    if torch.version.cuda is None:
        driver += ", and torch is built for CPUs"
    visible = os.environ.get(VISIBLE)
    return f"{driver}, {VISIBLE} {'not set' if visible is None else repr(visible)}"


def wait_for_device(device: torch.device) -> None:
    """Wait until a rank's device has done all that was queued; nothing to do on CPUs."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str | None:
    """The driver's name of a GPU; None on CPUs."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


@cache
def device_peak_tflops(device: torch.device, *, dtype: Dtype) -> float | None:
    """The dense peak of a rank's GPU in TFLOP/s; None on CPUs, in float32, or if it is unknown."""
    name = device_name(device)
    return peak_tflops(name) if name is not None and dtype == "bfloat16" else None


def free_memory() -> list[int]:
    """Free bytes of each GPU that this process sees.

    Asking creates a context on each GPU, and some clusters allow one process per GPU: with several
    GPUs a separate process asks.
    """
    if torch.cuda.device_count() == 1:
        return _free_memory()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(_free_memory).result()


def _free_memory() -> list[int]:
    return [torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())]


def give_memory_back() -> None:
    """Return GPU memory that nothing in this process refers to any more."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def use_deterministic_kernels() -> None:
    """Make the same operation on the same input give the same bits; before the GPU is used.

    An operation that has no such kernel raises RuntimeError, with its name. NCCL does without
    algorithms whose sums depend on the order of arrival (torch sees to that).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("FLASH_ATTENTION_DETERMINISTIC", "1")  # transformers reads it
    torch.use_deterministic_algorithms(True)
    # Else each new tensor is filled with NaN.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def gpu_memory() -> dict[str, float] | None:
    """Memory of this process's current GPU, GiB; None if the process has used no GPU.

    free and total are of the whole GPU; allocated, reserved and their peaks of torch's allocator
    in this process.
    """
    if not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    sizes = {
        "free": free,
        "total": total,
        "allocated": torch.cuda.memory_allocated(),
        "reserved": torch.cuda.memory_reserved(),
        "peak_allocated": torch.cuda.max_memory_allocated(),
        "peak_reserved": torch.cuda.max_memory_reserved(),
    }
    return {name: size / GIB for name, size in sizes.items()}


def use_device(device: torch.device) -> None:
    """Make `device` the one that this process computes on."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def backend_of(device: str) -> str:
    """The collective library that serves `device`."""
    return "nccl" if device == "cuda" else "gloo"
