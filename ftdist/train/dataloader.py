"""The micro-batches of each step for one rank."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ftdist.data.collate import Batch, build_batch, build_rank_batch
from ftdist.data.packed_dataset import PackedLibrary
from ftdist.data.packing import PackedSequence
from ftdist.data.reference_rows import ReferenceHolders, ReferenceRows
from ftdist.data.sampler import Order, SequenceRefs, kl_rows_first, rank_micro_batches
from ftdist.dist.device import use_device
from ftdist.dist.world import World
from ftdist.plan.dataset_info import row_shares
from ftdist.plan.plan import Plan

LIBRARY = 0
"""Index of the library among the sources."""


@dataclass(frozen=True, kw_only=True)
class StepBatches:
    """One step: this rank's micro-batches, and token counts of all ranks together."""

    micro_batches: list[Batch]
    loss_tokens: tuple[int, ...]
    """Of each source."""

    tokens: int


class BatchSource:
    """Batches as a function of the step alone; it keeps no position.

    Args:
        plan: names the packed library, and says how a step is split into micro-batches.
        seed: of the order.
        world: this rank.
        device: that batches are moved to.
        max_cached_tokens: whose hidden states of the reference model a rank keeps at most.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int,
        world: World,
        device: torch.device,
        max_cached_tokens: int = 0,
    ) -> None:
        self._library = PackedLibrary.open(Path(plan.library.path))
        self._plan = plan
        self._world = world
        self._device = device
        self._kl_sources = frozenset(
            number for number, source in enumerate(plan.library.sources) if source.kl_to_base
        )
        self._max_cached_tokens = max_cached_tokens
        self._holders: ReferenceHolders | None = None
        self._order = Order(
            seed,
            sequences=tuple(source.sequences for source in plan.library.sources),
            shares=row_shares(plan.library.sources),
            global_sequences=plan.global_sequences,
        )

    def prefetch(self, steps: range) -> Generator[StepBatches]:
        """The batches of each of `steps`; a thread builds the next step's meanwhile.

        What is built is a function of the step alone, but for who holds the reference model's
        hidden states: of the steps since the first. An error is raised when its step is due.
        """
        self._holders = self._no_holders()
        with ThreadPoolExecutor(
            max_workers=1,
            thread_name_prefix="batches",
            initializer=use_device,
            initargs=(self._device,),
        ) as thread:
            upcoming = thread.submit(self._build_step, steps.start)
            for step in steps:
                batches = upcoming.result()
                if step + 1 in steps:
                    upcoming = thread.submit(self._build_step, step + 1)
                on_device = [batch.to(self._device) for batch in batches.micro_batches]
                yield replace(batches, micro_batches=on_device)

    def _build_step(self, step: int) -> StepBatches:
        """This rank's micro-batches of step `step`, counted from 0, in (pinned) host memory."""
        refs = kl_rows_first(self._order.step(step), self._kl_sources)
        train = self._library.train
        drawn = [refs.indices[refs.sources == number] for number in range(len(train))]
        rows = self._rows(refs, held_out=False)
        return StepBatches(
            micro_batches=[row.pinned() for row in rows] if self._device.type == "cuda" else rows,
            loss_tokens=tuple(
                int(source.loss_tokens[of].sum()) for source, of in zip(train, drawn, strict=True)
            ),
            tokens=sum(
                int(source.tokens[of].sum()) for source, of in zip(train, drawn, strict=True)
            ),
        )

    def held_out(self) -> list[Batch]:
        """This rank's rows of the library's held-out part; every rank gets equally many."""
        sizes = [len(source) for source in self._library.held_out]
        refs = SequenceRefs(
            sources=np.repeat(np.arange(len(sizes)), sizes),
            indices=np.concatenate([np.arange(size) for size in sizes]),
        )
        return [row.to(self._device) for row in self._rows(refs, held_out=True)]

    def held_out_loss_tokens(self) -> int:
        """Loss tokens of the library's held-out part, all ranks."""
        return sum(int(source.loss_tokens.sum()) for source in self._library.held_out)

    def reference_row(self, *, max_tokens: int) -> Batch:
        """The beginning of the library's first sample: a short row of real tokens."""
        first = self._library.train[LIBRARY].sequence(0)
        tokens = min(max_tokens, int(first.lengths[0]))
        sample = PackedSequence.of_sample(first.input_ids[:tokens], loss=first.loss[:tokens])
        return build_batch([sample], pad_multiple=1).to(self._device)

    def _rows(self, refs: SequenceRefs, *, held_out: bool) -> list[Batch]:
        """This rank's rows, or its parts of the rows of its group, in host memory.

        The held-out loss is always cross-entropy, also of sources that are trained by KL.
        """
        world = self._world
        per_micro_step = self._plan.micro_batch_size * world.data_parallel_size
        micro_steps = -(-len(refs) // per_micro_step)
        kl_sources = frozenset[int]() if held_out else self._kl_sources
        by_kl = np.zeros(micro_steps * per_micro_step, dtype=np.bool_)
        by_kl[: len(refs)] = np.isin(refs.sources, list(kl_sources))
        reference_rows = [
            self._reference_rows(refs[first : first + per_micro_step], kl_sources)
            for first in range(0, len(refs), per_micro_step)
        ]
        uses_reference = np.any(by_kl.reshape(micro_steps, per_micro_step), axis=1).tolist()
        micro_batches = rank_micro_batches(
            refs,
            rank=world.data_parallel_rank,
            world_size=world.data_parallel_size,
            micro_batch_size=self._plan.micro_batch_size,
            micro_steps=micro_steps,
        )
        packed = self._library.held_out if held_out else self._library.train
        return [
            build_rank_batch(
                [packed[source].sequence(index) for source, index in micro_batch.pairs()],
                sources=micro_batch.sources.tolist(),
                kl_sources=kl_sources,
                uses_reference=uses,
                reference_rows=rows,
                world=world,
            )
            for micro_batch, uses, rows in zip(
                micro_batches, uses_reference, reference_rows, strict=True
            )
        ]

    def _no_holders(self) -> ReferenceHolders | None:
        """Nobody holds any of the reference's states yet; None where they are not cached."""
        if not self._max_cached_tokens:
            return None
        return ReferenceHolders(
            {source: self._library.train[source].loss_tokens for source in self._kl_sources},
            rank=self._world.rank,
            world_size=self._world.size,
            max_tokens=self._max_cached_tokens,
        )

    def _reference_rows(
        self, refs: SequenceRefs, kl_sources: frozenset[int]
    ) -> ReferenceRows | None:
        """Who keeps or holds the reference's states of the KL rows among a micro-step's rows."""
        rows = np.flatnonzero(np.isin(refs.sources, list(kl_sources)))
        if self._holders is None or not len(rows):
            return None
        return self._holders.micro_step(refs[rows], ranks=rows // self._plan.micro_batch_size)
