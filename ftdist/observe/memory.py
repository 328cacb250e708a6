"""Peak memory of this process: GPU allocations, or anonymous host memory."""

import os
import threading
import time
from functools import cache
from typing import Literal

from ftdist.io.host_memory import anonymous_memory
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


@cache
def _sampler(process: int) -> "_Sampler":
    """The sampler of a process, keyed by pid since a fork inherits the cache but no threads."""
    return _Sampler(process)


class _Sampler:
    def __init__(self, process: int) -> None:
        self._peak_gib = anonymous_memory() / GIB
        threading.Thread(target=self._sample, name=f"memory of {process}", daemon=True).start()

    def peak_gib(self) -> float:
        self._peak_gib = max(self._peak_gib, anonymous_memory() / GIB)
        return self._peak_gib

    def _sample(self) -> None:
        while True:
            time.sleep(_SAMPLE_EVERY_S)
            self.peak_gib()
