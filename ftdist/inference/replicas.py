"""How many copies of a model answer side by side, and where they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.dist.device import Device, free_memory
from ftdist.plan.model_info import read_model_facts

ROOM = 1.3
"""Memory that a model takes while it answers, as a multiple of its weights: keys and values too."""

GPU_BYTES = 2
"""Of a weight: bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Where a model stands while it answers.

    Attributes:
        gpus: for each copy the GPU that it stands on, of those that are seen; each copy is in a
            process of its own. On CPUs all are 0, and a copy has its share of the cores.
        over_all: the one copy lies over all GPUs, layer by layer, for it fits none of them.
    """

    gpus: tuple[int, ...]
    over_all: bool = False

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.gpus)


def copies_of(folder: Path, *, device: Device, wanted: int | None) -> Copies:
    """How a model is to answer here.

    Args:
        folder: of the model.
        device: what it computes on.
        wanted: copies; None: one a GPU that it fits, one on CPUs.

    Raises:
        ModelError: the folder holds no model.
    """
    if device == "cpu":
        return Copies(gpus=(0,) * (wanted or 1))
    weights = read_model_facts(folder).parameters * GPU_BYTES
    return on_gpus(weights, free=free_memory(), wanted=wanted)


def on_gpus(weights: int, *, free: Sequence[int], wanted: int | None) -> Copies:
    """How a model of so many bytes is to answer on GPUs with so many free bytes."""
    fitting = tuple(gpu for gpu, room in enumerate(free) if room >= ROOM * weights)
    if not fitting:
        return Copies(gpus=(0,), over_all=True)
    return Copies(gpus=fitting[:wanted])
