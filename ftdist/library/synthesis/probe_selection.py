"""Questions withheld from training, in wordings that it does not see."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ftdist.library.synthesis.probe_variants import other_forms
from ftdist.text.decontamination import find_contaminated
from ftdist.text.matching import contains_words
from ftdist.text.ngram_hashes import ngram_hashes

_CODE = re.compile(
    r"(?<!\w)(?:--?[A-Za-z][\w-]+|[A-Za-z]+_\w+|\w+\.(?:conf|cfg|py|sh|ini|ya?ml)|/\w[\w/.-]+)"
)
_NUMBER = r"\d+(?:[.,:]\d+)*"
_NO_UNIT = "a|after|all|an|and|are|as|at|before|by|for|from|if|in|is|of|on|or|per|the|to|until|with"
_QUANTITY = re.compile(
    rf"(?<![\w.])(?<!\d[,:])(?<!\w[-\u2013])"
    rf"(-?{_NUMBER})(?:[-\u2013]({_NUMBER}))?(?![-\u2013.,:]?\d)"
    rf"(\s?(?:%|(?!(?:{_NO_UNIT})\b)[a-zA-Z\u00b0\u03bc]{{1,12}}[\u00b2\u00b3]?(?!\w)))?"
)
"""A number with its unit, or both ends of a range; three parts are a date, or to be dialled."""

_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)*", re.MULTILINE)
_WORD_NAME = re.compile(r"\b[A-Z][\w-]+")
_COMMON_TIMES, _COMMON_SHARE = 3, 0.2
_MAX_KEYS = 2
_SHORT_ANSWER_WORDS = 6


def withhold_probe(
    wordings: Sequence[str], *, trained: int, overlap_words: int
) -> tuple[list[str], str | None]:
    """Wordings for training, and a form of the question that is kept from it; None: none can be.

    The second wording, which turns the sentence where a rule fits, if it shares no long run of
    words with those that are trained; else another form of the question that does not.

    Args:
        wordings: the question's own first.
        trained: most of them that are trained.
        overlap_words: words in a row that what is kept may not share with them.
    """
    question = wordings[0]
    candidates = [*wordings[1:2], *other_forms(question)] if len(wordings) > 2 else []
    for held in candidates or other_forms(question):
        training = [wording for wording in wordings if wording != held][:trained]
        ngrams = [ngram_hashes(wording, n=overlap_words) for wording in training]
        if not find_contaminated([ngram_hashes(held, n=overlap_words)], ngrams).any():
            return training, held
    return list(wordings[:trained]), None


def is_probe_question(question: str, *, one_in: int, seed: int) -> bool:
    """Whether a question gives a probe: one in so many do, by a hash of the question."""
    digest = hashlib.blake2b(f"{seed} {question}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % max(1, one_in) == 0


def common_names(answers: Iterable[str]) -> str:
    """Names that stand in a fifth of a document's answers, and so tell none of them apart."""
    texts = list(answers)
    found = Counter(name for text in texts for name in set(_WORD_NAME.findall(text)))
    least = max(_COMMON_TIMES, _COMMON_SHARE * len(texts))
    return " ".join(sorted(name for name, times in found.items() if times >= least))


def answer_keys(answer: str, *, question: str, given: str = "") -> list[str]:
    """Short pieces of an answer that a right one must hold; empty where none stands out.

    A short answer as a whole; else options and file names, quantities, names, as far as neither
    the question nor `given` (the document's title, which every citation repeats, and the names
    that it has all over) gives them away. The answer holds each as `match.holds` understands it.
    """
    if len(answer.split()) <= _SHORT_ANSWER_WORDS:
        whole = answer.strip().rstrip(".")
        return [whole] if contains_words(answer, whole) else []
    known = f"{question} {given}".casefold()
    first = answer.split("\n")[0]
    found = [
        key.strip()
        for key in (*_CODE.findall(first), *_quantities(first), *_names(first))
        if len(key.strip()) > 1
        and key.strip().casefold() not in known
        and contains_words(answer, key)
    ]
    return list(dict.fromkeys(found))[:_MAX_KEYS]


def _quantities(text: str) -> Iterator[str]:
    for match in _QUANTITY.finditer(text):
        first, last, unit = match.groups(default="")
        if last:
            yield first
        number = last or first
        has_unit = ":" not in number or unit.strip().lower() in ("am", "pm")  # no scale has one
        yield f"{number}{unit}" if has_unit else number


def _names(text: str) -> Iterator[str]:
    """Names, but for two letters alone (AB, EU), which tell little; F1 and E5 are names."""
    return (name for name in _NAME.findall(text) if len(name) > len("AB") or not name.isalpha())


def probe(question: str, answer: str, keys: Sequence[str]) -> dict[str, Any]:
    """A row of `probes.jsonl`."""
    return {"question": question, "answer": answer, "keys": list(keys), "kind": "fact"}
