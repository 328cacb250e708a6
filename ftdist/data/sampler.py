"""The sampler: the sequences of a step as a pure function of (seed, step).

They depend neither on world size and micro-batches nor on earlier steps, so a resumed or resized
run sees exactly the sequences that an uninterrupted one would have seen.

Rows are numbered through all steps: step `s` holds rows `s * global_sequences` to
`(s + 1) * global_sequences - 1`. The source of each row follows the shares evenly; the rows of a
source go through all its sequences, reshuffled in each pass.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SequenceRefs:
    """Packed sequences in row order: the source of each, and its index within that source."""

    sources: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.sources)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> "SequenceRefs":
        """Some of the rows, in the order of `rows`."""
        return SequenceRefs(self.sources[rows], self.indices[rows])

    def pairs(self) -> list[tuple[int, int]]:
        """(source, index) of each row."""
        return list(zip(self.sources.tolist(), self.indices.tolist(), strict=True))


@dataclass(frozen=True)
class Order:
    """The order of all sequences of a run.

    Args:
        seed: of the shuffles.
        sequences: packed sequences of each source, at least 1 each.
        shares: share of each source in the rows, above 0, sum 1.
        global_sequences: rows of one step.
    """

    seed: int
    sequences: tuple[int, ...]
    shares: tuple[float, ...]
    global_sequences: int

    def step(self, step: int) -> SequenceRefs:
        """The sequences of step `step`, counted from 0, in row order."""
        first = step * self.global_sequences
        sources, counts = _mix(self.shares).rows(first, first + self.global_sequences)
        indices = np.empty(len(sources), dtype=np.int64)
        for source, drawn_before in enumerate(counts):
            rows = np.flatnonzero(sources == source)
            draws = np.arange(drawn_before, drawn_before + len(rows))
            indices[rows] = self._sequences_of(source, draws)
        return SequenceRefs(sources.astype(np.int64), indices)

    def _sequences_of(self, source: int, draws: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The sequences that draws number `draws` of a source give."""
        length = self.sequences[source]
        shuffles, positions = np.divmod(draws, length)
        indices = np.empty(len(draws), dtype=np.int64)
        for shuffle in np.unique(shuffles).tolist():
            chosen = shuffles == shuffle
            order = _permutation(self.seed, source, shuffle, length)
            indices[chosen] = order[positions[chosen]]
        return indices


def kl_rows_first(
    refs: SequenceRefs, kl_sources: Collection[int], *, has_teacher: npt.NDArray[np.bool_]
) -> SequenceRefs:
    """A step's rows: those of `kl_sources`, those with a teacher, the others; else in order.

    The reference model runs in each micro-step in which any rank has such a row: together they
    share the fewest micro-steps. A step's sums do not depend on the order of its rows.
    """
    follows = np.isin(refs.sources, list(kl_sources))
    return refs[np.argsort(np.where(follows, 0, np.where(has_teacher, 1, 2)), kind="stable")]


def rank_micro_batches(
    refs: SequenceRefs,
    *,
    rank: int,
    world_size: int,
    micro_batch_size: int,
    micro_steps: int,
) -> list[SequenceRefs]:
    """The part of a step's sequences that one rank computes, cut into micro-batches.

    Rows are assigned in order, `micro_batch_size` to each rank in turn. Every rank gets
    `micro_steps` parts, so that all take part in the same collectives; once rows run out, parts
    are empty.

    Raises:
        ValueError: there are more rows than micro-batches hold.
    """
    room = world_size * micro_steps * micro_batch_size
    if len(refs) > room or not 0 <= rank < world_size:
        raise ValueError(f"{len(refs)} rows for {room} places, rank {rank} of {world_size}")
    starts = [
        (micro_step * world_size + rank) * micro_batch_size for micro_step in range(micro_steps)
    ]
    return [refs[start : start + micro_batch_size] for start in starts]


@lru_cache(maxsize=32)
def _permutation(seed: int, source: int, shuffle: int, length: int) -> npt.NDArray[np.int64]:
    """A shuffle of `length` sequences.

    Sorts raw bits: numpy guarantees stable bit streams across versions, but not the results of
    `Generator.permutation`, and a run may be resumed under a later numpy.
    """
    bits = np.random.Philox(np.random.SeedSequence([seed, source, shuffle])).random_raw(length)
    return np.argsort(bits, kind="stable")


class _Mix:
    """The source of each row, interleaved as evenly as possible.

    After n rows, source i has been drawn n * share_i times, to within less than one.
    Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980): of the
    sources that are due, the one with the earliest deadline is drawn. Rows are computed once, from
    the first on, and cached (a byte or two each): about 1 second per million.
    """

    def __init__(self, shares: tuple[float, ...]) -> None:
        self._shares = shares
        self._counts = [0] * len(shares)
        self._sources = np.empty(0, dtype=np.uint8 if len(shares) < 256 else np.uint16)
        self._marks = [tuple(self._counts)]

    _block = 4096
    """Rows between two marks of how often each source was drawn before."""

    def rows(self, first: int, end: int) -> tuple[npt.NDArray[Any], list[int]]:
        """Sources of rows `first` to `end`, and how often each was drawn before them."""
        if len(self._shares) == 1:
            return np.zeros(end - first, dtype=np.uint8), [first]
        while len(self._sources) < end:
            self._extend()
        mark = first // self._block
        since = self._sources[mark * self._block : first]
        drawn = np.bincount(since, minlength=len(self._shares))
        counts = [before + int(more) for before, more in zip(self._marks[mark], drawn, strict=True)]
        return self._sources[first:end], counts

    def _extend(self) -> None:
        shares, counts, drawn = self._shares, self._counts, []
        spare = 1 - 1 / (2 * len(shares) - 2)
        number = len(self._sources)
        for row in range(number + 1, number + self._blocks_at_once() * self._block + 1):
            chosen, soonest = 0, float("inf")
            for source, share in enumerate(shares):
                owed = row * share - counts[source]
                if owed >= 1 - spare - 1e-9 and (deadline := (spare - owed) / share) < soonest:
                    chosen, soonest = source, deadline
            counts[chosen] += 1
            drawn.append(chosen)
            if row % self._block == 0:
                self._marks.append(tuple(counts))
        self._sources = np.append(self._sources, np.array(drawn, dtype=self._sources.dtype))

    def _blocks_at_once(self) -> int:
        """Grows with the number of rows, so that the total cost of appending stays linear."""
        return max(1, len(self._sources) // (4 * self._block))


@lru_cache(maxsize=8)
def _mix(shares: tuple[float, ...]) -> _Mix:
    return _Mix(shares)
