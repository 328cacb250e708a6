"""Questions withheld from training, in wordings that it does not see."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ftdist.library.synthesis.probe_rewordings import reworded
from ftdist.library.synthesis.probe_variants import other_forms, search_words, turned
from ftdist.text.decontamination import find_contaminated
from ftdist.text.matching import contains_words
from ftdist.text.ngram_hashes import ngram_hashes

Form = Literal["reworded", "reordered", "shortened", "prefixed"]
"""How a probe differs from the wordings that are trained.

reworded    other words or another construction
reordered   its sentences in another order
shortened   the words that a search box gets
prefixed    a trained wording with a phrase before or behind it
"""


@dataclass(frozen=True)
class Withheld:
    """A wording that is kept from training."""

    question: str
    form: Form


def withhold_probe(
    wordings: Sequence[str], *, trained: int, overlap_words: int
) -> tuple[list[str], Withheld | None]:
    """Wordings for training, and a form of the question that is kept from it; None: none can be.

    Other words are preferred to another order, that to a shorter form, and a trained wording with
    a phrase around it comes last.

    Args:
        wordings: the question's own first.
        trained: how many of them are trained at most.
        overlap_words: words in a row that the form may not share with them.
    """
    for held in _candidates(wordings):
        training = [wording for wording in wordings if not _is_same(wording, held.question)]
        ngrams = [ngram_hashes(wording, n=overlap_words) for wording in training[:trained]]
        if (
            training
            and not find_contaminated([ngram_hashes(held.question, n=overlap_words)], ngrams).any()
        ):
            return training[:trained], held
    return list(wordings[:trained]), None


def _candidates(wordings: Sequence[str]) -> Iterator[Withheld]:
    question = wordings[0]
    others = [] if len(wordings) <= 2 else wordings[1:]
    prefixed = [text for text in others if contains_words(text, question)]
    for text in [*reworded(question), *(text for text in others if text not in prefixed)]:
        if not _is_same(text, question):
            yield Withheld(text, "reworded")
    order = turned(" ".join(question.split()))
    for text in other_forms(question):
        yield Withheld(text, "reordered" if text == order else "shortened")
    if text := search_words(question):
        yield Withheld(text, "shortened")
    yield from (Withheld(text, "prefixed") for text in prefixed if not _is_same(text, question))


def _is_same(text: str, other: str) -> bool:
    return text.casefold().rstrip("?. ") == other.casefold().rstrip("?. ")


def is_probe_question(question: str, *, one_in: int, seed: int) -> bool:
    """Whether a question gives a probe: one in so many do, by a hash of the question."""
    digest = hashlib.blake2b(f"{seed} {question}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % max(1, one_in) == 0
