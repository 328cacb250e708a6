"""Whether all ranks still work on the same: the step's data, the config, and the weights.

A rank whose memory or network is faulty, or who has read another file, would spoil the run without
a word.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ftdist.dist.collectives import all_gather_json, is_same_on_ranks
from ftdist.errors import DeviceError, RequeueError
from ftdist.io.host import node_name
from ftdist.train.dataloader import BatchSource
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.weight_checksums import WeightChecksums

MAX_NAMED = 8
"""Ranks that an error names."""

REMEDY = (
    "have the memory, GPUs and network of these nodes checked; nothing was saved, and the run "
    "continues from its newest checkpoint."
)


class RankConsistencyCheck:
    """Compares the ranks with each other. Every rank has one.

    Args:
        engine: holds the weights; another layer of them is compared each time.
        batches: say which sequences a step has.
        settings: what config and plan say, as this rank has read them.
        every: steps between two comparisons; 0: none, not before checkpoints either.
    """

    def __init__(
        self, engine: Zero3Engine, batches: BatchSource, *, settings: Sequence[str], every: int
    ) -> None:
        self._world, self._batches, self._every = engine.world, batches, every
        self._weights = WeightChecksums(engine)
        self._settings = _hash(list(settings))
        self._number = 0
        """Of comparisons; the next layer."""
        self._checked = -1
        """Steps done at the newest comparison."""

    def after_step(self, done: int) -> None:
        """Compare, if that is due after `done` steps: see `require`. Collective."""
        if self._every and done % self._every == 0:
            self.require(done)

    def require(self, done: int) -> None:
        """Compare the ranks after `done` steps, at least 1. Collective.

        Raises:
            DeviceError: they differ; on the ranks that differ from most, or on all if no majority
                agrees.
            RequeueError: likewise, on the ranks that agree with most.
        """
        if not self._every or self._world.size == 1 or done == self._checked:
            return
        self._checked = done
        layer = self._weights.layer(self._number)
        own = {
            "the data of the step": _hash(self._batches.sequences(done - 1)),
            "config and plan": self._settings,
            f"the weights of {layer}": _hash(self._weights.gathered(self._number)),
        }
        # Every rank can tell for itself: this is not compared, but all must know.
        fault = self._weights.own_difference(self._number)
        self._number += 1
        # One number per rank, and only where they differ what each rank has.
        differs = None if fault is None else [self._world.rank, fault]
        if is_same_on_ranks(int(_hash([own, differs]), base=16)):
            return
        shared = all_gather_json([own, fault, node_name()], world=self._world)
        faulty, problem = _find_faulty(shared)
        if not faulty:
            return
        hosts = [host for _, _, host in shared]
        named = ", ".join(f"rank {rank} on {hosts[rank]}" for rank in faulty[:MAX_NAMED])
        problem = f"Ranks disagree after step {done}: {problem} ({named})."
        if self._world.rank in faulty:
            raise DeviceError(problem, remedy=REMEDY)
        raise RequeueError(problem, remedy=REMEDY)


def _find_faulty(shared: Sequence[Any]) -> tuple[list[int], str]:
    """The ranks that are faulty, and what of theirs differs; no ranks if all agree."""
    for rank, (_, fault, _) in enumerate(shared):
        if fault is not None:
            return [rank], f"the weights {fault} are not those of the optimizer"
    for what in shared[0][0]:
        values = [own.get(what) for own, _, _ in shared]
        (value, count), *others = Counter(values).most_common()
        if others:
            is_majority = 2 * count > len(values)
            return [
                rank for rank, own in enumerate(values) if not is_majority or own != value
            ], f"{what} differ"
    return [], ""


def _hash(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:15]
