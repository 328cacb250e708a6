"""Forms of a question that training never takes, for probes.

A wording by rule holds the question whole, so that of a long one it repeats a long run of words.
These do not: the sentences in another order, and what people type who are in a hurry.
"""

import re
from collections.abc import Iterator

from ftdist.library.synthesis.paraphrases import looks_english

_ASKS = r"(?:what|why|how|where|when|which|who)\b"
_PIECES = re.compile(
    r"(?<=[.!?])\s+|\s+[\u2013\u2014-]\s+|"
    rf",\s+(?:so\s+|and\s+|but\s+)?(?={_ASKS}[^,.?]*\?$)",
    re.IGNORECASE,
)
_LEANS = re.compile(r"(?:if|when|since|because|after|as|while|for|in|on|with)\b", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_SHORT_SENTENCE_WORDS = 7
"""Sentences up to this length stay as they are in a hurry."""

_SMALL_WORDS = """
a an the i my me you your we our us it its they them their this these those there i'm it's there's
you're we're is are am was were be been do does did has have had can could would will and just even
also already"""
_SMALLER_WORDS = "to of at by for from with in into on about as than that"
_SMALL = frozenset(_SMALL_WORDS.split())
_SMALLER = _SMALL | frozenset(_SMALLER_WORDS.split())
_MIN_WORDS = 3
_MIN_SEARCH_WORDS = 2
_LAST_MARK = re.compile(r"[.,;:!?]+$")


def other_forms(question: str) -> list[str]:
    """Other forms of a question that ask the same, the nearest to careful writing first."""
    question = " ".join(question.split())
    found = [turned(question)]
    if looks_english(question):
        found += [in_haste(question, small=_SMALL), in_haste(question, small=_SMALLER)]
    return [form for form in dict.fromkeys(found) if form and form != question]


def search_words(question: str) -> str:
    """The words of an English question that a search box gets; "": too few are left, or all."""
    question = " ".join(question.split())
    if not looks_english(question):
        return ""
    words = list(_drop_small_words(question.rstrip("?. ").split(), small=_SMALL))
    text = " ".join(words)
    is_shorter = len(words) < len(question.split())
    return text if is_shorter and len(words) >= _MIN_SEARCH_WORDS else ""


def turned(question: str) -> str:
    """The question with its sentences in the opposite order; "" if it has one.

    A clause that asks, at the end of a sentence, counts as one; a beginning such as "If you" or
    "When it" is no sentence of its own.
    """
    pieces = _PIECES.split(question)
    if len(pieces) < 2 or any(_LEANS.match(piece) for piece in pieces):
        return ""
    ended = [piece if piece[-1] in ".!?" else f"{piece.rstrip(',;:')}." for piece in pieces]
    last, *others = reversed(ended)
    return " ".join([last[0].upper() + last[1:], *others])


def in_haste(question: str, *, small: frozenset[str]) -> str:
    """The question without its small words, as typed into a search box; "": too little is left."""
    sentences = [_hurried(text, small=small) for text in _SENTENCES.split(question)]
    text = " ".join(" ".join(sentence) for sentence in sentences if sentence)
    return text if len(text.split()) >= _MIN_WORDS else ""


def _hurried(sentence: str, *, small: frozenset[str]) -> list[str]:
    """Words of one sentence that stay; the mark after a word that goes is the one's before it."""
    words = sentence.split()
    return (
        words
        if len(words) <= _SHORT_SENTENCE_WORDS
        else list(_drop_small_words(words, small=small))
    )


def _drop_small_words(words: list[str], *, small: frozenset[str]) -> Iterator[str]:
    waiting = before = ""
    for word in words:
        plain = _LAST_MARK.sub("", word).replace("\u2019", "'").casefold()
        if plain not in small or (before, plain) == ("to", "do"):
            if waiting:
                yield waiting
            waiting = word
        elif waiting and (mark := _LAST_MARK.search(word)) and not _LAST_MARK.search(waiting):
            waiting += mark[0]
        before = plain
    if waiting:
        yield waiting
