"""Peak memory of this process, in the sense that matters on its device."""

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

    cuda: what torch's allocator had given out at most on the current device.

    cpu: anonymous resident memory (weights, gradients, optimizer state, activations), the highest
    seen since the first call. The kernel keeps a peak of all resident memory only (VmHWM), and
    that counts the pages of mapped model and data files too, which it takes back when it
    needs them. So RssAnon is read twenty times a second by a thread of its own (some 30
    microseconds each): at a step's end alone, the activations would be gone already.
    """
    if device_kind == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated()) / GIB
    return _sampler(os.getpid()).peak_gib()


def anonymous_memory_gib() -> float:
    """Anonymous resident memory of this process now, GiB. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / GIB
    raise AssertionError("/proc/self/status has no RssAnon: Linux before 4.5")


@cache
def _sampler(process: int) -> "_Sampler":
    """The one sampler of `process`: a peak is the process's own, and a fork has no threads."""
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
