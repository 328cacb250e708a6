"""Which kernels of `model.attention` run on CPUs; without torch, so that a plan can check."""

from ftdist.errors import ModelError

ON_CPUS = ("auto", "by_sample", "eager", "sdpa")
"""Values of `model.attention` that run on CPUs too."""


def check_kernel_device(kernel: str, *, device: str) -> None:
    """Raise `ModelError` if a kernel runs on GPUs only, and the device is another.

    Args:
        kernel: `model.attention`.
        device: "cpu" or "cuda".
    """
    if device == "cpu" and kernel not in ON_CPUS:
        raise unusable_kernel(kernel, "it runs on GPUs only")


def unusable_kernel(kernel: str, problem: str) -> ModelError:
    """The error for a kernel that cannot run; `problem` is a clause without a full stop."""
    return ModelError(
        f"model.attention={kernel} cannot be used: {problem}.",
        remedy="set model.attention=auto, which chooses one that can.",
    )
