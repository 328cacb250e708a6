"""Probes that a library does not answer: attributes that it does not give for a thing.

They are attributes of other things of its kind, or plausible ones that it gives for none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from ftdist.library.schema import ProbeRow
from ftdist.library.synthesis.attribute_lexicon import UNKNOWN, find_attribute
from ftdist.library.synthesis.general_questions import is_plural_attribute
from ftdist.library.synthesis.probe_facts import (
    NO_ANSWER,
    KnownFact,
    by_thing,
    digest,
    is_specific,
)
from ftdist.text.matching import KeyText

PLAUSIBLE: Mapping[str, str] = {
    "noise level": "noise sound loud quiet decibel db",
    "country of manufacture": "country origin made manufactured produced",
    "battery life": "battery runtime charge hours",
    "carbon footprint": "carbon co2 emission climate",
    "storage temperature": "storage temperature store stored",
    "year of introduction": "year introduced launched released since",
    "recycled content": "recycled recycling",
    "refund period": "refund return returned money",
    "shipping weight": "shipping weight packed package",
}
"""Attributes that customers ask of products, with words that tell of them in other words.

Those that a library mentions are left out, and those of which it uses such a word beside the thing.
"""

_ABSENT_PER_THING = 2
_SMALL_WORDS = frozenset(("of", "the", "a", "an", "in", "for", "per", "and", "or", "with", "to"))


def unanswerable_probes(
    facts: Sequence[KnownFact], *, mentions: Callable[[str, str], bool]
) -> Iterator[ProbeRow]:
    """Questions about a thing of the library that the library does not answer.

    They ask for an attribute of other things of its kind, and of a product for a plausible one;
    for none that is like one the thing has.

    Args:
        facts: of the whole library.
        mentions: whether a text of the library holds both an attribute, or a word that tells of
            one, and the name of a thing; a name of "" stands for any text.
    """
    values: dict[str, list[str]] = defaultdict(list)
    common: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for fact in facts:
        values[fact.attribute].append(fact.value)
        common[group_of(fact)][fact.attribute].add(fact.thing.casefold())
    plausible = [attribute for attribute in PLAUSIBLE if not mentions(attribute, "")]
    for own in by_thing(facts).values():
        first = own[0]
        known = {fact.attribute for fact in own}
        shared = [name for name, things in common[group_of(first)].items() if len(things) > 1]
        absent = [
            attribute
            for attribute in sorted(shared, key=lambda name: digest((first, name)))
            if not any(is_like(attribute, other) for other in known)
            and not mentions(attribute, first.name)
        ]
        others = [
            attribute
            for attribute in sorted(plausible, key=lambda name: digest((first, name)))
            if any(fact.is_product for fact in own)
            and not any(
                is_like(text, other)
                for text in (attribute, f"{attribute} {PLAUSIBLE[attribute]}")
                for other in known
            )
            and not any(mentions(word, first.name) for word in PLAUSIBLE[attribute].split())
        ]
        for attribute in [*absent[: _ABSENT_PER_THING - 1], *others][:_ABSENT_PER_THING]:
            yield _probe(own, attribute, values=values.get(attribute, []))


def _probe(own: Sequence[KnownFact], attribute: str, *, values: Sequence[str]) -> ProbeRow:
    """The question for an attribute that a thing's own facts lack; `values`: of other things."""
    first, be = own[0], "are" if is_plural_attribute(attribute) else "is"
    return ProbeRow(
        question=f"What {be} the {attribute} of {first.the_thing}?",
        answer=NO_ANSWER,
        keys=tuple(dict.fromkeys(filter(is_specific, values))),
        kind="unanswerable",
        document=first.document,
        section=first.section,
        evidence="\n".join(dict.fromkeys(fact.evidence for fact in own)),
    )


def group_of(fact: KnownFact) -> str:
    """What things share that may have the same attributes: their kind, or else their place."""
    return fact.kind or f"{fact.document}\n{fact.section}"


def is_like(attribute: str, other: str) -> bool:
    """Whether two names are of one attribute, or share a word: "weight" and "net weight"."""
    known = find_attribute(attribute)
    is_known = known is not UNKNOWN and known == find_attribute(other)
    return is_known or bool(_words(attribute) & _words(other))


@lru_cache(maxsize=4096)
def _words(attribute: str) -> frozenset[str]:
    return frozenset(KeyText(attribute).words) - _SMALL_WORDS
