"""How fast a device multiplies matrices: the rate that training is compared with."""

import time
from statistics import median

import torch

SIZES = {"cpu": 512, "cuda": 8192}
"""Rows and columns of the matrices."""

_BATCH = 4
"""Products that are timed together."""

_WARM_UP = 2


def measure_gemm_tflops(device: torch.device, *, dtype: torch.dtype, seconds: float) -> float:
    """Matrix products of this process on its device, in TFLOP/s.

    The median over batches of products counts, so that a short disturbance does not. torch's global
    random state is not used.

    Args:
        device: of this process.
        dtype: of the matrices.
        seconds: how long to measure; one batch at least.
    """
    size = SIZES[device.type]
    generator = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    times: list[float] = []
    end = time.perf_counter() + seconds
    for batch in range(1_000_000):
        began = time.perf_counter()
        for _ in range(_BATCH):
            torch.mm(a, b)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        times.append(time.perf_counter() - began)
        if batch >= _WARM_UP and time.perf_counter() >= end:
            break
    return _BATCH * 2 * size**3 / median(times[_WARM_UP:]) / 1e12
