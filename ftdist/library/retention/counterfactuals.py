"""Counterfactuals: questions about other products, answered with the library's own answers.

A model that has begun an answer of the library ends it, whatever product was asked about. The base
model's answers never go that way, so they do not show the model how to leave it. Here the question
and the answer of a sample name another product, and the loss of each token is KL to the base model,
which expects nothing of the kind. Cross-entropy would teach the leak instead: training leaves these
samples out unless `library.kl_to_base` names them.
"""

from collections.abc import Mapping, Sequence

from ftdist.library.retention.fictional_products import (
    TRAINED,
    fictional_products,
    similar_names,
)
from ftdist.library.retention.out_of_scope import in_rounds, known_questions, name_pattern

_SEED_OFFSET = 1_000
"""Added to the seed, so that the names are not those of the questions that the base answers."""


def counterfactuals(
    library: Mapping[tuple[str, str], Sequence[str]],
    *,
    products: Sequence[str],
    count: int,
    max_characters: int,
    seed: int,
) -> list[tuple[str, str]]:
    """Questions that name one product of the library, with their answers, both renamed.

    Each answer comes once, in one wording of its question, before any comes again in another. Every
    fourth name differs from the library's own in a number or a word.

    Args:
        library: the questions of each answer, by its location and the answer.
        products: the names of its products.
        count: how many to make; fewer if the library has fewer.
        max_characters: longer answers are cut after a word.
        seed: of the names and the order.
    """
    if not products:
        return []
    named = name_pattern(products)
    _, library_text = known_questions(list(library.values()), products=products)
    of_answer: dict[str, list[str]] = {}
    for (_, answer), questions in library.items():
        of_answer.setdefault(answer, []).extend(
            question
            for question in questions
            if len({name.casefold() for name in named.findall(question)}) == 1
        )
    answers = {question: answer for answer, own in of_answer.items() for question in own}
    rounds = in_rounds(list(of_answer.values()), seed=seed + _SEED_OFFSET)
    similar = similar_names(products, seed=seed + _SEED_OFFSET, library_text=library_text)
    names = fictional_products(TRAINED, seed=seed + _SEED_OFFSET, library_text=library_text)
    made = []
    for number, (question, name) in enumerate(zip(rounds[:count], names, strict=False)):
        other = next(similar, name.spoken) if number % 4 == 1 else name.spoken
        renamed = [other.join(named.split(text)) for text in (question, answers[question])]
        made.append((renamed[0], _cut(renamed[1], max_characters)))
    return made


def _cut(text: str, most: int) -> str:
    """The beginning of a text, up to a word's end."""
    return text if len(text) <= most else text[:most].rpartition(" ")[0] or text[:most]
