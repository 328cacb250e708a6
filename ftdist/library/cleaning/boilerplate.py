"""Text repeated all over a source's documents: navigation, headers, footers."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ftdist.library.schema import Block, Document

_MIN_DOCUMENTS = 5
_SHARE = 1 / 3
_COMPACTED_AT = 4_000_000
"""Hashes that wait in memory before they are counted."""


def block_hash(block: Block) -> int:
    """A hash of what a block says, blanks and case apart."""
    said = f"{block.text} {' '.join(' '.join(cells) for cells in block.rows)}"
    words = " ".join(said.casefold().split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest())


def block_hashes(document: Document) -> npt.NDArray[np.uint64]:
    """Hashes of a document's blocks, each once."""
    return np.unique(np.array([block_hash(block) for block in document.blocks], dtype=np.uint64))


def find_boilerplate(
    per_document: Iterable[npt.NDArray[np.uint64]], *, documents: int
) -> npt.NDArray[np.uint64]:
    """Hashes of blocks that more than a third of the documents hold, and at least five; sorted."""
    counted: npt.NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
    counts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
    waiting: list[npt.NDArray[np.uint64]] = []
    size = 0
    for hashes in per_document:
        waiting.append(np.asarray(hashes))
        size += len(hashes)
        if size >= _COMPACTED_AT:
            counted, counts = _added(counted, counts, waiting)
            waiting, size = [], 0
    counted, counts = _added(counted, counts, waiting)
    return counted[(counts > documents * _SHARE) & (counts >= _MIN_DOCUMENTS)]


def drop_boilerplate(
    document: Document, repeated: npt.NDArray[np.uint64]
) -> tuple[Document, list[Block]]:
    """A document without what is repeated at its beginning and its end, and what went.

    Pages begin and end with navigation. What is repeated between two blocks of a page's own, such
    as a heading that every page has, stays.
    """
    known = set(repeated.tolist())
    if not known:
        return document, []
    own = [at for at, block in enumerate(document.blocks) if block_hash(block) not in known]
    if not own:
        return replace(document, blocks=()), list(document.blocks)
    first, end = own[0], own[-1] + 1
    gone = [*document.blocks[:first], *document.blocks[end:]]
    return replace(document, blocks=document.blocks[first:end]), gone


def _added(
    hashes: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int64],
    more: list[npt.NDArray[np.uint64]],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    if not more:
        return hashes, counts
    new, new_counts = np.unique(np.concatenate(more), return_counts=True)
    together = np.concatenate([hashes, new])
    unique, inverse = np.unique(together, return_inverse=True)
    weights = np.concatenate([counts, new_counts])
    return unique, np.bincount(inverse, weights=weights, minlength=len(unique)).astype(np.int64)
