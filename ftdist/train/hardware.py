"""The speed of the ranks' devices, and how much of it training uses."""

from dataclasses import dataclass
from statistics import median

import torch

from ftdist.dist.collectives import gather_over_ranks
from ftdist.dist.device import TORCH_DTYPE, Dtype, device_peak_tflops
from ftdist.dist.gemm import measure_gemm_tflops
from ftdist.observe import metrics
from ftdist.plan.flops import flops_per_token
from ftdist.plan.plan import Plan

MEASURE_S = {"cpu": 0.1, "cuda": 0.5}

SLOW = 0.8
"""A rank below this share of the median rate is named."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What the ranks' devices can do."""

    gemm_tflops: tuple[float, ...]
    """Measured matrix products of each rank, all ranks at the same time, in TFLOP/s."""

    peak_tflops: float | None
    """Of one GPU by its data sheet; None where it is unknown, and on CPUs."""

    def utilization(self, tokens_per_s: float, *, plan: Plan) -> dict[str, float]:
        """The metrics of a step that compare its speed with the hardware's.

        Args:
            tokens_per_s: of the step, all ranks.
            plan: of the run.
        """
        per_rank = tokens_per_s / plan.world_size
        flops = flops_per_token(plan.parameters, frozen=plan.frozen_parameters)
        tflops = flops * per_rank / 1e12
        row = {
            metrics.TOKENS_PER_S_PER_RANK.name: per_rank,
            metrics.TFLOPS.name: tflops,
            # All ranks compute the same: the mean of the rates is what they have together.
            metrics.GEMM_UTILIZATION.name: tflops * len(self.gemm_tflops) / sum(self.gemm_tflops),
        }
        if self.peak_tflops is not None:
            row[metrics.MFU.name] = tflops / self.peak_tflops
        return row

    def describe(self) -> str:
        """The measured rates in a sentence, and the ranks that are slow."""
        usual = median(self.gemm_tflops)
        peak = "" if self.peak_tflops is None else f" (data sheet: {self.peak_tflops:g})"
        slow = [
            f"rank {rank} {rate:.3g}"
            for rank, rate in enumerate(self.gemm_tflops)
            if rate < SLOW * usual
        ]
        more = f"; slower: {', '.join(slow[:8])}" if slow else ""
        return f"Matrix products: {usual:.3g} TFLOP/s per rank{peak}{more}"


def measure_hardware(device: torch.device, *, dtype: Dtype) -> Hardware:
    """Measure the devices of all ranks. Collective."""
    rate = measure_gemm_tflops(device, dtype=TORCH_DTYPE[dtype], seconds=MEASURE_S[device.type])
    rates = gather_over_ranks(torch.tensor([rate], dtype=torch.float64, device=device))
    return Hardware(
        gemm_tflops=tuple(row[0] for row in rates),
        peak_tflops=device_peak_tflops(device, dtype=dtype),
    )
