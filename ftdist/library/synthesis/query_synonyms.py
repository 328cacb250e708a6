"""Everyday words and others that people use for the same, for queries of keywords.

In a query a word has no grammar around it, so that a verb may stand for a noun. Each line of
`query_synonyms.txt` is a word and what it may be replaced by, with dashes for blanks.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files


def with_query_synonyms(words: Sequence[str], *, key: str) -> list[str]:
    """Keywords, those that have others of the same meaning replaced by one of them.

    Args:
        words: of a query; a name with a capital stays.
        key: decides which is taken.
    """
    return [_other(word, key=key) for word in words]


def _other(word: str, *, key: str) -> str:
    others = _synonyms().get(word)
    if not others:
        return word
    digest = hashlib.blake2b(f"{key}|{word}".encode()).digest()
    return others[digest[0] % len(others)]


@cache
def _synonyms() -> dict[str, Sequence[str]]:
    text = files(__package__).joinpath("query_synonyms.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines())
    return {word: [other.replace("-", " ") for other in others] for word, *others in lines}
