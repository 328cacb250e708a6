"""Boilerplate: text repeated in many documents of a source, such as navigation and footers."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ftdist.library.schema import Block, Document

_MIN_DOCUMENTS = 5
_MIN_FRACTION = 1 / 3


def block_hash(block: Block) -> int:
    """A hash of a block's text, whitespace and letter case aside."""
    text = f"{block.text} {' '.join(' '.join(cells) for cells in block.rows)}"
    words = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest())


def block_hashes(document: Document) -> npt.NDArray[np.uint64]:
    """Hashes of a document's blocks, each once."""
    return np.unique(np.array([block_hash(block) for block in document.blocks], dtype=np.uint64))


def find_boilerplate(
    per_document: Iterable[npt.NDArray[np.uint64]], *, documents: int
) -> npt.NDArray[np.uint64]:
    """Hashes of blocks in more than a third of the documents, and in at least five; sorted.

    Takes about 30 bytes of memory per block of the source.
    """
    all_hashes = np.concatenate([np.empty(0, dtype=np.uint64), *per_document])
    hashes, counts = np.unique(all_hashes, return_counts=True)
    return hashes[(counts > documents * _MIN_FRACTION) & (counts >= _MIN_DOCUMENTS)]


def drop_boilerplate(
    document: Document, boilerplate: npt.NDArray[np.uint64]
) -> tuple[Document, list[Block]]:
    """A document without the boilerplate at its beginning and end, and the blocks removed.

    Pages begin and end with navigation. Boilerplate between two blocks of a page's own, such as a
    heading that every page has, stays.
    """
    hashes = set(boilerplate.tolist())
    if not hashes:
        return document, []
    own = [i for i, block in enumerate(document.blocks) if block_hash(block) not in hashes]
    if not own:
        return replace(document, blocks=()), list(document.blocks)
    first, end = own[0], own[-1] + 1
    removed = [*document.blocks[:first], *document.blocks[end:]]
    return replace(document, blocks=document.blocks[first:end]), removed
