"""Questions withheld from training, in wordings that it does not see, to measure recall with."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

_CODE = re.compile(
    r"(?<!\w)(?:--?[A-Za-z][\w-]+|[A-Za-z]+_\w+|\w+\.(?:conf|cfg|py|sh|ini|ya?ml)|/\w[\w/.-]+)"
)
_QUANTITY = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*\s?(?:%|[a-zA-Z\u00b0\u03bc]{1,12}\b)?")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)*", re.MULTILINE)
_MOST_KEYS = 2
_SHORT_ANSWER_WORDS = 6


def withheld(wordings: Sequence[str]) -> tuple[list[str], str | None]:
    """Wordings for training, and one that is kept from it: the second of at least three.

    The first is the document's own; the second turns the sentence where a rule fits.
    """
    if len(wordings) < 3:
        return list(wordings), None
    return [wordings[0], *wordings[2:]], wordings[1]


def is_chosen(question: str, *, one_in: int, seed: int) -> bool:
    """Whether a question gives a probe: one in so many do, by a hash of the question."""
    digest = hashlib.blake2b(f"{seed} {question}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % max(1, one_in) == 0


def keys_of(answer: str, *, question: str) -> list[str]:
    """Short pieces of an answer that a right one must hold; empty where none stands out.

    A short answer as a whole; else options and file names, quantities, names, as far as the
    question does not give them away.
    """
    if len(answer.split()) <= _SHORT_ANSWER_WORDS:
        return [answer.strip().rstrip(".")]
    asked = question.casefold()
    first = answer.split("\n")[0]
    found = [
        match.strip()
        for pattern in (_CODE, _QUANTITY, _NAME)
        for match in pattern.findall(first)
        if len(match.strip()) > 1 and match.strip().casefold() not in asked
    ]
    return list(dict.fromkeys(found))[:_MOST_KEYS]


def probe(question: str, answer: str, keys: Sequence[str]) -> dict[str, Any]:
    """A row of `probes.jsonl`."""
    return {"question": question, "answer": answer, "keys": list(keys), "kind": "recall"}
