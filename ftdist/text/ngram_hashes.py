"""64-bit hashes of a text's words and word n-grams, the same on every machine and in every process.

Letter case, whitespace and punctuation do not count.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_CHUNK_CHARS = 1 << 18
"""Longer texts are hashed in chunks to bound memory; a word across a chunk boundary counts as two.
"""

_BATCH_CHARS = 1 << 16
"""Short texts are hashed together up to this size: few enough for a processor's cache."""

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
"""Scripts without spaces between words: each character counts as a word."""

_ASSIGNED = ((0, 0x40000), (0xE0000, 0xE1000))
"""All letters, marks and numbers: the range between is empty, the one above is for private use."""

_JOINING = "_#+"
"""Parts of words too: C, C++ and C# are three words."""

_BASE = np.uint64(0x9E3779B97F4A7C15)


def word_hashes(text: str) -> Hashes:
    """Hashes of a text's words, in order."""
    return _hash_words([text.casefold()])[0]


def word_ngrams(hashes: Hashes, *, n: int) -> Hashes:
    """Hashes of all n-grams of a text's words, in order; fewer than n words are one n-gram."""
    return _ngrams(hashes, np.array([len(hashes)]), n=n)


def ngram_hashes(text: str, *, n: int) -> Hashes:
    """Hashes of all word n-grams of a text.

    A text of fewer words is one n-gram. It matches only texts as short, never a longer one: a
    common phrase that also occurs in a manual does not make a question known.
    """
    return word_ngrams(word_hashes(text), n=n)


def ngrams_of_texts(texts: Iterable[str], *, sizes: Sequence[int]) -> Iterator[Hashes]:
    """Hashes of all word n-grams of each text, for each n in `sizes`, in any order.

    Texts are hashed in batches, which is many times faster than one by one.
    """
    for batch in _batches(texts):
        hashes, counts = _hash_words(batch)
        yield np.concatenate([_ngrams(hashes, counts, n=n) for n in sizes])


def mixed(values: Hashes) -> Hashes:
    """A pseudo-random permutation of the 64-bit numbers; equal inputs stay equal.

    Source: the finaliser of SplitMix64 (Steele et al., 2014).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Case-folded texts, grouped up to `_BATCH_CHARS`; a longer text is a batch of its own."""
    batch: list[str] = []
    room = _BATCH_CHARS
    for text in texts:
        folded = text.casefold()
        if len(folded) > room and batch:
            yield batch
            batch, room = [], _BATCH_CHARS
        batch.append(folded)
        room -= len(folded) + 1
    if batch:
        yield batch


def _hash_words(folded: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of the words of all texts, and the number of words of each text."""
    joined = "\n".join(folded)
    hashes, starts = [], []
    for first in range(0, max(1, len(joined)), _CHUNK_CHARS):
        chunk_hashes, chunk_starts = _hash_chunk(joined[first : first + _CHUNK_CHARS])
        hashes.append(chunk_hashes)
        starts.append(chunk_starts + first)
    ends = np.cumsum([len(text) + 1 for text in folded])
    counts = np.diff(np.searchsorted(np.concatenate(starts), ends), prepend=0)
    return np.concatenate(hashes), counts


def _hash_chunk(folded: str) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of words, and where each starts: the sum of hashes of its (position, character)s."""
    points = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kind = _char_kinds()[points]
    is_start = kind > 0
    is_start[1:] &= (kind[1:] == _ALONE) | (kind[1:] != kind[:-1])
    in_word = np.flatnonzero(kind)
    if not len(in_word):
        return np.empty(0, dtype=np.uint64), in_word
    word_starts = np.flatnonzero(is_start[in_word])
    starts = in_word[word_starts]
    position = in_word - np.repeat(starts, np.diff(word_starts, append=len(in_word)))
    chars = mixed(points[in_word] + (position.astype(np.uint64) << np.uint64(32)) + np.uint64(1))
    return mixed(np.add.reduceat(chars, word_starts)), starts


def _ngrams(hashes: Hashes, counts: npt.NDArray[np.int64], *, n: int) -> Hashes:
    """N-grams that cross no text boundary, in order; a text of fewer words is one n-gram."""
    words_left = np.repeat(np.cumsum(counts), counts) - np.arange(len(hashes))
    lengths = np.minimum(np.repeat(counts, counts), n)
    totals = hashes.copy()
    for i in range(1, min(n, len(hashes))):
        longer = totals[:-i] * _BASE + hashes[i:]
        np.copyto(totals[:-i], longer, where=lengths[:-i] > i)
    return mixed(totals[words_left >= lengths])


@cache
def _char_kinds() -> npt.NDArray[np.uint8]:
    """Per code point: 0 outside words, `_IN_WORD`, or `_ALONE` for a word of its own."""
    kinds = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    for first, end in _ASSIGNED:
        categories = (unicodedata.category(chr(point)) for point in range(first, end))
        kinds[first:end] = [category[0] in "LMN" for category in categories]
    kinds[[ord(character) for character in _JOINING]] = _IN_WORD
    for first, last in _UNSPACED:
        kinds[first : last + 1] *= _ALONE
    return kinds
