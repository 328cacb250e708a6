"""Model FLOPs utilization (MFU): the share of a GPU's peak that the model's arithmetic uses."""

import re

PEAK_TFLOPS: tuple[tuple[str, float], ...] = (
    ("GB200", 2500.0),
    ("B200", 2250.0),
    ("H200 NVL", 836.0),
    ("H200", 989.0),
    ("GH200", 989.0),
    ("H100 NVL", 835.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("A40", 149.7),
    ("A30", 165.0),
    ("L40S", 362.0),
    ("L4", 121.0),
)
"""Dense bfloat16 peak by name of the GPU, from the makers' data sheets; the first match holds."""


def peak_tflops(gpu: str) -> float | None:
    """Dense bfloat16 peak of a GPU in TFLOP/s; None for an unknown one.

    Args:
        gpu: its name as the driver has it, such as "NVIDIA H100 80GB HBM3".
    """
    for name, peak in PEAK_TFLOPS:
        if re.search(rf"\b{name}\b", gpu):
            return peak
    return None


def flops_per_token(parameters: int, *, frozen: int = 0) -> float:
    """Floating point operations of one token, forward and backward: 6 N, or less if frozen.

    Attention scores, recomputed activations and the reference model of `library.kl_to_base` are
    not counted.

    Args:
        parameters: of the whole model.
        frozen: of these, without gradients of their own.
    """
    return 6.0 * parameters - 2.0 * frozen
