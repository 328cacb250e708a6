"""What a text says and what it resembles, in a few numbers, for finding duplicates."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from ftdist.text.ngram_hashes import Hashes, word_hashes, word_ngrams

EXACT, MINHASH = "exact.npy", "minhash.npy"
"""Files of a shard's signatures."""

PERMUTATIONS = 128
"""Numbers of a signature; the likeness they tell has a standard error of 0.035 at 0.8."""

SHINGLE_WORDS = 5

MIN_WORDS = 8
"""Shorter texts have no likeness, only exact duplicates: one word may be all that counts."""

_SEED = 4
_SHINGLES_AT_ONCE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """Signatures of n texts."""

    exact: Hashes
    """uint64[n], equal where texts are equal, letter case and blanks aside."""

    minhash: npt.NDArray[np.uint16]
    """uint16[n, PERMUTATIONS]: the share in which two rows agree is the likeness of their texts.

    The lowest bits of 32-bit minima are enough (Li and Koenig, "b-Bit Minwise Hashing", 2010).
    Zeros stand for a text that is too short.
    """


def signatures(texts: Iterable[str]) -> Signatures:
    """Signatures of texts, in their order; the likeness is of their sets of word 5-grams."""
    exact: list[int] = []
    shingles: list[Hashes] = []
    waiting = 0
    rows: list[npt.NDArray[np.uint16]] = [np.empty((0, PERMUTATIONS), dtype=np.uint16)]
    for text in texts:
        exact.append(_exact(text))
        words = word_hashes(text)
        enough = len(words) >= MIN_WORDS
        shingles.append(word_ngrams(words, n=SHINGLE_WORDS) if enough else words[:0])
        waiting += len(shingles[-1])
        if waiting >= _SHINGLES_AT_ONCE:
            rows.append(_minhash(shingles))
            shingles, waiting = [], 0
    rows.append(_minhash(shingles))
    return Signatures(exact=np.array(exact, dtype=np.uint64), minhash=np.concatenate(rows))


def _exact(text: str) -> int:
    # Punctuation counts: "a + b" and "a - b" are two questions, and short texts have no likeness.
    plain = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest())


def _minhash(shingles: list[Hashes]) -> npt.NDArray[np.uint16]:
    lengths = np.array([len(of_text) for of_text in shingles], dtype=np.uint64)
    found = np.zeros((len(shingles), PERMUTATIONS), dtype=np.uint16)
    if lengths.any():
        ends = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(lengths, dtype=np.uint64)])
        digests = RMinHash.digest_matrix_from_flat_token_hashes(
            np.concatenate(shingles), ends, PERMUTATIONS, _SEED
        )
        found[:] = np.array(digests.to_rows(), dtype=np.uint32) & 0xFFFF
        found[lengths == 0] = 0
    return found
