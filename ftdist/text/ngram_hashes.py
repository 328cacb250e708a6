"""Words of a text as 64-bit hashes, the same on every machine and in every process."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_CHARACTERS_AT_ONCE = 1 << 20
"""Longer texts are hashed in pieces, so that memory stays in bounds; a word on a cut is two."""

_BATCH_CHARACTERS = 1 << 16
"""Of short texts that are hashed together: few enough for a processor's cache."""

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

_ASSIGNED = ((0, 0x40000), (0xE0000, 0xE1000))
"""All that holds letters, marks and numbers: between lies nothing, above what is private."""

_JOINING = "_#+"
"""Parts of words too: C, C++ and C# are three."""

_ODD = 0x9E3779B97F4A7C15


def word_hashes(text: str) -> Hashes:
    """Hashes of a text's words in their order, letter case, blanks and punctuation aside."""
    return _cut_and_hashed(text.casefold())


def _cut_and_hashed(folded: str) -> Hashes:
    cuts = range(0, len(folded), _CHARACTERS_AT_ONCE)
    pieces = [_hashed(folded[cut : cut + _CHARACTERS_AT_ONCE])[0] for cut in cuts]
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate([np.empty(0, dtype=np.uint64), *pieces])


def word_ngrams(hashes: Hashes, *, words: int) -> Hashes:
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


def ngrams_of_texts(texts: Iterable[str], *, lengths: Sequence[int]) -> Iterator[Hashes]:
    """Hashes of all runs of so many words of each text, as `run_hashes` has them, in any order.

    Many texts at a time, which takes a fraction of the time that one by one they would.
    """
    for batch in _batches(texts):
        hashes, counts = _words_of(batch)
        yield np.concatenate([_runs(hashes, counts, words=words) for words in lengths])


def mixed(values: Hashes) -> Hashes:
    """A permutation of the 64-bit numbers that leaves no pattern; equal ones stay equal.

    Source: the finaliser of SplitMix64 (Steele et al., 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts with their case folded, as many together as are hashed at once; a long one alone."""
    batch: list[str] = []
    room = _BATCH_CHARACTERS
    for text in texts:
        folded = text.casefold()
        if len(folded) > room and batch:
            yield batch
            batch, room = [], _BATCH_CHARACTERS
        batch.append(folded)
        room -= len(folded) + 1
    if batch:
        yield batch


def _words_of(folded: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of the words of all texts, and how many are each text's."""
    if len(folded) == 1:
        hashes = _cut_and_hashed(folded[0])
        return hashes, np.array([len(hashes)])
    hashes, starts = _hashed("\n".join(folded))
    ends = np.cumsum([len(text) + 1 for text in folded])
    return hashes, np.diff(np.searchsorted(starts, ends), prepend=0)


def _runs(hashes: Hashes, counts: npt.NDArray[np.int64], *, words: int) -> Hashes:
    """All runs of `words` words that cross no border of texts; of fewer words, one of them all."""
    ends = np.cumsum(counts)
    left = np.repeat(ends, counts) - np.arange(len(hashes))
    begins = [np.flatnonzero(left >= words)]
    lengths = [words]
    for few in np.unique(counts[(counts > 0) & (counts < words)]).tolist():
        begins.append(ends[counts == few] - few)
        lengths.append(few)
    totals = []
    for begin, length in zip(begins, lengths, strict=True):
        total = hashes[begin]
        for step in range(1, length):
            total *= np.uint64(_ODD)
            total += hashes[begin + step]
        totals.append(total)
    return mixed(np.concatenate(totals))


def _hashed(folded: str) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of words, and where each begins.

    A word is a polynomial in an odd base, from prefix sums: no loop over words.
    """
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
    return mixed(hashes), starts


@cache
def _tables() -> tuple[npt.NDArray[np.uint8], Hashes]:
    """Of each code point: what it is to a word, and a number of its own."""
    kinds = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    for first, end in _ASSIGNED:
        categories = (unicodedata.category(chr(point)) for point in range(first, end))
        kinds[first:end] = [category[0] in "LMN" for category in categories]
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
