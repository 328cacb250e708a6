"""Questions for two facts at once: two attributes of a thing, or one attribute of two things.

A third of the pairs of attributes is left to probes.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ftdist.library.synthesis.fact_questions import (
    direct_questions,
    fact_pair,
    fact_value,
    is_noun,
    named_attribute,
    pronoun_questions,
    said_attribute,
)
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.yes_no import yes_or_no

_WITH_NOUNS = (
    "I need the {a} and the {b} of {x}.",
    "{n} {a} and {b}",
    "Could you give me the {a} and {b} of {x}?",
    "{A} and {b} of {x}?",
    "Please tell me both the {a} and the {b} of {x}.",
    "For {x}, what are the {a} and the {b}?",
)
_OF_TWO = (
    "I need the {a} of {x} and of {y}.",
    "{n} and {m} {a}",
    "Could you give me the {a} of both {x} and {y}?",
    "{A} of {x} and {y}?",
)
_MAX_VALUE_WORDS = 8
_PROBED_ONE_IN = 3


def two_fact_pairs(facts: Sequence[Fact]) -> Iterator[QAPair]:
    """Questions for two facts of a document in English, answered by the sentences of both."""
    usable = [fact for fact in facts if _is_usable(fact)]
    by_thing: dict[Thing, list[Fact]] = defaultdict(list)
    by_attribute: dict[str, list[Fact]] = defaultdict(list)
    for fact in usable:
        by_thing[fact.thing].append(fact)
        by_attribute[named_attribute(fact).casefold()].append(fact)
    for own in by_thing.values():
        thing = own[0].thing
        for pair in _ring(own):
            names = [said_attribute(fact.attribute) for fact in pair]
            if not is_probed_pair(thing.bare_names[0], *names):
                yield _of_one_thing(*pair)
    for same in by_attribute.values():
        of_name = {fact.thing.names[0].casefold(): fact for fact in same if not fact.thing.whole}
        ordered = sorted(of_name.values(), key=_digest)
        for first, second in zip(ordered[::2], ordered[1::2], strict=False):
            yield _of_two_things(first, second)


def is_probed_pair(thing: str, attribute: str, other: str) -> bool:
    """Whether two attributes of a thing are asked for together by probes, and never in training."""
    first, second = sorted((attribute.casefold(), other.casefold()))
    return _number(f"{thing.casefold()}|{first}|{second}") % _PROBED_ONE_IN == 0


def _is_usable(fact: Fact) -> bool:
    return (
        bool(fact.thing.name)
        and not fact.is_setting
        and is_noun(fact.attribute)
        and " by " not in fact.attribute  # "provided by supplier"
        and yes_or_no(fact.value) is None
        and len(fact_value(fact).split()) <= _MAX_VALUE_WORDS
        and ": " not in fact_pair(fact, is_english=True).answer
    )


def _ring(facts: Sequence[Fact]) -> Iterator[tuple[Fact, Fact]]:
    """Each fact with the one after it in an order by hash, and the last with the first."""
    ordered = sorted(facts, key=_digest)
    after = [*ordered[1:], ordered[0]] if len(ordered) > 2 else ordered[1:]
    return zip(ordered, after, strict=False)


def _of_one_thing(first: Fact, second: Fact) -> QAPair:
    thing, a = first.thing, named_attribute(first)
    number = _number(f"{_digest(first)!r}{_digest(second)!r}")
    places = {
        "a": a, "A": a[0].upper() + a[1:], "b": named_attribute(second),
        "x": thing.names[0], "n": thing.bare_names[0],
    }  # fmt: skip
    texts = [_WITH_NOUNS[(number + at) % len(_WITH_NOUNS)].format(**places) for at in range(2)]
    if thing.has_article:  # the name of a person has none
        lead, then = (
            _turn(own, number) for own in (direct_questions(first), pronoun_questions(second))
        )
        texts[0] = f"{lead} And {then}" if number % 2 else f"{lead[:-1]}, and {then}"
    return _pair(first, second, texts)


def _of_two_things(first: Fact, second: Fact) -> QAPair:
    a = named_attribute(first)
    number = _number(f"{_digest(first)!r}{_digest(second)!r}")
    both = replace(
        first.thing,
        name=f"{first.thing.names[0]} and {second.thing.names[0]}",
        other_names=(), has_article=False, is_plural=True, whole="",
    )  # fmt: skip
    places = {
        "a": a, "A": a[0].upper() + a[1:], "x": first.thing.names[0], "y": second.thing.names[0],
        "n": first.thing.bare_names[0], "m": second.thing.bare_names[0],
    }  # fmt: skip
    if number % 2:
        return _pair(first, second, [_turn(direct_questions(replace(first, thing=both)), number)])
    form = _OF_TWO[number // 2 % len(_OF_TWO)]
    return _pair(first, second, [form.format(**places)])


def _pair(first: Fact, second: Fact, texts: Sequence[str]) -> QAPair:
    """A question for two facts; its source is what both have in common."""
    question, *wordings = texts
    answers = [fact_pair(fact, is_english=True).answer for fact in (first, second)]
    evidence = dict.fromkeys(f"{first.evidence}\n{second.evidence}".split("\n"))
    is_one_section = first.section == second.section
    return QAPair(
        question=question,
        answer=" ".join(answers),
        made_by="two facts",
        section=first.section if is_one_section else "",
        page=first.page if first.page == second.page else None,
        evidence="\n".join(evidence),
        wordings=tuple(wordings),
    )


def _turn(texts: Sequence[str], number: int) -> str:
    return texts[number // 7 % min(len(texts), 3)]


def _digest(fact: Fact) -> bytes:
    key = f"{fact.thing.bare_names[0]}|{fact.attribute}".casefold()
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())
