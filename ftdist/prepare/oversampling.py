"""How often one pass shows each sample, so that each fact of a library is seen about as often.

Curation asks for one fact in 20 wordings and for another in two. Whoever asks for the second one
expects an answer as well, so samples of facts with few wordings are repeated.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ftdist.library.schema import Conversation, Passage

ONCE = 0
"""Instead of a fact's hash: a sample that is never repeated."""


def fact_hash(row: Conversation | Passage, answer: bytes) -> int:
    """A 64-bit hash of what a sample teaches: its answer, at its place in the documents.

    Args:
        row: the sample's.
        answer: what it learns.
    """
    if isinstance(row, Passage) or not row.has_new_fact:
        return ONCE
    content = f"{row.location}\n".encode() + answer
    return int.from_bytes(blake2b(content, digest_size=8).digest())


def repeats_per_pass(facts: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """How often a pass shows each sample.

    A fact with fewer samples than the mean of all facts is shown as often as the mean, rounded;
    its first samples once more than the others, where it does not divide evenly.

    Args:
        facts: of each sample, the hash of its fact, or `ONCE`.

    Returns:
        at least 1 for each sample.
    """
    repeats = np.ones(len(facts), dtype=np.int64)
    repeated = np.flatnonzero(facts != ONCE)
    if not len(repeated):
        return repeats
    _, members, sizes = np.unique(facts[repeated], return_inverse=True, return_counts=True)
    each, more = np.divmod(round(sizes.mean()), sizes)
    order = np.argsort(members, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    repeats[repeated] = np.maximum(1, each[members] + (places < more[members]))
    return repeats
