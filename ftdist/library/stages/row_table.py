"""A table of the rows of all sources, one entry per row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ftdist.data.messages import INSTRUCTIONS
from ftdist.library.chat_text import conversation_text
from ftdist.library.schema import Conversation, Row
from ftdist.library.stages.read_shard import SourceShard, row_text
from ftdist.library.stats import CurationStats
from ftdist.library.store.row_cache import read_row_cache

LIBRARY = "library"

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ReadSource:
    """A source after reading."""

    name: str
    role: str
    """library, or replay."""

    shards: tuple[SourceShard, ...]
    stats: CurationStats


@dataclass(kw_only=True)
class RowTable:
    """One entry per row of all sources, in reading order."""

    shards: tuple[SourceShard, ...]
    source: Indices
    """Index of the row's source."""

    shard: Indices
    """Index of its shard in `shards`."""

    row: Indices
    """Its number in the shard."""

    is_document: Mask
    keep: Mask
    held_out: Mask

    @classmethod
    def from_sources(cls, sources: Sequence[ReadSource]) -> Self:
        """All rows, kept and not held out."""
        shards = tuple(shard for source in sources for shard in source.shards)
        owners = [index for index, source in enumerate(sources) for _ in source.shards]
        documents = [load_column(shard, "documents") for shard in shards]
        counts = list(map(len, documents))
        total = sum(counts)
        return cls(
            shards=shards,
            source=np.repeat(np.array(owners, dtype=np.int64), counts),
            shard=np.repeat(np.arange(len(shards)), counts),
            row=np.concatenate([np.empty(0, dtype=np.int64), *map(np.arange, counts)]),
            is_document=np.concatenate([np.empty(0, dtype=np.bool_), *documents]),
            keep=np.ones(total, dtype=np.bool_),
            held_out=np.zeros(total, dtype=np.bool_),
        )

    @property
    def starts(self) -> Indices:
        """The first entry of each shard."""
        return np.searchsorted(self.shard, np.arange(len(self.shards)))

    def by_shard(self, entries: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """A column's entries, split by shard."""
        return np.split(entries, self.starts[1:]) if self.shards else []

    def read(self, entry: int) -> Row:
        """One row."""
        rows = read_row_cache(self.shards[self.shard[entry]].folder / "rows.arrow")
        return next(islice(rows, int(self.row[entry]), None))

    def texts(self, chosen: Mask) -> Iterator[str]:
        """What chosen rows ask and teach; shards without any are not read."""
        for shard, mask in zip(self.shards, self.by_shard(chosen), strict=True):
            if mask.any():
                rows = read_row_cache(shard.folder / "rows.arrow")
                yield from (_taught_text(row) for row, use in zip(rows, mask, strict=True) if use)


def _taught_text(row: Row) -> str:
    """A row's text without what conversations share: instructions, and results of tools."""
    if isinstance(row, Conversation):
        return conversation_text(row.messages, without=(*INSTRUCTIONS, "tool"))
    return row_text(row)


def load_column(shard: SourceShard, name: str) -> npt.NDArray[Any]:
    """A cached array of a shard, mapped into memory."""
    loaded: npt.NDArray[Any] = np.load(shard.folder / f"{name}.npy", mmap_mode="r")
    return loaded
