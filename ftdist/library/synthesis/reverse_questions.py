"""Questions from a value to the thing that has it: "Which kettle costs 72 euros?"."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ftdist.library.synthesis.fact_questions import (
    fact_pair,
    fact_value,
    is_noun,
    is_quantity,
    said_attribute,
)
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.general_questions import is_plural_attribute
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.things import NOUN_AFTER_A_NAME, Thing
from ftdist.library.synthesis.units import unit_in_words
from ftdist.library.synthesis.yes_no import with_indefinite_article, yes_or_no

MAX_REVERSE_WORDINGS = 8
"""Of one question from a value to its thing, the question itself included."""

_MORE_NOUNS = 3
"""Wordings of a form that there is already, with another noun."""

_QUANTITY = (
    "Which {kind} has {an} of {v}?",
    "{A} {v}: which {kind} is that?",
    "Which one has {v} as its {a}?",
    "I am looking for something with {an} of {v}. Which {kind} is that?",
    "{v} {a} which one",
    "The {a} of which {kind} is {v}?",
)
_TEXT = (
    "Which {kind} has {v} as its {a}?",
    "{A} {v}: which {kind} is that?",
    "Which {kind} has the {a} {v}?",
    "{v} {a} which one",
    "I have read {v} as the {a}. Which {kind} is that?",
)
_MAX_VALUE_WORDS, _MAX_TEXT_WORDS, _MAX_AMOUNT_WORDS = 6, 4, 3
_SEVERAL_VALUES = re.compile(r"[,;:()/]|\s(?:or|and|per|with|to)\s", re.IGNORECASE)
_CODE = re.compile(r"^(?=\S*[A-Z])(?:(?=\S*\d)[\w.+-]+|[A-Z]{1,6})$")
_PARTS = re.compile(r"\s*[,;/()]\s*|\s+(?:and|or|with)\s+", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:about|up to|approx\.?|approximately|max\.?|at least|over|from|ca\.?) ")
_MAKERS = ("manufacturer", "maker", "brand", "producer", "made by")
ELECTRIC = frozenset(
    {"power", "voltage", "battery", "power supply", "power consumption", "battery life", "current"}
    | {"charging time", "battery capacity"}
)
"""Attributes (by the first of their names) of a device."""

_OF_VEHICLES = frozenset({"seats", "doors", "horsepower", "fuel", "tyre size", "boot space"})


def reverse_pairs(facts: Sequence[Fact]) -> list[QAPair]:
    """Questions from a value to its thing, where no other of the document has the same."""
    owners = Counter(value for fact in facts for value in set(asked_values(fact)))
    by_thing: dict[Thing, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing].append(fact)
    nouns = {thing: list(_nouns(thing, own)) for thing, own in by_thing.items()}
    return [
        pair
        for fact in facts
        if owners[asked_value(fact)] == 1
        and yes_or_no(fact.value) is None
        and "monday" not in fact.known.names
        for pair in _reverse(fact, nouns[fact.thing])
    ]


def asked_value(fact: Fact) -> str:
    """What a question from a fact's value to its thing names."""
    name = (*fact.known.names, fact.attribute)[0]
    return f"{name}: {fact_value(fact)}".casefold()


def asked_values(fact: Fact) -> list[str]:
    """What questions from values to things name and this fact answers: its value and its parts."""
    name = (*fact.known.names, fact.attribute)[0]
    value = fact_value(fact).casefold()
    texts = [value, _ABOUT.sub("", value), *_PARTS.split(value)]
    return list(dict.fromkeys(f"{name}: {text}".casefold() for text in texts if text))


def _reverse(fact: Fact, nouns: Sequence[str]) -> Iterator[QAPair]:
    """The questions from one value; none if it has no form or names the thing."""
    value = fact_value(fact)
    nouns = [noun for noun in nouns if value not in noun]
    own = [form for form in _own_forms(fact) if nouns or "{kind}" not in form]
    forms = [*own, *(_general_forms(fact) if nouns else ())]
    is_short = len(value.split()) <= _MAX_VALUE_WORDS
    if not forms or not is_short or fact.is_setting or not fact.thing.name:
        return
    if fact.thing.name.casefold() in value.casefold():
        return
    texts = list(_filled(fact, forms, nouns or [""]))
    yield QAPair(
        question=texts[0],
        answer=fact_pair(fact, is_english=True).answer,
        made_by="reverse",
        section=fact.section,
        page=fact.page,
        value=fact.thing.name,
        evidence=fact.evidence,
        wordings=tuple(texts[1:]),
        asked_value=asked_value(fact),
    )


def _own_forms(fact: Fact) -> list[str]:
    """The attribute's own forms, if the value is an amount or a short text."""
    value, known = fact_value(fact), fact.known
    is_text = len(value.split()) <= _MAX_TEXT_WORDS and not _SEVERAL_VALUES.search(value)
    is_one = is_text and not known.quantity and not is_quantity(value)
    is_fit = is_one or known.identifier or _is_amount(value)
    forms = known.reverse if is_fit else ()
    return [form for form in forms if not fact.is_one_of_several or "{a}" in form]


def _general_forms(fact: Fact) -> tuple[str, ...]:
    """The forms for amounts, identifiers and codes."""
    value, known = fact_value(fact), fact.known
    is_noun_in_singular = is_noun(fact.attribute) and not is_plural_attribute(fact.attribute)
    if known.identifier:
        return _TEXT
    if is_quantity(value):
        return _QUANTITY if is_noun_in_singular and _is_amount(value) else ()
    return _TEXT if known.names and is_noun_in_singular and _CODE.match(value) else ()


def _is_amount(value: str) -> bool:
    """Whether a value is a number with a unit, unlike "4" and "4 Quay Street, Brixham"."""
    is_short = len(value.split()) <= _MAX_AMOUNT_WORDS and re.search(r"\D", value)
    return is_quantity(value) and bool(unit_in_words(value) or is_short)


def _filled(fact: Fact, forms: Sequence[str], nouns: Sequence[str]) -> Iterator[str]:
    """Each form with the next of the nouns, and then with the one after it."""
    attribute = said_attribute(fact.attribute)
    phrases = [attribute, *([] if fact.is_one_of_several else fact.known.words)]
    texts = {}
    for turn in range(len(nouns)):
        for at, form in enumerate(forms):
            phrase = phrases[(at + turn) % len(phrases)] if turn else attribute
            text = form.format(
                kind=nouns[(at + turn) % len(nouns)],
                v=fact_value(fact),
                a=phrase,
                A=phrase[:1].upper() + phrase[1:],
                an=with_indefinite_article(phrase, is_counted=True),
            )
            texts[text] = text[:1].upper() + text[1:]
    yield from list(texts.values())[: min(MAX_REVERSE_WORDINGS, len(forms) + _MORE_NOUNS)]


def _nouns(thing: Thing, facts: Sequence[Fact]) -> Iterator[str]:
    """What a question may call the thing: "kettle", "Tarnwell product", "model"."""
    names = {fact.known.names[0] for fact in facts if fact.known.thing}
    if thing.kind:
        yield thing.kind
    elif names:
        yield "product"
    last = thing.kind.rpartition(" ")[2]
    is_product = bool(names - {"price"}) and not thing.whole and not NOUN_AFTER_A_NAME.match(last)
    if is_product and (maker := _maker(thing, facts)):
        yield f"{maker} product"
    if last != thing.kind:
        yield last
    if is_product:
        yield "of your products"
        yield "device" if ELECTRIC & names and not _OF_VEHICLES & names else "model"


def _maker(thing: Thing, facts: Sequence[Fact]) -> str:
    """Who makes a thing, by a fact or by its longer name, "Tarnwell Marlow 20"; "": unknown."""
    for fact in facts:
        if fact.attribute.casefold() in _MAKERS:
            return fact_value(fact)
    before = [
        name.removesuffix(f" {thing.name}")
        for name in thing.other_names
        if name.endswith(f" {thing.name}")
    ]
    return next((name for name in before if name.isalpha() and name[0].isupper()), "")
