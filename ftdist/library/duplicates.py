"""Exact and near duplicates among any number of texts, in memory that grows by bytes a text.

Signatures lie in files. Candidates are texts that agree in a whole band of their signatures; one is
a duplicate if enough of the whole signature agrees. Sources: A. Broder, "On the resemblance and
containment of documents" (1997); bands: J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive
Datasets", chapter 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

BAND_ROWS = 5
"""Numbers of one band. Of two texts of likeness s, 1 - (1 - s**5)**25 pairs meet: 0.9999 at 0.8."""

_COMPARED = 64
"""Kept texts of one bucket that a text is compared with, at most."""


@dataclass(frozen=True)
class Duplicates:
    """For each text: the kept one that it repeats (-1: it is kept), how, and how alike they are."""

    kept_row: npt.NDArray[np.int64]
    near: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]


Shard = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]
"""`exact` and `minhash` of the texts of one shard, memory-mapped or not."""


def find_duplicates(shards: Sequence[Shard], *, similarity: float, folder: Path) -> Duplicates:
    """Find what repeats an earlier text.

    Texts are looked at in order: one is a duplicate if some earlier text that is kept is the same,
    or shares a band with it and agrees in at least `similarity` of the signature.

    Args:
        shards: in the order that decides who is first.
        similarity: Jaccard likeness of word shingles, as signatures estimate it.
        folder: where signatures are laid out for the time being.
    """
    total = sum(len(exact) for exact, _ in shards)
    result = Duplicates(
        kept_row=np.full(total, -1, dtype=np.int64),
        near=np.zeros(total, dtype=np.bool_),
        similarity=np.ones(total, dtype=np.float32),
    )
    if not total:
        return result
    _mark_exact(np.concatenate([exact for exact, _ in shards]), result)
    path = folder / f"signatures-{uuid4().hex}.bin"
    try:
        _mark_near(_laid_out(shards, path, total=total), result, similarity=similarity)
    finally:
        path.unlink(missing_ok=True)
    return result


def _mark_exact(hashes: npt.NDArray[np.uint64], result: Duplicates) -> None:
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first_of_run = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    repeats = ~is_first
    result.kept_row[order[repeats]] = first_of_run[repeats]


def _laid_out(shards: Sequence[Shard], path: Path, *, total: int) -> npt.NDArray[np.uint16]:
    width = shards[0][1].shape[1]
    whole = np.memmap(path, dtype=np.uint16, mode="w+", shape=(total, width))
    first = 0
    for _, minhash in shards:
        whole[first : first + len(minhash)] = minhash
        first += len(minhash)
    return whole


def _mark_near(
    signatures: npt.NDArray[np.uint16], result: Duplicates, *, similarity: float
) -> None:
    rows = np.flatnonzero(result.kept_row < 0)
    rows = rows[_any_nonzero(signatures, rows)]
    pairs = [
        _pairs_of_band(signatures, rows, band) for band in range(signatures.shape[1] // BAND_ROWS)
    ]
    later, earlier = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    order = np.lexsort((earlier, later))
    later, earlier = later[order], earlier[order]
    for row, candidates in _grouped(later, earlier):
        kept = candidates[result.kept_row[candidates] < 0]
        if not len(kept):
            continue
        alike = (signatures[kept] == signatures[row]).mean(axis=1)
        best = int(np.argmax(alike >= similarity))  # the first that is alike enough
        if alike[best] >= similarity:
            result.kept_row[row] = kept[best]
            result.near[row] = True
            result.similarity[row] = alike[best]


def _any_nonzero(
    signatures: npt.NDArray[np.uint16], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    blocks = np.array_split(rows, max(1, len(rows) // 65_536))
    return np.concatenate([signatures[block].any(axis=1) for block in blocks])


def _pairs_of_band(
    signatures: npt.NDArray[np.uint16], rows: npt.NDArray[np.int64], band: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs (later, earlier) of texts that agree in one band, the nearest `_COMPARED` of each."""
    columns = signatures[:, band * BAND_ROWS : (band + 1) * BAND_ROWS]
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in range(BAND_ROWS):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + columns[rows, column].astype(np.uint64)
    order = np.argsort(keys, kind="stable")
    ordered, members = keys[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    first_of = np.repeat(starts, np.diff([*starts, len(ordered)]))
    later: list[npt.NDArray[np.int64]] = []
    earlier: list[npt.NDArray[np.int64]] = []
    # The first texts of a bucket, which are the most likely to be kept, and the ones just before.
    for distance in range(1, _COMPARED // 2 + 1):
        at = np.arange(len(members))
        near = at - distance >= first_of
        far = first_of + distance - 1 < at - _COMPARED // 2
        if not near.any():
            break
        later += [members[near], members[far]]
        earlier += [members[at[near] - distance], members[first_of[far] + distance - 1]]
    empty = np.empty(0, dtype=np.int64)
    return np.concatenate([empty, *later]), np.concatenate([empty, *earlier])


def _grouped(
    later: npt.NDArray[np.int64], earlier: npt.NDArray[np.int64]
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    if not len(later):
        return
    starts = np.flatnonzero(np.concatenate([[True], later[1:] != later[:-1]]))
    for first, end in zip(starts, [*starts[1:], len(later)], strict=True):
        yield int(later[first]), np.unique(earlier[first:end])
