"""Words of a text as 64-bit hashes, the same on every machine and in every process."""

import sys
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_CHARACTERS_AT_ONCE = 1 << 20
"""Longer texts are hashed in pieces, so that memory stays in bounds; a word on a cut is two."""

_IN_WORD, _ALONE = 1, 2

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x9FFF),  # ideographs
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts that set no blanks between words: each character counts as one."""

_JOINING = "_#+"
"""Parts of words too: C, C++ and C# are three."""

_ODD = 0x9E3779B97F4A7C15


def word_hashes(text: str) -> Hashes:
    """Hashes of a text's words in their order, letter case, blanks and punctuation aside."""
    folded = text.casefold()
    cuts = range(0, len(folded), _CHARACTERS_AT_ONCE)
    pieces = [_hashed(folded[cut : cut + _CHARACTERS_AT_ONCE]) for cut in cuts]
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate([np.empty(0, dtype=np.uint64), *pieces])


def run_hashes(hashes: Hashes, *, words: int) -> Hashes:
    """Hashes of all runs of `words` words, in their order; of fewer words, one of them all."""
    length = min(words, len(hashes))
    if length == 0:
        return hashes
    runs = len(hashes) - length + 1
    total = hashes[:runs].copy()
    for step in range(1, length):
        total *= np.uint64(_ODD)
        total += hashes[step : step + runs]
    return mixed(total)


def mixed(values: Hashes) -> Hashes:
    """A permutation of the 64-bit numbers that leaves no pattern; equal ones stay equal.

    Source: the finaliser of SplitMix64 (Steele et al., 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hashed(folded: str) -> Hashes:
    """A word is a polynomial in an odd base, from prefix sums: no loop over words."""
    points = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds, codes = _tables()
    kind = kinds[points]
    before, after = kind[:-1], kind[1:]
    edge = (before != after) | (after == _ALONE)
    cuts = np.concatenate([[0], np.flatnonzero(edge) + 1, [len(kind)]])
    starts = cuts[:-1][kind[cuts[:-1]] > 0]
    ends = cuts[1:][kind[cuts[:-1]] > 0]
    powers, inverses = _powers()
    sums = np.zeros(len(points) + 1, dtype=np.uint64)
    np.cumsum(codes[points] * powers[: len(points)], out=sums[1:])
    hashes: Hashes = (sums[ends] - sums[starts]) * inverses[starts]
    return mixed(hashes)


@cache
def _tables() -> tuple[npt.NDArray[np.uint8], Hashes]:
    """Of each code point: what it is to a word, and a number of its own."""
    categories = (unicodedata.category(chr(point)) for point in range(sys.maxunicode + 1))
    kinds = np.fromiter((category[0] in "LMN" for category in categories), dtype=np.uint8)
    kinds[[ord(character) for character in _JOINING]] = _IN_WORD
    for first, last in _UNSPACED:
        kinds[first : last + 1] *= _ALONE
    return kinds, mixed(np.arange(1, len(kinds) + 1, dtype=np.uint64) * np.uint64(_ODD))


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of the base, and of its inverse modulo 2**64."""
    bases = (_ODD, pow(_ODD, -1, 1 << 64))
    powers = [np.full(_CHARACTERS_AT_ONCE, base, dtype=np.uint64) for base in bases]
    for power in powers:
        power[0] = 1
        np.cumprod(power, out=power)
    return powers[0], powers[1]
