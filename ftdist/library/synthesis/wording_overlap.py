"""How much the trained wordings of a question resemble each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

_WORD = re.compile(r"[\w'\u2019-]+")
_N = 4


@dataclass
class WordingOverlap:
    """Sums over questions with two wordings or more.

    Attributes:
        questions: how many there are.
        wordings: of all of them.
        word_overlap: sum over questions of the mean word overlap (Jaccard) of pairs of wordings.
        ngram_overlap: sum over questions of the share of a wording's four-word sequences that
            another wording of the question has too.
    """

    questions: int = 0
    wordings: int = 0
    word_overlap: float = 0.0
    ngram_overlap: float = 0.0

    def record(self, wordings: Sequence[str]) -> None:
        """Add the trained wordings of one question."""
        if len(wordings) < 2:
            return
        words = [_WORD.findall(text.casefold()) for text in wordings]
        self.questions += 1
        self.wordings += len(wordings)
        self.word_overlap += mean_word_overlap(words)
        self.ngram_overlap += shared_ngrams(words)

    def add(self, other: "WordingOverlap") -> None:
        """Add those of another shard or source."""
        self.questions += other.questions
        self.wordings += other.wordings
        self.word_overlap += other.word_overlap
        self.ngram_overlap += other.ngram_overlap

    def values(self) -> dict[str, Any]:
        """Means, for the manifest; empty without questions."""
        if not self.questions:
            return {}
        return {
            "questions": self.questions,
            "per_question": round(self.wordings / self.questions, 2),
            "word_overlap": round(self.word_overlap / self.questions, 3),
            "ngram_overlap": round(self.ngram_overlap / self.questions, 3),
        }


def mean_word_overlap(texts: Sequence[Sequence[str]]) -> float:
    """The mean over pairs of texts of common words by all words, 0 to 1; needs two texts."""
    pairs = list(combinations([frozenset(words) for words in texts], 2))
    return sum(len(one & two) / max(1, len(one | two)) for one, two in pairs) / len(pairs)


def shared_ngrams(texts: Sequence[Sequence[str]]) -> float:
    """The mean over texts of the share of their four-word sequences that another one has, 0 to 1.

    A text of fewer words shares none.
    """
    ngrams = [{tuple(words[at : at + _N]) for at in range(len(words) - _N + 1)} for words in texts]
    shares = [
        len(mine & set().union(*ngrams[:at], *ngrams[at + 1 :])) / len(mine) if mine else 0.0
        for at, mine in enumerate(ngrams)
    ]
    return sum(shares) / len(shares)
