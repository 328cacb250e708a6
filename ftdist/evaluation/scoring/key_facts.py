"""Find the key facts of a known answer in another answer."""

import re
from collections.abc import Sequence
from functools import lru_cache

from ftdist.text.matching import KeyText

_NOT = frozenset(("not", "never", "no", "without"))
_NEAR = 3
"""Words before a key in which a negation counts."""

_LIMIT_WORDS = """
more less exceed fewer longer later earlier higher lower over under above below until before than
only just beyond"""
_LIMITS = frozenset(_LIMIT_WORDS.split())
"""After a negation, words that set a limit or go on: "not more than 9 bar", "not only"."""

_CLAUSES = re.compile(
    r"^\W*no\s*[,.:;\u2013-]|(?<=[.!?;])\s+|\n+|,\s+(?:but|rather)\b|\s+but\b", re.IGNORECASE
)
"""Between clauses, so that a negation reaches no further; "No, 9 seconds" negates nothing."""


def missing_keys(answer: str, keys: Sequence[str], *, known: str) -> tuple[str, ...]:
    """The keys that an answer does not state.

    A key counts where it is negated only if the known answer negates it too: "not 9 seconds" does
    not state "9 seconds".

    Args:
        answer: what the model wrote.
        keys: of the probe.
        known: the right answer, which holds the keys.
    """
    return tuple(
        key
        for key in keys
        if not _polarities(answer, key) & (_polarities(known, key) or frozenset((False,)))
    )


@lru_cache(maxsize=4096)
def _polarities(text: str, key: str) -> frozenset[bool]:
    """Whether the key is negated, at each place where the text holds it."""
    found = set()
    for clause in _clauses(text):
        found |= {_is_negated(clause.words, start) for start in clause.find(key)}
    # A key over the end of a clause, such as a whole answer of two.
    if not found and KeyText(text).find(key):
        found.add(False)
    return frozenset(found)


@lru_cache(maxsize=512)
def _clauses(text: str) -> tuple[KeyText, ...]:
    return tuple(KeyText(clause) for clause in _CLAUSES.split(text))


def _is_negated(words: Sequence[str], start: int) -> bool:
    before = words[max(0, start - _NEAR) : start]
    for place, word in enumerate(before):
        if word in _NOT:
            return not _LIMITS & set(before[place + 1 :])
    return False
