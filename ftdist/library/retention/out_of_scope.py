"""Questions about other products than the library's, so that a model learns where its lane ends."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, zip_longest

from ftdist.library.retention.fictional_products import (
    ABBREVIATIONS,
    RESERVED,
    TRAINED,
    about_thing,
    fictional_products,
    shuffled,
)
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.probe_variants import other_forms

_NAME = re.compile(
    r"(?<!error )(?<!code )(?<!page )(?<!version )"
    r"\b(?=\w*[A-Z])(?:[A-Z]{2,}\w*|[A-Z]\w*-?\d[\w-]*|[A-Za-z]+-\d+[\w-]*)\b",
)
_MIN_SHARE = 0.05
_MAX_PRODUCTS = 5

Paraphrases = Sequence[str]
"""One question of the library in all its wordings, its own first."""


@dataclass(frozen=True, kw_only=True)
class OutOfScopeQuestion:
    """A question that was never trained, and the words in it that no training text may hold."""

    question: str
    words: tuple[str, ...]


def find_products(questions: Sequence[str]) -> list[str]:
    """Names in a twentieth of the questions that look like a product's, most frequent first.

    Such a name has a digit, or is in capitals and no abbreviation that everybody uses. Give
    `retention.product_names` where it is another.
    """
    found = Counter(name for text in questions for name in set(_NAME.findall(text)) - ABBREVIATIONS)
    least = max(2, _MIN_SHARE * len(questions))
    frequent = [name for name, count in found.items() if count >= least]
    return sorted(frequent, key=lambda name: (-found[name], name))[:_MAX_PRODUCTS]


def out_of_scope_questions(
    library: Sequence[Paraphrases], *, products: Sequence[str], count: int, forms: int, seed: int
) -> list[str]:
    """Questions about products that the library does not know, each about a product of its own.

    Two thirds are the library's own under another name, where they name one product, for these
    are what a model mistakes for the library's: each question once, then each once more in another
    of its wordings, and so on; the name is said as people do, with its maker, with what it is, or
    by one of them alone. A sixth are what people ask of any product, a sixth what they ask of
    things of a kind, without any name; both take the wordings that the library's questions take,
    so that no form tells them from it.

    Args:
        library: its questions.
        products: its products' names.
        count: how many to make; fewer come where names run out, at some thousands.
        forms: wordings in which each question of the library is trained.
        seed: another seed makes others.
    """
    known, said = _known_questions(library, products=products)
    own = _in_rounds(_with_place(library, products=products), seed=seed)
    common, topics = (
        cycle(_in_rounds([paraphrases(text, count=forms, seed=seed) for text in part], seed=seed))
        for part in (TRAINED.questions, TRAINED.topics)
    )
    renamed = cycle(own)
    found: dict[str, None] = {}
    for number, name in enumerate(fictional_products(TRAINED, seed=seed, said=said)):
        if len(found) >= count:
            break
        if own and number % 3 < 2:
            text = next(renamed)
            question = text.replace("{name}", name.spoken)
            if question in found:
                question = text.replace("{name}", name.short)
        elif number % 6 < 3:
            question = next(common).replace("{name}", name.full)
        elif name.thing in said:
            continue
        else:
            question = about_thing(next(topics), name.thing)
        if question.casefold() not in known:
            found[question] = None
    return list(found)


def out_of_scope_probes(
    library: Sequence[Paraphrases], *, products: Sequence[str], seed: int
) -> Iterator[OutOfScopeQuestion]:
    """Questions that training never asks, under names and about things reserved for them.

    By turns the library's own under another name, as it stands or in a form that is no wording,
    and those that are asked of any product, or of things of its kind. The same question may come
    again in another form: not every one turns out to share no words with training.
    """
    known, said = _known_questions(library, products=products)
    own = shuffled([worded[0] for worded in _with_place(library, products=products)], seed=seed)
    forms = [[text, *other_forms(text)] for text in own]
    for number, name in enumerate(fictional_products(RESERVED, seed=seed, said=said)):
        turn = number // 4
        words: tuple[str, ...]
        if forms and number % 2 == 0:
            # The first question as it stands, the second in another form; each later in its next.
            at, again = number // 2 % len(forms), number // 2 // len(forms)
            text = _taking_turns(forms[at], at + again)
            question, words = text.replace("{name}", name.short), (name.maker, name.model)
        elif number % 4 < 2:
            question = _taking_turns(RESERVED.questions, turn).replace("{name}", name.full)
            words = tuple(part for part in name.parts if part in name.full)
        elif name.thing in said:
            continue
        else:
            question = about_thing(_taking_turns(RESERVED.topics, turn), name.thing)
            words = (name.thing, f"{name.thing}s")
        if question.casefold() not in known:
            known.add(question.casefold())
            yield OutOfScopeQuestion(question=question, words=words)


def _known_questions(
    library: Sequence[Paraphrases], *, products: Sequence[str]
) -> tuple[set[str], str]:
    """The library's questions, and all its words, in small letters."""
    known = {text.casefold() for worded in library for text in worded}
    return known, " ".join([*sorted(known), *products]).casefold()


def _with_place(library: Sequence[Paraphrases], *, products: Sequence[str]) -> list[list[str]]:
    """The library's questions that name one product, with {name} in its place.

    Where two are named, one name for both would make no sense; braces of a question's own stay.
    """
    if not products:
        return []
    longest_first = sorted(products, key=len, reverse=True)
    alternatives = "|".join(re.escape(name) for name in longest_first)
    named = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
    return [
        [named.sub("{name}", text) for text in worded]
        for worded in library
        if not any("{" in text for text in worded)
        and all(len({name.casefold() for name in named.findall(text)}) == 1 for text in worded)
    ]


def _in_rounds(worded: Sequence[Paraphrases], *, seed: int) -> list[str]:
    """Every question in one of its wordings, then every one in another of them, and so on."""
    each = [shuffled(texts, seed=seed) for texts in worded]
    rounds = zip_longest(*shuffled(each, seed=seed))
    return [text for text in chain.from_iterable(rounds) if text is not None]


def _taking_turns(texts: Sequence[str], number: int) -> str:
    return texts[number % len(texts)]
