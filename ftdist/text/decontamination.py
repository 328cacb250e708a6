"""N-gram decontamination: held-out texts that share n-grams with training move back to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ftdist.text.ngram_hashes import Hashes

_MAX_FILTER_BITS = 24
"""Low bits of a hash by which most training n-grams are ruled out before they are looked up."""


@dataclass(frozen=True, kw_only=True)
class Decontamination:
    """Which held-out texts are contaminated, and how many n-grams were compared."""

    moved: npt.NDArray[np.bool_]
    """Per held-out text: whether it goes back to training."""

    heldout_ngrams: int
    """N-grams of the texts that stay held out; none of them occurs in training."""

    training_ngrams: int
    """N-grams of the training texts that they were compared with, those of moved texts included."""


def decontaminate(
    heldout: Sequence[Hashes], training: Callable[[], Iterable[Hashes]]
) -> Decontamination:
    """Move held-out texts to training until no n-gram of the others occurs in training.

    A moved text counts as training for those that are left. Held-out n-grams are in memory, about
    20 bytes each; training n-grams are streamed once.

    Args:
        heldout: n-grams of each held-out text.
        training: returns the n-grams of all training texts, in batches.
    """
    if not heldout:
        return Decontamination(
            moved=np.zeros(0, dtype=np.bool_), heldout_ngrams=0, training_ngrams=0
        )
    index = _Index(heldout)
    compared = index.match(training())
    moved = index.matched_texts()
    newly_moved = moved
    while newly_moved.any():
        compared += index.match(heldout[i] for i in np.flatnonzero(newly_moved).tolist())
        newly_moved = index.matched_texts() & ~moved
        moved = moved | newly_moved
    left = [len(text) for text, is_moved in zip(heldout, moved, strict=True) if not is_moved]
    return Decontamination(moved=moved, heldout_ngrams=sum(left), training_ngrams=compared)


def find_contaminated(
    heldout: Sequence[Hashes], training: Iterable[Hashes]
) -> npt.NDArray[np.bool_]:
    """Which texts share an n-gram with training; training is streamed."""
    index = _Index(heldout)
    index.match(training)
    return index.matched_texts()


class _Index:
    """The sorted n-grams of held-out texts, and which of them occur in training."""

    def __init__(self, texts: Sequence[Hashes]) -> None:
        self._num_texts = len(texts)
        owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        ngrams = np.concatenate([np.empty(0, dtype=np.uint64), *texts])
        order = np.argsort(ngrams, kind="stable")
        self._ngrams, self._owners = ngrams[order], owners[order]
        self._matched = np.zeros(len(ngrams), dtype=np.bool_)
        bits = min(_MAX_FILTER_BITS, (256 * len(ngrams)).bit_length())
        self._low_bits = np.uint64(2**bits - 1)
        self._filter = np.zeros(2**bits, dtype=np.bool_)
        self._filter[ngrams & self._low_bits] = True

    def match(self, training: Iterable[Hashes]) -> int:
        """Mark the n-grams that training contains; returns how many training n-grams there are."""
        compared = 0
        for ngrams in training:
            compared += len(ngrams)
            unique = np.unique(ngrams[self._filter[ngrams & self._low_bits]])
            first = np.searchsorted(self._ngrams, unique, side="left")
            end = np.searchsorted(self._ngrams, unique, side="right")
            for begin, stop in zip(first[end > first], end[end > first], strict=True):
                self._matched[begin:stop] = True
        return compared

    def matched_texts(self) -> npt.NDArray[np.bool_]:
        """Which texts contain a marked n-gram."""
        matched = np.zeros(self._num_texts, dtype=np.bool_)
        matched[self._owners[self._matched]] = True
        return matched
