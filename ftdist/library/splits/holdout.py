"""Choice of held-out rows by a keyed hash of their content, independent of their order."""

import hashlib

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes, mixed

MIN_DOCS = 20
"""A source with fewer documents holds out none: one of ten manuals is a tenth of the knowledge."""

MIN_CONVERSATIONS = 10
"""A source with at least so many conversations holds out one or more."""


def choose_heldout(
    hashes: Hashes, *, fraction: float, max_docs: int, seed: int, min_docs: int, at_least: int = 0
) -> npt.NDArray[np.bool_]:
    """Choose the documents or conversations whose keyed hash is below a threshold.

    Equal content stays together. Neither a new order nor added documents change the choice of the
    others, except through the limits.

    Args:
        hashes: of each document's content.
        fraction: of the documents to hold out, approximately, in [0, 1).
        max_docs: hold out at most so many, apart from rows equal to one of them.
        seed: a different seed chooses different documents.
        min_docs: with fewer documents, none is held out.
        at_least: hold out so many even if fewer are below the threshold, unless `fraction` is 0.

    Returns:
        bool[n]
    """
    if len(hashes) < min_docs or fraction == 0:
        return np.zeros(len(hashes), dtype=np.bool_)
    key = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    keyed = mixed(hashes ^ np.uint64(int.from_bytes(key)))
    chosen = keyed < np.uint64(int(fraction * 2**64))
    chosen &= smallest(keyed, max_docs)
    return chosen | smallest(keyed, at_least) if chosen.sum() < at_least else chosen


def smallest(keyed: Hashes, count: int) -> npt.NDArray[np.bool_]:
    """The `count` rows with the smallest keyed hashes; rows of equal content stay together."""
    if count >= len(keyed):
        return np.ones(len(keyed), dtype=np.bool_)
    chosen: npt.NDArray[np.bool_] = keyed <= np.partition(keyed, count - 1)[count - 1]
    return chosen
