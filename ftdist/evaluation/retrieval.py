"""Find passages of the library for a question, by BM25.

Words are compared without their case, and also by their first letters, which finds "filters" for
"filtering" in any alphabet without a stemmer for each language. In scripts without spaces, pairs of
characters take the place of words.

Source of BM25: S. Robertson, H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
Foundations and Trends in Information Retrieval 3 (2009) 333-389.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import bm25s
import numpy as np

from ftdist.evaluation.library_passages import LibraryPassage
from ftdist.text.matching import UNSPACED, words
from ftdist.text.number_words import with_digits

_STEM_LETTERS = 6
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")


class PassageIndex:
    """An index of passages.

    Args:
        passages: of the library.
    """

    def __init__(self, passages: Sequence[LibraryPassage]) -> None:
        self.passages = passages
        self._words = [_spaced(passage.text) for passage in passages]
        self._bm25 = bm25s.BM25(method="lucene")
        if passages:
            terms = [list(_terms(passage.text)) or [""] for passage in passages]
            self._bm25.index(terms, show_progress=False)

    def search(self, question: str, *, count: int) -> list[int]:
        """At most `count` passages that share words with the question, the best first."""
        return [index for index, score in self._ranked(question) if score > 0][:count]

    def best_with(
        self, texts: Iterable[str], *, question: str, document: str = ""
    ) -> LibraryPassage | None:
        """The passage that the question finds first among those that contain all the texts.

        Args:
            texts: to contain, word for word.
            question: to search with.
            document: whose passages come before all others.
        """
        wanted = [_spaced(text) for text in texts]
        ranked = [index for index, _ in self._ranked(question)]
        for index in sorted(ranked, key=lambda index: not self.passages[index].is_of(document)):
            if all(text in self._words[index] for text in wanted):
                return self.passages[index]
        return None

    def _ranked(self, question: str) -> list[tuple[int, float]]:
        """All passages with their scores, the best first; ties in the library's order."""
        terms = list(_terms(question))
        if not self.passages or not terms:
            return [(index, 0.0) for index in range(len(self.passages))]
        scores = self._bm25.get_scores(terms)
        return [(int(index), float(scores[index])) for index in np.argsort(-scores, kind="stable")]


def contains_keys(texts: Iterable[str], keys: Iterable[str]) -> bool:
    """Whether each key is in one of the texts."""
    spaced = [_spaced(text) for text in texts]
    return all(any(_spaced(key) in text for text in spaced) for key in keys)


def _spaced(text: str) -> str:
    """The words of a text between blanks, so that a text contains another's words whole."""
    return f" {' '.join(with_digits(words(text)))} "


def _terms(text: str) -> Iterator[str]:
    of_text = with_digits(words(text))
    for word in of_text:
        yield word
        if len(word) > _STEM_LETTERS and word.isalpha():
            yield f"{word[:_STEM_LETTERS]}*"
    for first, second in pairwise(of_text):
        if _UNSPACED_CHARACTER.fullmatch(first) and _UNSPACED_CHARACTER.fullmatch(second):
            yield first + second
