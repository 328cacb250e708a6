"""How many replicas of a model run in parallel, and on which GPUs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftdist.dist.device import Device, free_memory
from ftdist.plan.model_info import read_model_info

MEMORY_FACTOR = 1.3
"""Memory for inference as a multiple of the weights: the key-value cache is included."""

BYTES_PER_PARAMETER = 2
"""On GPUs: bfloat16."""


@dataclass(frozen=True, kw_only=True)
class ReplicaPlan:
    """Where the replicas of a model run.

    Attributes:
        gpus: per replica the index of its GPU; each replica has its own process. All are 0 on
            CPUs, where the replicas share the cores. None: the only replica has its layers on all
            GPUs, because no GPU has room for the whole model.
    """

    gpus: tuple[int | None, ...]

    @property
    def count(self) -> int:
        """Number of replicas."""
        return len(self.gpus)


def plan_replicas(folder: Path, *, device: Device, num_replicas: int | None) -> ReplicaPlan:
    """Plan the replicas of a model on this node.

    Args:
        folder: of the model.
        device: what it computes on.
        num_replicas: at most; None: one per GPU with enough memory, one on CPUs.

    Raises:
        ModelError: the folder holds no model.
    """
    if device == "cpu":
        return ReplicaPlan(gpus=(0,) * (num_replicas or 1))
    weights = read_model_info(folder).parameters * BYTES_PER_PARAMETER
    return replicas_on_gpus(weights, free=free_memory(), num_replicas=num_replicas)


def replicas_on_gpus(weights: int, *, free: Sequence[int], num_replicas: int | None) -> ReplicaPlan:
    """Plan the replicas of a model with `weights` bytes on GPUs with `free` bytes each."""
    fitting = tuple(gpu for gpu, room in enumerate(free) if room >= MEMORY_FACTOR * weights)
    if not fitting:
        return ReplicaPlan(gpus=(None,))
    return ReplicaPlan(gpus=fitting[:num_replicas])
