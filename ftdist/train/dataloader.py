"""The micro-batches of each step for one rank."""

from collections.abc import Collection, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ftdist.data.collate import Batch, build_batch, build_rank_batch, build_teacher_rows
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
    distilled_tokens: int = 0
    """Loss tokens with a teacher."""


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
        self._taught = frozenset(
            number for number, source in enumerate(plan.library.sources) if source.distilled_tokens
        )
        self._max_cached_tokens = max_cached_tokens
        self._holders: ReferenceHolders | None = None
        self._order = Order(
            seed,
            sequences=tuple(source.sequences for source in plan.library.sources),
            shares=row_shares(plan.library.sources),
            global_sequences=plan.global_sequences,
        )

    def prefetch(self, steps: Sequence[int]) -> Generator[StepBatches]:
        """The batches of each of `steps`, of which there is one; a thread builds the next one's.

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
            upcoming = thread.submit(self._build_step, steps[0])
            for following in (*steps[1:], None):
                batches = upcoming.result()
                if following is not None:
                    upcoming = thread.submit(self._build_step, following)
                on_device = [batch.to(self._device) for batch in batches.micro_batches]
                yield replace(batches, micro_batches=on_device)

    def _build_step(self, step: int) -> StepBatches:
        """This rank's micro-batches of step `step`, counted from 0, in (pinned) host memory."""
        refs = self._refs(step)
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
            distilled_tokens=int(self._of_teachers(refs, "distilled_tokens").sum()),
        )

    def _refs(self, step: int) -> SequenceRefs:
        """The sequences of step `step` in the order in which they are computed."""
        drawn = self._order.step(step)
        has_teacher = self._of_teachers(drawn, "teacher_rows") > 0
        return kl_rows_first(drawn, self._kl_sources, has_teacher=has_teacher)

    def sequences(self, step: int) -> list[tuple[int, int]]:
        """(source, index) of each sequence of step `step`, counted from 0."""
        return self._refs(step).pairs()

    def samples(self, step: int, *, ranks: Collection[int]) -> dict[str, list[int]]:
        """The samples of step `step` that some ranks compute: by source, in the order of reading.

        Args:
            step: counted from 0.
            ranks: whose; empty: of all.
        """
        refs, world, size = self._refs(step), self._world, self._plan.micro_batch_size
        parts = [refs]
        if ranks:
            per_micro_step = size * world.data_parallel_size
            parts = [
                part
                for rank in sorted({rank // world.sequence_parallel_size for rank in ranks})
                for part in rank_micro_batches(
                    refs,
                    rank=rank,
                    world_size=world.data_parallel_size,
                    micro_batch_size=size,
                    micro_steps=-(-len(refs) // per_micro_step),
                )
            ]
        found: dict[str, list[int]] = {}
        for source, index in (pair for part in parts for pair in part.pairs()):
            name = self._plan.library.sources[source].name
            found.setdefault(name, []).extend(self._library.train[source].samples(index))
        return {name: sorted(numbers) for name, numbers in found.items()}

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
        world, size = self._world, self._plan.micro_batch_size
        per_micro_step = size * world.data_parallel_size
        micro_steps = -(-len(refs) // per_micro_step)
        kl_sources = frozenset[int]() if held_out else self._kl_sources
        packed = self._library.held_out if held_out else self._library.train
        room = 0 if held_out or not self._taught else self._plan.sequence_length
        micro_batches = rank_micro_batches(
            refs,
            rank=world.data_parallel_rank,
            world_size=world.data_parallel_size,
            micro_batch_size=size,
            micro_steps=micro_steps,
        )
        batches = []
        for first, own in zip(range(0, len(refs), per_micro_step), micro_batches, strict=True):
            of_all = refs[first : first + per_micro_step]
            sequences = [
                packed[source].sequence(index, room=room if source in self._taught else 0)
                for source, index in own.pairs()
            ]
            batches.append(
                build_rank_batch(
                    sequences,
                    sources=own.sources.tolist(),
                    kl_sources=kl_sources,
                    uses_reference=bool(np.isin(of_all.sources, list(kl_sources)).any()),
                    reference_rows=None if held_out else self._reference_rows(of_all),
                    teacher_rows=build_teacher_rows(
                        sequences,
                        rows=self._teacher_forwards(of_all) if room else 0,
                        together=size,
                    ),
                    world=world,
                )
            )
        return batches

    def _of_teachers(
        self, refs: SequenceRefs, what: Literal["teacher_rows", "distilled_tokens"]
    ) -> npt.NDArray[np.int64]:
        """A count of each row of the training part: 0 where it has no teacher."""
        counts = np.zeros(len(refs), dtype=np.int64)
        for source in self._taught:
            of_source = refs.sources == source
            counts[of_source] = getattr(self._library.train[source], what)[refs.indices[of_source]]
        return counts

    def _teacher_forwards(self, refs: SequenceRefs) -> int:
        """How often the teacher runs in a micro-step: as the rank with the most rows needs it."""
        size = self._plan.micro_batch_size
        rows = np.zeros(size * self._world.data_parallel_size, dtype=np.int64)
        rows[: len(refs)] = self._of_teachers(refs, "teacher_rows")
        return -(-int(rows.reshape(-1, size).sum(axis=1).max()) // size)

    def _no_holders(self) -> ReferenceHolders | None:
        """Nobody holds any of the reference's states yet; None where they are not cached."""
        if not self._max_cached_tokens:
            return None
        train = self._library.train
        return ReferenceHolders(
            {source: train[source].loss_tokens for source in self._kl_sources}
            | {source: train[source].distilled_tokens for source in self._taught},
            rank=self._world.rank,
            world_size=self._world.size,
            max_tokens=self._max_cached_tokens,
        )

    def _reference_rows(self, refs: SequenceRefs) -> ReferenceRows | None:
        """Who keeps or holds the reference's states of rows of a micro-step, if they need it.

        On each rank distilled rows come first, as their states do.
        """
        follows = np.isin(refs.sources, list(self._kl_sources))
        rows = np.flatnonzero(follows | (self._of_teachers(refs, "distilled_tokens") > 0))
        if self._holders is None or not len(rows):
            return None
        ranks = rows // self._plan.micro_batch_size
        order = np.lexsort((follows[rows], ranks))
        return self._holders.micro_step(refs[rows[order]], ranks=ranks[order])
