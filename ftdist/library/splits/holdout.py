"""What is kept out of training: chosen by what it says, never by where it stands."""

import hashlib

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes, mixed

MIN_DOCS = 20
"""A source with fewer keeps out none: one of ten manuals would be a tenth of what is learned."""


def choose_heldout(hashes: Hashes, *, share: float, most: int, seed: int) -> npt.NDArray[np.bool_]:
    """Choose the units whose keyed hash lies below a threshold.

    Equal content stays together. Neither the order of units nor units that are added later change
    what becomes of the others, but for what `most` cuts off and at `MIN_UNITS`.

    Args:
        hashes: of what each unit says.
        share: of the units to choose, about, in [0, 1).
        most: of the units to choose, those with the smallest keyed hashes.
        seed: another chooses others.

    Returns:
        bool, one a unit.
    """
    if len(hashes) < MIN_DOCS:
        return np.zeros(len(hashes), dtype=np.bool_)
    key = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    places = mixed(hashes ^ np.uint64(int.from_bytes(key)))
    chosen = places < np.uint64(int(share * 2**64))
    smallest = np.sort(places[chosen])
    if len(smallest) > most:
        # Below the first that is too many, not up to the last that fits: equal ones go together.
        chosen &= places < smallest[most]
    return chosen
