"""AdamW's parameter groups, and the learning rate as a function of step and layer."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ftdist.config.schema import OptimConfig
from ftdist.config.schema.types import resolved

SHORT_RUN = 10
"""Most steps of a run whose rate does not fall to the final one."""

RATE_SCALE = "rate_scale"
"""Key in a torch parameter group: its learning rate relative to the schedule's."""


def learning_rate(step: int, *, total_steps: int, config: OptimConfig) -> float:
    """Learning rate of optimizer step `step`, counted from 0.

    Linear warm-up reaches the peak at step `warmup - 1`; the schedule then falls to
    `final_lr_ratio * peak_lr`, reached at the last step. With w warm-up steps, T in all and
    progress p = (step - w + 1) / (T - w):

        cosine    final + (peak - final) * (1 + cos(pi p)) / 2    https://arxiv.org/abs/1608.03983
        linear    peak + (final - peak) * p
        constant  peak
        wsd       peak, then linear over the last `decay_ratio * T` steps  https://arxiv.org/abs/2404.06395

    Of a run of at most `SHORT_RUN` steps, p counts the steps before this one, (step - w) / (T - w):
    the first step after warm-up has the peak rate, and the last one more than the final rate. Its
    few steps would otherwise be spent below the peak; a single one, at the final rate. The i-th of
    the n decaying steps of wsd has fallen by i / (n + 1).

    Args:
        step: in [0, total_steps).
        total_steps: of the whole run, across all interruptions.
        config: rates and ratios.
    """
    peak = resolved(config.peak_lr)
    warmup_steps = round(config.warmup_ratio * total_steps)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = step if total_steps <= SHORT_RUN else step + 1
    progress = (done - warmup_steps) / max(1, total_steps - warmup_steps)
    final = config.final_lr_ratio * peak
    match config.schedule:
        case "cosine":
            return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            return peak + (final - peak) * progress
        case "constant":
            return peak
        case "wsd":
            decay_steps = max(1, round(config.decay_ratio * total_steps))
            parts = decay_steps
            if total_steps <= SHORT_RUN:
                decay_steps = min(decay_steps, total_steps - 1)
                parts = decay_steps + 1
            decayed = max(0, step + 1 - (total_steps - decay_steps))
            return peak + (final - peak) * decayed / parts


def decayed_names(shapes: Mapping[str, Sequence[int]]) -> frozenset[str]:
    """Names of the parameters with weight decay: matrices, not norms and biases.

    Args:
        shapes: full shape of every parameter by name (not of a rank's shard).
    """
    return frozenset(name for name, shape in shapes.items() if len(shape) >= 2)


def layer_scales(
    names: Iterable[str],
    *,
    layers: Mapping[str, int],
    embeddings: Container[str],
    layerwise_lr_decay: float,
) -> dict[str, float]:
    """Learning rate of each parameter, as a proportion of the top layer's.

    With d = `layerwise_lr_decay` and L layers:

        layer l, 0 at the input        d^(L - 1 - l)
        embeddings, a tied head too    d^L
        final norm, untied head        1

    As "discriminative fine-tuning" of J. Howard and S. Ruder, "Universal Language Model
    Fine-tuning for Text Classification" (2018), https://arxiv.org/abs/1801.06146, section 3.1:
    the last layer has the chosen rate, and each lower layer a fixed proportion of the layer above
    (1/2.6 in the paper).

    Args:
        names: of all parameters.
        layers: layer index of each parameter within a layer.
        embeddings: names of the embeddings.
        layerwise_lr_decay: in (0, 1].
    """
    count = max(layers.values()) + 1

    def layers_above(name: str) -> int:
        if name in layers:
            return count - 1 - layers[name]
        return count if name in embeddings else 0

    return {name: layerwise_lr_decay ** layers_above(name) for name in names}


@dataclass(frozen=True, kw_only=True)
class ParameterGroup:
    """Parameters with the same AdamW settings."""

    names: tuple[str, ...]
    weight_decay: float

    rate_scale: float
    """Their learning rate, as a proportion of the schedule's."""


def parameter_groups(
    shapes: Mapping[str, Sequence[int]], *, scales: Mapping[str, float], weight_decay: float
) -> list[ParameterGroup]:
    """Per learning rate, a group of matrices with weight decay, then norms and biases without.

    Args:
        shapes: full shape of every trained parameter by name.
        scales: learning rate of each, as a proportion of the schedule's.
        weight_decay: of the matrices.

    Returns:
        the groups that are not empty.
    """
    decayed = decayed_names(shapes)
    groups = [
        ParameterGroup(
            names=tuple(n for n in shapes if scales[n] == scale and (n in decayed) == decays),
            weight_decay=weight_decay if decays else 0.0,
            rate_scale=scale,
        )
        for scale in dict.fromkeys(scales[name] for name in shapes)
        for decays in (True, False)
    ]
    return [group for group in groups if group.names]
