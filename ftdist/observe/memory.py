"""Peak memory of this process: GPU allocations, or anonymous host memory."""

import os
import threading
import time
from functools import cache
from pathlib import Path
from typing import Literal

from ftdist.io.units import GIB

_SAMPLE_EVERY_S = 0.05


def peak_memory_gib(device_kind: Literal["cpu", "cuda"]) -> float:
    """Highest memory of this process so far, GiB.

    cuda: the peak of torch's allocator on the current device.

    cpu: peak anonymous resident memory (weights, gradients, optimizer state, activations) since
    the first call. The kernel's own peak (VmHWM) also counts reclaimable pages of mapped model
    and data files, so a thread samples RssAnon twenty times per second (about 30 microseconds
    each). Sampling at step boundaries would miss the activations.
    """
    if device_kind == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated()) / GIB
    return _sampler(os.getpid()).peak_gib()


def allocator_gib(device_kind: Literal["cpu", "cuda"]) -> tuple[float, float] | None:
    """What can run out on this rank's GPU, GiB; None on CPUs.

    Returns:
        the peak that torch's allocator has reserved so far, unused blocks included, and the memory
        that the driver has free now.
    """
    if device_kind == "cpu":
        return None
    import torch

    return torch.cuda.max_memory_reserved() / GIB, torch.cuda.mem_get_info()[0] / GIB


def anonymous_memory_gib() -> float:
    """Anonymous resident memory of this process now, GiB. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / GIB
    raise AssertionError("/proc/self/status has no RssAnon: Linux before 4.5")


@cache
def _sampler(process: int) -> "_Sampler":
    """The sampler of a process, keyed by pid since a fork inherits the cache but no threads."""
    return _Sampler(process)


class _Sampler:
    def __init__(self, process: int) -> None:
        self._peak_gib = anonymous_memory_gib()
        threading.Thread(target=self._sample, name=f"memory of {process}", daemon=True).start()

    def peak_gib(self) -> float:
        self._peak_gib = max(self._peak_gib, anonymous_memory_gib())
        return self._peak_gib

    def _sample(self) -> None:
        while True:
            time.sleep(_SAMPLE_EVERY_S)
            self.peak_gib()
