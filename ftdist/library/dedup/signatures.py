"""Content hashes and MinHash signatures of texts, for finding duplicates."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from ftdist.text.ngram_hashes import Hashes, word_hashes, word_ngrams

PERMUTATIONS = 128
"""Numbers in a signature; the similarity they estimate has a standard error of 0.035 at 0.8."""

SHINGLE_WORDS = 5

MIN_WORDS = 8
"""Shorter texts have only exact duplicates: in them a single word may make the difference."""

_SEED = 4
_SHINGLES_PER_BATCH = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """Signatures of n texts."""

    exact: Hashes
    """uint64[n], equal where texts are equal, letter case and whitespace aside."""

    minhash: npt.NDArray[np.uint16]
    """uint16[n, PERMUTATIONS]: the share in which two rows agree estimates their similarity.

    The lowest bits of 32-bit minima are enough (Li and Koenig, "b-Bit Minwise Hashing", 2010).
    Rows of zeros are texts that are too short.
    """


def signatures(texts: Iterable[str]) -> Signatures:
    """Signatures of texts, in order; similarity is between their sets of word 5-grams."""
    exact: list[int] = []
    shingles: list[Hashes] = []
    waiting = 0
    batches = [np.empty((0, PERMUTATIONS), dtype=np.uint16)]
    for text in texts:
        exact.append(_content_hash(text))
        words = word_hashes(text)
        is_long = len(words) >= MIN_WORDS
        shingles.append(word_ngrams(words, n=SHINGLE_WORDS) if is_long else words[:0])
        waiting += len(shingles[-1])
        if waiting >= _SHINGLES_PER_BATCH:
            batches.append(_minhash(shingles))
            shingles, waiting = [], 0
    batches.append(_minhash(shingles))
    return Signatures(exact=np.array(exact, dtype=np.uint64), minhash=np.concatenate(batches))


def _content_hash(text: str) -> int:
    # Punctuation counts: "a + b" and "a - b" are two questions.
    normalized = " ".join(text.casefold().split()).encode()
    return int.from_bytes(hashlib.blake2b(normalized, digest_size=8).digest())


def _minhash(shingles: list[Hashes]) -> npt.NDArray[np.uint16]:
    lengths = np.array([len(hashes) for hashes in shingles], dtype=np.uint64)
    minhash = np.zeros((len(shingles), PERMUTATIONS), dtype=np.uint16)
    if lengths.any():
        ends = np.cumsum(np.append(np.uint64(0), lengths), dtype=np.uint64)
        digests = RMinHash.digest_matrix_from_flat_token_hashes(
            np.concatenate(shingles), ends, PERMUTATIONS, _SEED
        )
        minhash[:] = np.array(digests.to_rows(), dtype=np.uint32) & 0xFFFF
        minhash[lengths == 0] = 0
    return minhash
