"""Checksums of one layer's weights at a time, to find ranks whose memory or network is faulty."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ftdist.zero.engine import Zero3Engine
from ftdist.zero.training_state import differs_from_master

_LAYER = re.compile(r".*?\.\d+(?=\.)")
"""The part of a parameter's name that names its layer."""

_INTEGERS = {2: torch.int16, 4: torch.int32}
"""By the bytes of an element."""


class WeightChecksums:
    """The weights of one layer after another. Every rank has one.

    Args:
        engine: holds the weights.
    """

    def __init__(self, engine: Zero3Engine) -> None:
        self._engine = engine
        layers: dict[str, list[tuple[str, Any]]] = {}
        for name, parameter in engine.named_parameters():
            match = _LAYER.match(name)
            layers.setdefault(match[0] if match else name, []).append((name, parameter))
        self._layers = list(layers.items())

    def layer(self, number: int) -> str:
        """Name of layer `number`, counted in turns; an embedding or a final norm is a layer too."""
        return self._layers[number % len(self._layers)][0]

    def gathered(self, number: int) -> list[int]:
        """A checksum of each whole parameter of a layer, as this rank sees it. Collective.

        Equal on all ranks, or some rank is faulty: what ZeRO-3 keeps whole on every rank has
        drifted apart there, or a gather went wrong.
        """
        import deepspeed

        parameters = [parameter for _, parameter in self._layers[number % len(self._layers)][1]]
        # What is kept whole between steps is read as it is, not gathered again.
        status = deepspeed.runtime.zero.partition_parameters.ZeroParamStatus.AVAILABLE
        sharded = [p for p in parameters if p.ds_status != status]
        with deepspeed.zero.GatheredParameters(sharded, enabled=bool(sharded)):
            return _checksums([parameter.data for parameter in parameters])

    def own_difference(self, number: int) -> str | None:
        """The first parameter of a layer whose shard on this rank is not that of the optimizer.

        The optimizer's copy is in float32, and the weights are that copy, rounded.
        """
        for name, parameter in self._layers[number % len(self._layers)][1]:
            if name not in self._engine.frozen and differs_from_master(self._engine, parameter):
                return name
        return None


@torch.no_grad()
def _checksums(values: Sequence[Tensor]) -> list[int]:
    sums = [
        value.contiguous().view(_INTEGERS[value.element_size()]).sum(dtype=torch.int64)
        for value in values
    ]
    numbers: list[int] = torch.stack(sums).tolist()
    return numbers
