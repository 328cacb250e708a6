"""FLOPs of training and the peaks of GPUs: model FLOPs utilization (MFU) and estimated times."""

import math
import re
from dataclasses import dataclass

from ftdist.config.schema import RunConfig
from ftdist.plan.dataset_info import row_shares
from ftdist.plan.model_info import ModelInfo
from ftdist.plan.plan import Plan

PEAK_TFLOPS = {
    "GB200": 2500.0,
    "B200": 2250.0,
    "H200 NVL": 836.0,
    "H200": 989.0,
    "GH200": 989.0,
    "H100 NVL": 835.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "H800": 989.0,
    "A100": 312.0,
    "A100X": 312.0,
    "A800": 312.0,
    "A40": 149.7,
    "A30": 165.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L40": 181.0,
    "L4": 121.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
}
"""Dense bfloat16 peak by name of the GPU, from the makers' data sheets; the first match holds."""


def find_gpu(gpu: str) -> tuple[str, float] | None:
    """A GPU's name in `PEAK_TFLOPS`, and its dense bfloat16 peak in TFLOP/s.

    Args:
        gpu: its name as the driver has it, such as "NVIDIA H100 80GB HBM3".

    Returns:
        None for an unknown GPU.
    """
    matches = ((name, peak) for name, peak in PEAK_TFLOPS.items() if _names(name, gpu))
    return next(matches, None)


def _names(name: str, gpu: str) -> bool:
    return re.search(rf"\b{name}\b", gpu) is not None


def peak_tflops(gpu: str) -> float | None:
    """Dense bfloat16 peak of a GPU in TFLOP/s; None for an unknown one. See `find_gpu`."""
    known = find_gpu(gpu)
    return None if known is None else known[1]


def flops_per_token(parameters: int, *, frozen: int = 0) -> float:
    """FLOPs of one token in the products with weights: 6 N forward and backward, less if frozen.

    Args:
        parameters: of the whole model.
        frozen: of these, without gradients of their own.
    """
    return 6.0 * parameters - 2.0 * frozen


@dataclass(frozen=True, kw_only=True)
class StepFlops:
    """FLOPs of one token of a training step, by term.

    N parameters, L layers, H hidden size, T tokens of a sequence.
    """

    weights: float
    """6 N, less 2 for each frozen one: `flops_per_token`."""

    attention: float
    """6 L H T: causal attention scores and sums."""

    reference: float
    """2 (N + L H T) on rows with `library.kl_to_base`: the base model's forward pass."""

    recomputation: float
    """2 (N + L H T) with activation checkpointing: the forward pass once more."""

    @property
    def model(self) -> float:
        """What the training objective needs: the FLOPs of MFU."""
        return self.weights + self.attention + self.reference

    @property
    def hardware(self) -> float:
        """What is computed, recomputation included."""
        return self.model + self.recomputation


def step_flops(config: RunConfig, *, plan: Plan, model: ModelInfo) -> StepFlops:
    """FLOPs of one token of a run's steps, by term."""
    attention = model.layers * model.hidden_size * plan.sequence_length
    forward = 2.0 * (model.parameters + attention)
    shares = zip(plan.library.sources, row_shares(plan.library.sources), strict=True)
    return StepFlops(
        weights=flops_per_token(model.parameters, frozen=plan.frozen_parameters),
        attention=6.0 * attention,
        reference=forward * math.fsum(share for source, share in shares if source.kl_to_base),
        recomputation=forward * config.model.activation_checkpointing,
    )
