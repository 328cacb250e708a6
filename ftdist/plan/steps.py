"""Optimizer steps of a run, from its passes over the library."""

import math

from ftdist.config.schema import TrainConfig
from ftdist.plan.dataset_info import PackedDatasetInfo

MIN_STEPS = 30
"""Fewest steps that passes or exposures may give; `train.steps` may be any number."""

_ROUNDING = 1e-9
"""Room for rounding when a product of floats is rounded up to whole steps."""


def count_passes(length: TrainConfig, *, library: PackedDatasetInfo) -> float:
    """Passes over the library that `train.epochs` or `train.exposures` ask for."""
    if length.exposures is not None:
        return length.exposures / library.exposures_per_pass
    assert length.epochs is not None, "compose checks that one of them is set, or the recipe does"
    return length.epochs


def count_steps(passes: float, *, library: PackedDatasetInfo, global_sequences: int) -> int:
    """Optimizer steps of so many passes; the last one may begin another pass."""
    return max(1, math.ceil(passes * library.rows_per_pass / global_sequences - _ROUNDING))
