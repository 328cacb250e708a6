"""Exact and near duplicates among any number of texts, in memory that grows by bytes a text.

Signatures lie in a file. Candidates are texts that agree in a whole band of their signatures; one
is a duplicate if enough of the whole signature agrees. Sources: A. Broder, "On the resemblance and
containment of documents" (1997); bands: J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive
Datasets", chapter 3.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes, mixed

_FOUND = 0.99
"""Share of the pairs just alike enough that bands have to bring together."""

_COMPARED = 16
"""Kept texts of one bucket that a text is compared with, at most, so that time stays linear."""

_ROWS_AT_ONCE = 1 << 15

Rows = npt.NDArray[np.int64]

Shard = tuple[Hashes, npt.NDArray[np.uint16]]
"""`exact` and `minhash` of the texts of one shard, memory-mapped or not."""


@dataclass(frozen=True)
class Duplicates:
    """For each text: the kept one that it repeats (-1: it is kept), how, and how alike they are."""

    duplicate_of: Rows
    near: npt.NDArray[np.bool_]
    similarity: npt.NDArray[np.float32]


def find_duplicates(
    shards: Iterable[Shard], *, similarity: float, folder: Path, kinds: Hashes | None = None
) -> Duplicates:
    """Find what repeats an earlier text.

    Texts are looked at in order: one is a duplicate if some earlier text that is kept is the same,
    or shares a band with it and agrees in at least `similarity` of the signature. Of the kept texts
    with one and the same band only the first 16 are looked at.

    Takes about 40 bytes of memory a text. The files take 256 bytes a text and 8 more a band (21
    bands at 0.8); they are gone afterwards.

    Args:
        shards: in the order that decides who is first; each is looked at once, so that one at a
            time needs to be in memory.
        similarity: Jaccard likeness of word shingles, as signatures estimate it.
        folder: for those files.
        kinds: of each text; only texts of the same kind are near duplicates. None: all are of one.
    """
    with TemporaryDirectory(dir=folder, prefix="duplicates-") as aside:
        path = Path(aside) / "signatures"
        exact, width = _lay_out(shards, path)
        result = Duplicates(
            duplicate_of=np.full(len(exact), -1, dtype=np.int64),
            near=np.zeros(len(exact), dtype=np.bool_),
            similarity=np.ones(len(exact), dtype=np.float32),
        )
        _mark_exact(exact, result)
        del exact
        if width:
            _mark_near(path, result, width=width, similarity=similarity, kinds=kinds)
    return result


def bands_for(width: int, *, similarity: float) -> tuple[int, int]:
    """How many bands of how many numbers each: the longest that find pairs just alike enough.

    Two texts of likeness s agree in a band of r numbers with probability s**r, and in one of b
    bands with 1 - (1 - s**r)**b.
    """
    for size in range(width, 1, -1):
        number = width // size
        if 1 - (1 - similarity**size) ** number >= _FOUND:
            return number, size
    return width, 1


def _lay_out(shards: Iterable[Shard], path: Path) -> tuple[Hashes, int]:
    """Write all signatures into one file; what texts say, and the numbers of a signature."""
    exact = [np.empty(0, dtype=np.uint64)]
    width = 0
    with path.open("wb") as file:
        for of_shard, minhash in shards:
            exact.append(np.array(of_shard))
            width = minhash.shape[1]
            minhash.tofile(file)
    return np.concatenate(exact), width


def _mark_exact(exact: Hashes, result: Duplicates) -> None:
    order = np.argsort(exact, kind="stable")
    ordered = exact[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    del ordered
    sizes = np.diff(np.flatnonzero(is_first), append=len(order))
    result.duplicate_of[order] = np.repeat(order[is_first], sizes)
    result.duplicate_of[order[is_first]] = -1


def _mark_near(
    path: Path, result: Duplicates, *, width: int, similarity: float, kinds: Hashes | None
) -> None:
    number, size = bands_for(width, similarity=similarity)
    files = [path.with_name(f"band-{band}") for band in range(number)]
    rows = _write_bands(path, files, result, width=width, size=size)
    cells = 0
    for file in files:
        cells = _write_buckets(file, first_cell=cells)
    if not cells:
        return
    # Of each bucket its kept rows, counted from 1, as they are met; then zeros.
    met = np.memmap(path.with_name("met"), dtype=np.int32, mode="w+", shape=(cells,)).data
    with path.open("rb") as signatures:
        likeness = _Likeness(file=signatures.fileno(), width=width)
        for row, buckets in _in_buckets(rows, files):
            candidates = sorted({other for bucket in buckets for other in _met_in(bucket, met)})
            if kinds is not None:
                candidates = [other for other in candidates if kinds[other] == kinds[row]]
            found = likeness.first(row, candidates, least=similarity)
            if found is None:
                for bucket in buckets:
                    _meet(row, bucket, met)
            else:
                result.near[row] = True
                result.duplicate_of[row], result.similarity[row] = found


def _write_bands(
    path: Path, files: list[Path], result: Duplicates, *, width: int, size: int
) -> Rows:
    """Write a hash of each band, a file a band; the rows that they belong to.

    Rows that are gone already or too short to be like anything have none.
    """
    handles = [file.open("wb") for file in files]
    rows = [np.empty(0, dtype=np.int64)]
    for first in range(0, len(result.duplicate_of), _ROWS_AT_ONCE):
        block = np.fromfile(
            path, dtype=np.uint16, count=_ROWS_AT_ONCE * width, offset=first * width * 2
        ).reshape(-1, width)
        usable = block.any(axis=1) & (result.duplicate_of[first : first + len(block)] < 0)
        rows.append(first + np.flatnonzero(usable))
        chosen = block[usable].astype(np.uint64)
        for band, handle in enumerate(handles):
            key = np.zeros(len(chosen), dtype=np.uint64)
            for column in range(band * size, (band + 1) * size):
                key = mixed(key ^ chosen[:, column])
            key.tofile(handle)
    for handle in handles:
        handle.close()
    return np.concatenate(rows)


def _write_buckets(file: Path, *, first_cell: int) -> int:
    """Replace a band's hashes by buckets: -1 for a row that agrees with no other.

    Returns:
        the cell after the last; a bucket has a cell for each of its rows and is named by its first.
    """
    keys = np.fromfile(file, dtype=np.uint64)
    if not len(keys):
        return first_cell
    order = np.argsort(keys)
    keys = keys[order]
    starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    del keys
    sizes = np.diff(starts, append=len(order))
    ends = first_cell + np.cumsum(np.where(sizes > 1, sizes, 0))
    buckets = np.empty(len(order), dtype=np.int64)
    buckets[order] = np.repeat(np.where(sizes > 1, ends - sizes, -1), sizes)
    buckets.tofile(file)
    return int(ends[-1])


def _in_buckets(rows: Rows, files: list[Path]) -> Iterator[tuple[int, list[int]]]:
    """Each row that is in buckets, and those, in the order of rows."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        block = np.stack(
            [
                np.fromfile(file, dtype=np.int64, count=_ROWS_AT_ONCE, offset=first * 8)
                for file in files
            ],
            axis=1,
        )
        for at in np.flatnonzero((block >= 0).any(axis=1)).tolist():
            yield int(rows[first + at]), [cell for cell in block[at].tolist() if cell >= 0]


def _met_in(bucket: int, met: memoryview) -> Iterator[int]:
    # The last row of a bucket fills its last cell, and nobody looks after it: a 0 comes in time.
    for cell in range(bucket, bucket + _COMPARED):
        if met[cell] == 0:
            return
        yield met[cell] - 1


def _meet(row: int, bucket: int, met: memoryview) -> None:
    for cell in range(bucket, bucket + _COMPARED):
        if met[cell] == 0:
            met[cell] = row + 1
            return


@dataclass(frozen=True, kw_only=True)
class _Likeness:
    """Compares signatures that lie in a file; read, not mapped, so that none stays in memory."""

    file: int
    width: int

    def first(self, row: int, candidates: list[int], *, least: float) -> tuple[int, float] | None:
        """The first candidate that is like a row, and how alike they are."""
        own = self._signature(row)
        for other in candidates:
            alike = np.count_nonzero(own == self._signature(other)) / self.width
            if alike >= least:
                return other, alike
        return None

    def _signature(self, row: int) -> npt.NDArray[np.uint16]:
        size = 2 * self.width
        return np.frombuffer(os.pread(self.file, size, row * size), dtype=np.uint16)
