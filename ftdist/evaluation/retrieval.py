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
import numpy.typing as npt

from ftdist.evaluation.library_passages import LibraryPassage
from ftdist.evaluation.scoring.key_facts import missing_keys
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
        self._of_document: dict[str, npt.NDArray[np.bool_]] = {}
        self._bm25 = bm25s.BM25(method="lucene")
        if passages:
            once: dict[str, str] = {}  # a term is kept once, however many passages have it
            terms = [
                [once.setdefault(term, term) for term in _terms(passage.text)] or [""]
                for passage in passages
            ]
            self._bm25.index(terms, show_progress=False)

    def search(self, question: str, *, count: int) -> list[int]:
        """At most `count` passages that share words with the question, the best first."""
        return [index for index, _ in self.ranked(question, count=count)]

    def ranked(self, question: str, *, count: int, document: str = "") -> list[tuple[int, float]]:
        """The same with their scores, which are above 0; ties in the library's order.

        Args:
            question: to search with.
            count: of passages.
            document: whose passages alone are searched; empty: all.
        """
        terms = list(_terms(question))
        if not self.passages or not terms:
            return []
        scores = np.asarray(self._bm25.get_scores(terms))
        if document:
            scores = np.where(self._is_of(document), scores, 0)
        found = np.flatnonzero(scores > 0)
        if len(found) > count:
            least = np.partition(scores[found], -count)[-count]
            found = found[scores[found] >= least]
        best = found[np.argsort(-scores[found], kind="stable")][:count]
        return [(int(index), float(scores[index])) for index in best]

    def _is_of(self, document: str) -> npt.NDArray[np.bool_]:
        """Whether each passage is of the document."""
        if document not in self._of_document:
            self._of_document[document] = np.array(
                [passage.is_of(document) for passage in self.passages], dtype=np.bool_
            )
        return self._of_document[document]


def states_keys(texts: Sequence[str], keys: Iterable[str], *, known: str) -> bool:
    """Whether each key is in one of the texts, as the judge finds keys in an answer.

    Args:
        texts: to search.
        keys: of a probe.
        known: its right answer.
    """
    return all(any(not missing_keys(text, (key,), known=known) for text in texts) for key in keys)


def contains_lines(text: str, lines: Iterable[str]) -> bool:
    """Whether a text contains the words of each line, in order."""
    spaced = _spaced(text)
    return all(_spaced(line) in spaced for line in lines)


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
