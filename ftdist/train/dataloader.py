"""The batches of a step, for one rank: order, cut and rows put together."""

from dataclasses import dataclass

import numpy as np
import torch

from ftdist.data.collate import Batch, build_batch
from ftdist.data.packed_dataset import PackedLibrary, PackedSequence
from ftdist.data.sampler import Order, SequenceRef, rank_micro_batches
from ftdist.dist.world import World
from ftdist.plan.plan import Plan, row_shares

LIBRARY = 0
"""Index of the library among the sources."""

PADDING = 0
"""Token that fills rows up. Any will do: no sample sees it, and nothing is learned from it."""


@dataclass(frozen=True, kw_only=True)
class StepBatches:
    """What this rank computes in one step, and what all ranks together do."""

    micro_batches: list[Batch]
    loss_tokens: tuple[int, ...]
    """Of each source."""

    tokens: int


class BatchSource:
    """Batches as a function of the step alone; it keeps no position.

    Args:
        library: packed sequences.
        plan: how many make a step, and how they are cut.
        seed: of the order.
        world: this rank.
        device: where batches go.
    """

    def __init__(
        self,
        library: PackedLibrary,
        plan: Plan,
        *,
        seed: int,
        world: World,
        device: torch.device,
    ) -> None:
        self._library = library
        self._plan = plan
        self._world = world
        self._device = device
        self._towards_base = frozenset(
            number for number, source in enumerate(plan.library.sources) if source.kl_to_base
        )
        self._order = Order(
            seed,
            sequences=tuple(source.sequences for source in plan.library.sources),
            shares=row_shares(plan.library.sources),
            global_sequences=plan.global_sequences,
        )

    def step(self, step: int) -> StepBatches:
        """This rank's micro-batches of step `step`, counted from 0."""
        refs = self._order.step(step)
        train = self._library.train
        loss_tokens = [0] * len(train)
        for ref in refs:
            loss_tokens[ref.source] += int(train[ref.source].loss_tokens[ref.index])
        return StepBatches(
            micro_batches=self._rows(list(refs), held_out=False),
            loss_tokens=tuple(loss_tokens),
            tokens=sum(int(train[ref.source].tokens[ref.index]) for ref in refs),
        )

    def held_out(self) -> list[Batch]:
        """This rank's rows of the library's held-out part; every rank gets equally many."""
        refs = [
            SequenceRef(source=number, index=row)
            for number, source in enumerate(self._library.held_out)
            for row in range(len(source))
        ]
        return self._rows(refs, held_out=True)

    def held_out_loss_tokens(self) -> int:
        """Loss tokens of the library's held-out part, all ranks."""
        return sum(int(source.loss_tokens.sum()) for source in self._library.held_out)

    def witness(self, *, most_tokens: int) -> Batch:
        """The beginning of the library's first sample: a short row of real tokens."""
        first = self._library.train[LIBRARY].sequence(0)
        tokens = min(most_tokens, int(first.lengths[0]))
        sample = PackedSequence(
            input_ids=first.input_ids[:tokens],
            loss=first.loss[:tokens],
            lengths=np.array([tokens]),
        )
        return build_batch([sample], pad_token_id=PADDING, pad_multiple=1).to(self._device)

    def _rows(self, refs: list[SequenceRef], *, held_out: bool) -> list[Batch]:
        """This rank's rows; what is held out is measured by its own tokens, whatever it follows."""
        per_micro_step = self._plan.micro_batch_size * self._world.size
        kl_to_base = frozenset[int]() if held_out else self._towards_base
        asks_base = [
            any(ref.source in kl_to_base for ref in refs[first : first + per_micro_step])
            for first in range(0, len(refs), per_micro_step)
        ]
        micro_batches = rank_micro_batches(
            refs,
            rank=self._world.rank,
            world_size=self._world.size,
            micro_batch_size=self._plan.micro_batch_size,
            micro_steps=-(-len(refs) // per_micro_step),
        )
        sources = self._library.held_out if held_out else self._library.train
        return [
            build_batch(
                [sources[ref.source].sequence(ref.index) for ref in micro_batch],
                pad_token_id=PADDING,
                sources=[ref.source for ref in micro_batch],
                kl_to_base=kl_to_base,
                asks_base=asks,
            ).to(self._device)
            for micro_batch, asks in zip(micro_batches, asks_base, strict=True)
        ]
