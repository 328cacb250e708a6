"""Questions about several facts: all of one thing, or from a value to its thing."""

import hashlib
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
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.units import unit_in_words
from ftdist.library.synthesis.yes_no import with_indefinite_article, yes_or_no

_OVERVIEW = (
    "Tell me about {x}.",
    "What can you tell me about {x}?",
    "Please give me the key facts about {x}.",
    "What do you know about {x}?",
    "{n} facts",
)
_OVERVIEW_OF_SOLD = (
    "Tell me about {x}.",
    "What are the specifications of {x}?",
    "{n} specs",
    "What can you tell me about {x}?",
    "Please give me the key facts about {x}.",
    "I am thinking of getting {x}. What should I know?",
    "Describe {x}.",
)
_MIN_FACTS, _MAX_FACTS = 3, 14
_REVERSE_QUANTITY = (
    "Which {kind} has {an} of {v}?",
    "I am looking for something with {an} of {v}. Which {kind} is that?",
)
_REVERSE_TEXT = (
    "Which {kind} has {v} as its {a}?",
    "{a} {v}: which {kind} is that?",
)
_MAX_REVERSE_WORDS = 6


def group_pairs(facts: Sequence[Fact]) -> list[QAPair]:
    """Questions about several facts of a document in English."""
    by_thing: dict[Thing, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing].append(fact)
    pairs = [pair for each in by_thing.values() for pair in _overview(each)]
    return [*pairs, *_reverse(facts)]


def asked_value(fact: Fact) -> str:
    """What a question from a fact's value to its thing names."""
    name = (*fact.known.names, fact.attribute)[0]
    return f"{name}: {fact_value(fact)}".casefold()


def _overview(facts: Sequence[Fact]) -> Iterator[QAPair]:
    """One question for all facts of a thing, in several orders."""
    thing = facts[0].thing
    if not _MIN_FACTS <= len(facts) <= _MAX_FACTS or not thing.name or facts[0].is_setting:
        return
    orders = [sorted(facts, key=lambda fact: _digest(fact, order)) for order in range(1, 3)]
    first, *others = (_all_facts(thing, order) for order in [list(facts), *orders])
    questions = []
    for at, form in enumerate(_OVERVIEW_OF_SOLD if _is_sold(facts) else _OVERVIEW):
        name = at % len(thing.names)
        places = {"x": thing.names[name], "n": thing.bare_names[name]}
        questions.append(form.format(**places))
    lines = "\n".join(dict.fromkeys(line for fact in facts for line in fact.evidence.split("\n")))
    yield QAPair(
        question=questions[0],
        answer=first,
        made_by="overview",
        section=facts[0].section,
        page=facts[0].page,
        evidence=lines,
        wordings=tuple(questions[1:]),
        answers=tuple(text for text in dict.fromkeys(others) if text != first),
    )


def _all_facts(thing: Thing, facts: Sequence[Fact]) -> str:
    name = thing.names[0]
    listing = "; ".join(f"{said_attribute(fact.attribute)}: {_value_text(fact)}" for fact in facts)
    return f"{name[0].upper()}{name[1:]}: {listing}."


def _value_text(fact: Fact) -> str:
    is_yes = yes_or_no(fact.value) if len(fact.value) == 1 else None
    return fact_value(fact) if is_yes is None else ("yes" if is_yes else "no")


def _digest(fact: Fact, order: int) -> bytes:
    return hashlib.blake2b(f"{order}|{fact.attribute}".encode(), digest_size=8).digest()


def _reverse(facts: Sequence[Fact]) -> Iterator[QAPair]:
    """Questions from a value to its thing, where no other of the document has the same."""
    owners = Counter(map(asked_value, facts))
    sold = {fact.attribute.casefold() for fact in facts if fact.known.thing}
    for fact in facts:
        value, attribute = fact_value(fact), fact.known
        is_own = owners[asked_value(fact)] == 1 and yes_or_no(fact.value) is None
        is_amount = is_quantity(value) and bool(unit_in_words(value) or re.search(r"\D", value))
        forms = attribute.reverse
        if is_amount and is_noun(fact.attribute):
            forms = (*forms, *_REVERSE_QUANTITY)
        elif attribute.identifier:
            forms = (*forms, *_REVERSE_TEXT)
        kind = fact.thing.kind or ("product" if fact.attribute.casefold() in sold else "")
        is_short = len(value.split()) <= _MAX_REVERSE_WORDS
        if not is_own or not is_short or not kind or not forms or fact.is_setting:
            continue
        phrase = said_attribute(fact.attribute)
        an = with_indefinite_article(phrase, is_counted=True)
        question, *wordings = dict.fromkeys(
            form.format(kind=kind, v=value, a=phrase, an=an) for form in forms
        )
        yield QAPair(
            question=question,
            answer=fact_pair(fact, is_english=True).answer,
            made_by="reverse",
            section=fact.section,
            page=fact.page,
            value=fact.thing.name,
            evidence=fact.evidence,
            wordings=tuple(wordings),
            asked_value=asked_value(fact),
        )


def _is_sold(facts: Sequence[Fact]) -> bool:
    return any(fact.known.thing for fact in facts)
