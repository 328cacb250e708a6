"""Words in a row that held-out text shares with training text: found, mended, proved gone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes, word_hashes, word_ngrams

_SIEVE_BITS = 24
"""Most bits of a hash by which n-grams of training are told from those held out at a glance."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What a comparison of held-out with training text found."""

    moved: npt.NDArray[np.bool_]
    """Of each held-out unit, whether it goes back to training."""

    checked: int
    """N-grams of the units that stay held out."""

    training: int
    """N-grams of the training text, with what went back, that they were compared with."""

    shared: int
    """Units that share an n-gram with it in the end, as a second look counts them: 0."""

    @classmethod
    def nothing(cls) -> Self:
        """Of no held-out units."""
        return cls(moved=np.zeros(0, dtype=np.bool_), checked=0, training=0, shared=0)


def ngram_hashes(text: str, *, words: int) -> Hashes:
    """Hashes of all runs of `words` words, letter case, blanks and punctuation aside.

    A text of fewer words is one run. It is found in no longer text, only among short ones: that a
    common phrase stands in a manual does not make a question known.
    """
    return word_ngrams(word_hashes(text), words=words)


def settle(held_out: Sequence[Hashes], training: Callable[[], Iterable[Hashes]]) -> Overlap:
    """Give back to training what shares an n-gram with it, until nothing held out does.

    What goes back counts as training for what is left. Held-out text is in memory, about 20 bytes
    an n-gram; training text streams by, twice if anything goes back.

    Args:
        held_out: n-grams of each unit.
        training: gives n-grams of all training text, piece by piece, anew at each call.
    """
    index = _Index(held_out)
    seen = index.meet(training())
    moved = index.units_met()
    while True:
        seen += index.meet(held_out[unit] for unit in np.flatnonzero(moved).tolist())
        grown = index.units_met()
        if (grown == moved).all():
            break
        moved = grown
    left = [unit for unit, is_moved in zip(held_out, moved, strict=True) if not is_moved]
    return Overlap(
        moved=moved,
        checked=sum(map(len, left)),
        training=seen,
        shared=0,
    )


def shared(held_out: Sequence[Hashes], training: Iterable[Hashes]) -> npt.NDArray[np.bool_]:
    """Which units share an n-gram with training; training streams by."""
    index = _Index(held_out)
    index.meet(training)
    return index.units_met()


class _Index:
    """The n-grams of held-out units, sorted, and which of them were met."""

    def __init__(self, units: Sequence[Hashes]) -> None:
        self._number = len(units)
        owners = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
        grams = np.concatenate([np.empty(0, dtype=np.uint64), *units])
        order = np.argsort(grams, kind="stable")
        self._grams, self._owners = grams[order], owners[order]
        self._met = np.zeros(len(grams), dtype=np.bool_)
        bits = min(_SIEVE_BITS, (256 * len(grams)).bit_length())
        self._low = np.uint64(2**bits - 1)
        self._sieve = np.zeros(2**bits, dtype=np.bool_)
        self._sieve[grams & self._low] = True

    def meet(self, training: Iterable[Hashes]) -> int:
        """Mark what training holds; how many n-grams that is."""
        seen = 0
        for grams in training:
            seen += len(grams)
            unique = np.unique(grams[self._sieve[grams & self._low]])
            first = np.searchsorted(self._grams, unique, side="left")
            end = np.searchsorted(self._grams, unique, side="right")
            for begin, stop in zip(first[end > first], end[end > first], strict=True):
                self._met[begin:stop] = True
        return seen

    def units_met(self) -> npt.NDArray[np.bool_]:
        """Which units hold an n-gram that was met."""
        met = np.zeros(self._number, dtype=np.bool_)
        met[self._owners[self._met]] = True
        return met
