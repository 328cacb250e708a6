"""Exact and near duplicates: MinHash LSH in memory, each candidate verified by its whole signature.

Candidates agree in a whole band of their signatures; a duplicate agrees in enough of the whole.
Sources: A. Broder, "On the resemblance and containment of documents" (1997); bands: J. Leskovec,
A. Rajaraman, J. Ullman, "Mining of Massive Datasets", chapter 3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftdist.library.dedup.signatures import PERMUTATIONS
from ftdist.text.ngram_hashes import Hashes, mixed

_RECALL = 0.99
"""Share of the pairs at the threshold that share at least one band."""

_MAX_COMPARED = 16
"""Kept texts of one bucket that a text is compared with, at most, so that time stays linear."""

Shard = tuple[Hashes, npt.NDArray[np.uint16]]
"""`exact` and `minhash` of the texts of one shard, memory-mapped or not."""


@dataclass(frozen=True)
class Duplicates:
    """Per text: the kept text that it duplicates (-1: it is kept), how, and their similarity."""

    duplicate_of: npt.NDArray[np.int64]
    near: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]


def find_duplicates(
    shards: Iterable[Shard], *, threshold: float, groups: Hashes | None = None
) -> Duplicates:
    """Find the texts that duplicate an earlier text.

    Texts are visited in order. A text is a duplicate if it equals an earlier text, or if it shares
    a band with a kept text and agrees with it in at least `threshold` of the signature. Of each
    bucket only the first 16 kept texts are compared.

    Memory per text: 256 bytes of signature (twice while shards are joined), and 8 to 12 more per
    band, of which there are 21 at 0.8. Ten million texts take about 5 GiB.

    Args:
        shards: in the order that decides which text comes first.
        threshold: Jaccard similarity of word shingles, as signatures estimate it.
        groups: of each text; only texts of one group can be near duplicates. None: all can.
    """
    parts = list(shards)
    exact = np.concatenate([np.empty(0, dtype=np.uint64), *(hashes for hashes, _ in parts)])
    no_rows = np.empty((0, PERMUTATIONS), dtype=np.uint16)
    minhash = np.concatenate([no_rows, *(rows for _, rows in parts)])
    del parts
    result = Duplicates(
        duplicate_of=_first_equal(exact),
        near=np.zeros(len(exact), dtype=np.bool_),
        similarity=np.ones(len(exact), dtype=np.float32),
    )
    rows = np.flatnonzero((result.duplicate_of < 0) & minhash.any(axis=1))
    buckets, num_slots = _assign_buckets(minhash, rows, threshold=threshold)
    slots = np.zeros(num_slots, dtype=np.int32).data
    for i in np.flatnonzero((buckets >= 0).any(axis=1)).tolist():
        row, own = int(rows[i]), [bucket for bucket in buckets[i].tolist() if bucket >= 0]
        earlier = {other for bucket in own for other in _kept_rows(bucket, slots)}
        candidates = np.array(sorted(earlier), dtype=np.int64)
        if groups is not None:
            candidates = candidates[groups[candidates] == groups[row]]
        similarity = np.count_nonzero(minhash[candidates] == minhash[row], axis=1) / PERMUTATIONS
        matches = np.flatnonzero(similarity >= threshold)
        if len(matches):
            result.near[row] = True
            result.duplicate_of[row] = candidates[matches[0]]
            result.similarity[row] = similarity[matches[0]]
        else:
            for bucket in own:
                _add(row, bucket, slots)
    return result


def num_bands(*, threshold: float) -> tuple[int, int]:
    """How many bands of how many numbers: the longest that find enough pairs at the threshold.

    Two texts of similarity s agree in a band of r numbers with probability s**r, and in one of b
    bands with 1 - (1 - s**r)**b.
    """
    for size in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // size
        if 1 - (1 - threshold**size) ** bands >= _RECALL:
            return bands, size
    return PERMUTATIONS, 1


def _first_equal(exact: Hashes) -> npt.NDArray[np.int64]:
    """Per text the first text that is equal; -1: it is the first itself."""
    _, first, inverse = np.unique(exact, return_index=True, return_inverse=True)
    equal: npt.NDArray[np.int64] = first[inverse]
    equal[first] = -1
    return equal


def _assign_buckets(
    minhash: npt.NDArray[np.uint16], rows: npt.NDArray[np.int64], *, threshold: float
) -> tuple[npt.NDArray[np.int64], int]:
    """Per row and band its bucket, -1 where it is alone; and the number of slots of all buckets.

    A bucket has a slot for each of its rows and is named by the first of them.
    """
    bands, size = num_bands(threshold=threshold)
    buckets = np.full((len(rows), bands), -1, dtype=np.int64)
    num_slots = 0
    for band in range(bands):
        keys = np.zeros(len(rows), dtype=np.uint64)
        for column in range(band * size, (band + 1) * size):
            keys = mixed(keys ^ minhash[rows, column])
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        sizes = np.where(counts > 1, counts, 0)
        first_slots = num_slots + np.cumsum(sizes) - sizes
        buckets[:, band] = np.where(counts > 1, first_slots, -1)[inverse]
        num_slots += int(sizes.sum())
    return buckets, num_slots


def _kept_rows(bucket: int, slots: memoryview) -> Iterator[int]:
    """The kept rows of a bucket; they are stored from 1, and 0 is an empty slot."""
    # Only the last row of a bucket could fill its last slot, and no row looks there afterwards.
    for slot in range(bucket, bucket + _MAX_COMPARED):
        if slots[slot] == 0:
            return
        yield slots[slot] - 1


def _add(row: int, bucket: int, slots: memoryview) -> None:
    for slot in range(bucket, bucket + _MAX_COMPARED):
        if slots[slot] == 0:
            slots[slot] = row + 1
            return
