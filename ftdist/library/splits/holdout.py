"""Choice of held-out rows by a hash of their content, independent of their order."""

import hashlib

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes, mixed

MIN_DOCS = 20
"""A source with fewer documents holds out none: one of ten manuals is a tenth of the knowledge."""


def choose_heldout(
    hashes: Hashes, *, fraction: float, max_docs: int, seed: int
) -> npt.NDArray[np.bool_]:
    """Choose the documents or conversations whose keyed hash is below a threshold.

    Equal content stays together. Neither a new order nor added documents change the choice of the
    others, except through `max_docs` and `MIN_DOCS`.

    Args:
        hashes: of each document's content.
        fraction: of the documents to hold out, approximately, in [0, 1).
        max_docs: hold out at most so many, those with the smallest keyed hashes.
        seed: a different seed chooses different documents.

    Returns:
        bool[n]
    """
    if len(hashes) < MIN_DOCS:
        return np.zeros(len(hashes), dtype=np.bool_)
    key = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    keyed = mixed(hashes ^ np.uint64(int.from_bytes(key)))
    chosen = keyed < np.uint64(int(fraction * 2**64))
    smallest = np.sort(keyed[chosen])
    if len(smallest) > max_docs:
        # Below the first that is too many, not up to the last that fits: equal ones go together.
        chosen &= keyed < smallest[max_docs]
    return chosen
