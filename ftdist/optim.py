"""AdamW's parameter groups, and the learning rate as a function of the step."""

import math
from collections.abc import Mapping, Sequence

from ftdist.config.schema import OptimConfig


def learning_rate(step: int, *, total_steps: int, config: OptimConfig) -> float:
    """Learning rate of optimizer step `step`, counted from 0.

    Linear warm-up reaches the peak at step `warmup - 1`; the schedule then falls to
    `final_lr_ratio * peak_lr`, which the last step takes. With w warm-up steps, T in all and
    progress p = (step - w + 1) / (T - w):

        cosine    final + (peak - final) * (1 + cos(pi p)) / 2    https://arxiv.org/abs/1608.03983
        linear    peak + (final - peak) * p
        constant  peak
        wsd       peak, then linear over the last `decay_ratio * T` steps  https://arxiv.org/abs/2404.06395

    Args:
        step: in [0, total_steps).
        total_steps: of the whole run, however often it is interrupted.
        config: rates and ratios.
    """
    warmup_steps = round(config.warmup_ratio * total_steps)
    if step < warmup_steps:
        return config.peak_lr * (step + 1) / warmup_steps
    progress = (step - warmup_steps + 1) / max(1, total_steps - warmup_steps)
    final = config.final_lr_ratio * config.peak_lr
    match config.schedule:
        case "cosine":
            return final + (config.peak_lr - final) * (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            return config.peak_lr + (final - config.peak_lr) * progress
        case "constant":
            return config.peak_lr
        case "wsd":
            decay_steps = max(1, round(config.decay_ratio * total_steps))
            fallen = max(0.0, (step + 1 - (total_steps - decay_steps)) / decay_steps)
            return config.peak_lr + (final - config.peak_lr) * fallen


def decayed_names(shapes: Mapping[str, Sequence[int]]) -> frozenset[str]:
    """Names of the parameters that weight decay applies to: matrices, not norms and biases.

    Args:
        shapes: of every parameter by name, whole (not a rank's shard).
    """
    return frozenset(name for name, shape in shapes.items() if len(shape) >= 2)
