"""Questions about all facts of one thing, and about two facts."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ftdist.library.synthesis.fact_questions import fact_value, said_attribute
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.two_facts import two_fact_pairs
from ftdist.library.synthesis.yes_no import yes_or_no

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


def group_pairs(facts: Sequence[Fact]) -> list[QAPair]:
    """Questions about two facts and about all of a thing, of a document in English."""
    by_thing: dict[Thing, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing].append(fact)
    overviews = [pair for each in by_thing.values() for pair in _overview(each)]
    return [*two_fact_pairs(facts), *overviews]


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


def _is_sold(facts: Sequence[Fact]) -> bool:
    return any(fact.known.thing for fact in facts)
