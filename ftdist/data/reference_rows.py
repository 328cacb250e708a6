"""Which rank holds the reference model's hidden states of which row.

Every rank computes the same from the order of rows alone, so that all agree, without a message,
whether the reference runs in a micro-step, and who sends what to whom instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftdist.data.sampler import SequenceRefs

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
RowKey = tuple[int, int]
"""A row: its source, and its index within that source."""


@dataclass(frozen=True, kw_only=True)
class ReferenceRows:
    """The KL rows of one micro-step as one rank sees them."""

    keys: tuple[RowKey, ...]
    """The rank's own rows, in the order of its batch."""

    tokens: tuple[int, ...]
    """Loss tokens of each of them."""

    cached: tuple[bool, ...]
    """Whether the rank keeps the states of each of them, where the reference runs."""

    exchange: "Exchange | None"
    """How states travel where some rank holds those of every row; None: the reference runs."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One all-to-all of hidden states, as one rank takes part in it."""

    sends: tuple[RowKey, ...]
    """Rows whose states this rank sends, in the order of the receivers."""

    send_tokens: tuple[int, ...]
    """Tokens that go to each rank."""

    receive_tokens: tuple[int, ...]
    """Tokens that come from each rank."""

    arrival: tuple[int, ...]
    """The rank's own rows, as indices of `keys`, in the order of the senders."""


class ReferenceHolders:
    """The holder of each KL row's states, as of the step that was asked for last.

    A rank keeps what it computes until its share is full.

    Args:
        loss_tokens: that need the reference, of each sequence of each source that has such tokens,
            by the source's index.
        rank: this rank.
        world_size: number of ranks.
        max_tokens: whose states a rank keeps at most.
    """

    def __init__(
        self, loss_tokens: Mapping[int, Ints], *, rank: int, world_size: int, max_tokens: int
    ) -> None:
        self._loss_tokens = loss_tokens
        self._rank = rank
        self._max_tokens = max_tokens
        self._cached = np.zeros(world_size, dtype=np.int64)
        self._holders = {
            source: np.full(len(tokens), -1, dtype=np.int32)
            for source, tokens in loss_tokens.items()
        }

    def micro_step(self, refs: SequenceRefs, ranks: Ints) -> ReferenceRows:
        """This rank's part in a micro-step; called in the order in which micro-steps run.

        Args:
            refs: the KL rows of all ranks, at least one, on each rank in the order of their states.
            ranks: the rank that each belongs to, ascending.
        """
        tokens = np.empty(len(refs), dtype=np.int64)
        holders = np.empty(len(refs), dtype=np.int64)
        for source, of_source in self._loss_tokens.items():
            rows = refs.sources == source
            tokens[rows] = of_source[refs.indices[rows]]
            holders[rows] = self._holders[source][refs.indices[rows]]
        own = np.flatnonzero(ranks == self._rank)
        cached = self._keep(refs, ranks, tokens, new=holders < 0)
        return ReferenceRows(
            keys=tuple(refs[own].pairs()),
            tokens=tuple(tokens[own].tolist()),
            cached=tuple(cached[own].tolist()),
            exchange=self._exchange(refs, ranks, tokens, holders) if holders.min() >= 0 else None,
        )

    def _keep(self, refs: SequenceRefs, ranks: Ints, tokens: Ints, *, new: Bools) -> Bools:
        """Which rows are cached from now on, by the ranks that compute them."""
        computed = self._by_rank(ranks[new], tokens[new])
        has_room = self._cached + computed <= self._max_tokens
        self._cached += np.where(has_room, computed, 0)
        cached = new & has_room[ranks]
        for source, holders in self._holders.items():
            rows = cached & (refs.sources == source)
            holders[refs.indices[rows]] = ranks[rows]
        return cached

    def _by_rank(self, ranks: Ints, tokens: Ints) -> Ints:
        sums = np.bincount(ranks, weights=tokens, minlength=len(self._cached))
        return sums.astype(np.int64)

    def _exchange(self, refs: SequenceRefs, ranks: Ints, tokens: Ints, holders: Ints) -> Exchange:
        sent, own = holders == self._rank, ranks == self._rank
        return Exchange(
            sends=tuple(refs[np.flatnonzero(sent)].pairs()),
            send_tokens=tuple(self._by_rank(ranks[sent], tokens[sent]).tolist()),
            receive_tokens=tuple(self._by_rank(holders[own], tokens[own]).tolist()),
            arrival=tuple(np.argsort(holders[own], kind="stable").tolist()),
        )
