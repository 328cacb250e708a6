"""Out-of-scope questions: about products that the library does not cover."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, zip_longest

from ftdist.library.retention.fictional_products import (
    RESERVED,
    TRAINED,
    about_thing,
    fictional_products,
    shuffled,
    similar_names,
)
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.probe_variants import other_forms

Paraphrases = Sequence[str]
"""One question of the library in all its wordings, the original first."""


@dataclass(frozen=True, kw_only=True)
class OutOfScopeQuestion:
    """A question outside the training data, and its words that no training text may contain."""

    question: str
    words: tuple[str, ...]


def out_of_scope_questions(
    library: Sequence[Paraphrases], *, products: Sequence[str], count: int, forms: int, seed: int
) -> list[str]:
    """Questions about products that the library does not cover, each about a different product.

    Two thirds are library questions that name one product, with another product's name instead:
    a model confuses these with the library's most easily. Each question comes once, then each
    again in another wording, and so on. Most of these names are as people write them: the maker,
    the model or the kind of product, alone or combined. About a quarter differ from the library's
    own in a number or a word. A sixth are questions about any product, a sixth
    questions about a kind of product without a name. Both have the wordings that the library's
    questions have, so that their form does not give them away.

    Args:
        library: the library's questions.
        products: the names of its products.
        count: how many to make; fewer if the names run out, after some thousands.
        forms: wordings in which each question of the library is trained.
        seed: of the products and the order.
    """
    known, library_text = known_questions(library, products=products)
    own = in_rounds(_name_templates(library, products=products), seed=seed)
    common, topics = (
        cycle(in_rounds([paraphrases(text, count=forms, seed=seed) for text in part], seed=seed))
        for part in (TRAINED.questions, TRAINED.topics)
    )
    renamed = cycle(own)
    similar = similar_names(products, seed=seed, library_text=library_text)
    questions: dict[str, None] = {}
    for number, name in enumerate(
        fictional_products(TRAINED, seed=seed, library_text=library_text)
    ):
        if len(questions) >= count:
            break
        if own and number % 3 < 2:
            text = next(renamed)
            other = next(similar, name.spoken) if number % 4 == 1 else name.spoken
            question = text.replace("{name}", other)
            if question in questions:
                question = text.replace("{name}", name.short)
        elif number % 6 < 3:
            question = next(common).replace("{name}", name.full)
        elif name.thing in library_text:
            continue
        else:
            question = about_thing(next(topics), name.thing)
        if question.casefold() not in known:
            questions[question] = None
    return list(questions)


def out_of_scope_probes(
    library: Sequence[Paraphrases], *, products: Sequence[str], seed: int
) -> Iterator[OutOfScopeQuestion]:
    """Candidate out-of-scope probes, about names and things that training never uses.

    Alternately library questions with another product's name (unchanged, or in a form that is no
    training wording), and questions about any product or about a kind of product. The same
    question may come again in another form, since some candidates share words with training.
    """
    known, library_text = known_questions(library, products=products)
    own = shuffled([worded[0] for worded in _name_templates(library, products=products)], seed=seed)
    forms = [[text, *other_forms(text)] for text in own]
    for number, name in enumerate(
        fictional_products(RESERVED, seed=seed, library_text=library_text)
    ):
        turn = number // 4
        words: tuple[str, ...]
        if forms and number % 2 == 0:
            # The first question unchanged, the second in another form; each later in its next.
            index, round_number = number // 2 % len(forms), number // 2 // len(forms)
            text = _taking_turns(forms[index], index + round_number)
            question, words = text.replace("{name}", name.short), (name.maker, name.model)
        elif number % 4 < 2:
            question = _taking_turns(RESERVED.questions, turn).replace("{name}", name.full)
            words = tuple(part for part in name.parts if part in name.full)
        elif name.thing in library_text:
            continue
        else:
            question = about_thing(_taking_turns(RESERVED.topics, turn), name.thing)
            words = (name.thing, f"{name.thing}s")
        if question.casefold() not in known:
            known.add(question.casefold())
            yield OutOfScopeQuestion(question=question, words=words)


def known_questions(
    library: Sequence[Paraphrases], *, products: Sequence[str]
) -> tuple[set[str], str]:
    """The library's questions, and one text of them and the product names, in lower case."""
    known = {text.casefold() for worded in library for text in worded}
    return known, " ".join([*sorted(known), *products]).casefold()


def _name_templates(library: Sequence[Paraphrases], *, products: Sequence[str]) -> list[list[str]]:
    """The library's questions that name exactly one product, with {name} instead of the name.

    Questions with braces of their own are left out.
    """
    if not products:
        return []
    named = name_pattern(products)
    return [
        [named.sub("{name}", text) for text in worded]
        for worded in library
        if not any("{" in text for text in worded)
        and all(len({name.casefold() for name in named.findall(text)}) == 1 for text in worded)
    ]


def name_pattern(products: Sequence[str]) -> re.Pattern[str]:
    """The names of products as whole words, in any case; the longer of two names wins."""
    longest_first = sorted(products, key=len, reverse=True)
    alternatives = "|".join(re.escape(name) for name in longest_first)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)


def in_rounds(worded: Sequence[Paraphrases], *, seed: int) -> list[str]:
    """Every question in one of its wordings, then every question in another, and so on."""
    each = [shuffled(texts, seed=seed) for texts in worded]
    rounds = zip_longest(*shuffled(each, seed=seed))
    return [text for text in chain.from_iterable(rounds) if text is not None]


def _taking_turns(texts: Sequence[str], number: int) -> str:
    return texts[number % len(texts)]
