"""Messages of CUDA and NCCL, as they were seen, and what they mean for a run."""

import pytest

from ftdist.dist.gpu_faults import FAULTS, find_fault

SEEN = [
    ("CUDA error: uncorrectable ECC error encountered", 71, "ECC"),
    ("RuntimeError: CUDA error: device is lost", 71, "lost its GPU"),
    ("NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.", 71, "lost its GPU"),
    ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", 71, "lost its GPU"),
    ("RuntimeError: No CUDA GPUs are available", 71, "no GPU that works"),
    ("Error 802: system not yet initialized", 71, "no GPU that works"),
    ("Found no NVIDIA driver on your system.", 71, "no GPU that works"),
    ("CUDA out of memory. Tried to allocate 2.00 GiB.", 72, "out of GPU memory"),
    ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", 72, "memory"),
    ("ncclUnhandledCudaError: Last error: Cuda failure 2 'out of memory'", 72, "GPU memory"),
    ("HIP out of memory. Tried to allocate 20.00 MiB.", 72, "out of GPU memory"),
    ("CUDA error: device-side assert triggered", 70, "token id"),
    ("CUDA driver version is insufficient for CUDA runtime version", 78, "driver"),
    ("The NVIDIA driver on your system is too old (found version 12020).", 78, "driver"),
    ("CUDA error: no kernel image is available for execution on the device", 78, "kernels"),
    ("ncclInvalidUsage: Duplicate GPU detected : rank 1 and rank 0 both on CUDA", 78, "shares"),
    ("CUDA error: an illegal memory access was encountered", 70, "wrongly"),
    ("NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)", 76, "NCCL"),
    ("ProcessGroupNCCL's watchdog got stuck for 480 seconds without making", 76, "watchdog"),
    ("ncclInternalError: Internal check failed.", 76, "NCCL"),
]


@pytest.mark.parametrize(("message", "code", "words"), SEEN)
def test_a_message_is_recognised(message: str, code: int, words: str) -> None:
    found = find_fault(f"step 3/9  loss 2.0\n  {message}\nframe #0: c10::Error")
    assert found is not None
    fault, line = found
    assert fault.exit_code == code
    assert words in fault.problem
    assert line == message


def test_every_row_of_the_table_has_been_seen() -> None:
    seen = {found[0].pattern for message, *_ in SEEN if (found := find_fault(message))}
    assert seen == {fault.pattern for fault in FAULTS}


@pytest.mark.parametrize(
    "message",
    ["Connection closed by peer [10.0.0.1]:4242", "the disk is full", "KeyError: 'cuda'", ""],
)
def test_other_messages_are_not(message: str) -> None:
    assert find_fault(message) is None
