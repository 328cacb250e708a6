"""Sentences as people type them into a search box: by a few of their words."""

import re
from collections.abc import Iterable, Sequence

from ftdist.library.synthesis.answer_spans import without_values

_STOP_WORDS = """
a an the this that these those it its they them their he she his her i me my we us our you your
is are am was were be been being do does did has have had can could may might must shall should
will would to of with on in at for from by and or nor as if so than then there here what which who
whom whose how when where why not no any some all both each every such only just also very too
more most much many few into onto out off up over about because until before after while once one
again please another other same own while whereas however"""
_STOPS = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f0-9][\w\u2019'+-]*")
_NO_WORD = re.compile(r"\S*[/\\$<>={}@]\S*")
"""Paths, variables, addresses."""

_MAX_WORDS = 8
_FEW = 3
"""Words of a short query, beside the name of what it is about."""


class KeywordQueries:
    """Queries of the sentences of one document, short where few words tell one from the others.

    Args:
        texts: the sentences.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._having: dict[str, set[str]] = {}
        for text in texts:
            for word in keywords(text):
                self._having.setdefault(word.casefold(), set()).add(text)

    def queries(self, text: str) -> list[Sequence[str]]:
        """The words of up to three queries of a sentence: all of them, the rarest, and others."""
        words = list(dict.fromkeys(keywords(text)))
        rarest = sorted(words, key=lambda word: len(self._having.get(word.casefold(), ())))
        found: list[Sequence[str]] = [words[:_MAX_WORDS]]
        for few in (rarest[:_FEW], [*rarest[:1], *rarest[_FEW : 2 * _FEW - 1]]):
            if 2 <= len(few) < len(words) and self._is_clear(few):
                found.append([word for word in words if word in few])
        return found

    def _is_clear(self, words: Sequence[str]) -> bool:
        having = (self._having.get(word.casefold(), set()) for word in words)
        return len(set.intersection(*having)) <= 1


def keywords(text: str) -> list[str]:
    """The words of a sentence that say what it is about, without its values."""
    found = _WORD.findall(_NO_WORD.sub(" ", without_values(text)))
    words = (re.sub(r"['\u2019]s$", "", word).strip("'\u2019-") for word in found)
    return [
        word.lower() if word[1:] == word[1:].lower() else word
        for word in words
        if word and word.lower() not in _STOPS and not word.isdigit()
    ]
