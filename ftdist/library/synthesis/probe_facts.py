"""Probes about the facts of a library's things: in reverse, two at once, and what is not said.

reverse        "The weight is 4.2 kg. Which pump is it?", for a value that only one thing has
two_facts      "What are the weight and the price of the FP-300?"
unanswerable   an attribute of other things that the library does not give for this one, or a
               plausible one that it gives for none
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations
from typing import Self

from ftdist.library.schema import Document, ProbeRow
from ftdist.library.synthesis.answer_keys import answer_keys
from ftdist.library.synthesis.attribute_lexicon import UNKNOWN, Attribute, find_attribute
from ftdist.library.synthesis.document_facts import document_facts, is_english
from ftdist.library.synthesis.fact_questions import (
    fact_value,
    is_noun,
    is_quantity,
    said_attribute,
)
from ftdist.text.matching import KeyText, Words, contains_words

FACTS_FILE = "facts.jsonl"
"""The facts of a shard's things, beside its samples."""

NO_ANSWER = "The library says nothing of it."

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

_MAX_VALUE_WORDS, _MIN_VALUE_LETTERS = 8, 2
_PAIRS_PER_THING, _ABSENT_PER_THING, _PAIRED_PER_THING = 2, 2, 40
_YES_OR_NO = re.compile(
    r"(?:yes|no|not|true|false|included|optional|none|available|n/a)\b", re.IGNORECASE
)
_NO_PLURAL = ("ss", "us", "is", "ics", "ens", "as")
_SEVERAL = "\n"
"""Owner of what several things have; no name of a thing."""

_SMALL_WORDS = frozenset(("of", "the", "a", "an", "in", "for", "per", "and", "or", "with", "to"))


@dataclass(frozen=True, kw_only=True)
class KnownFact:
    """What a document says of one attribute of a thing."""

    thing: str
    """Its bare name, such as "FP-300", or "Marlow 20 filter basket" for a part."""

    name: str
    """What a sentence calls it, without an article: "FP-300", "filter basket"."""

    the_thing: str
    """The name within a sentence, such as "the FP-300"."""

    kind: str
    """What it is, such as "pump"; "": unknown."""

    attribute: str
    """In lower case, unless the document writes it in capitals."""

    value: str
    evidence: str
    document: str
    section: str
    is_product: bool = False
    """Whether only a product has such an attribute: a weight, unlike a price."""

    is_identifier: bool = False
    """Whether each thing has a value of its own, such as an order number."""

    def values(self) -> dict[str, str]:
        """For a line of JSON."""
        return asdict(self)

    def probe(self, question: str, *, answer: str, keys: Sequence[str], form: str) -> ProbeRow:
        """A probe of this fact."""
        return ProbeRow(
            question=question, answer=answer, keys=tuple(keys), document=self.document,
            section=self.section, evidence=self.evidence, form=form,
        )  # fmt: skip


def known_facts(document: Document) -> list[KnownFact]:
    """The facts of a document in English whose attributes are nouns."""
    facts = document_facts(document)
    if not is_english(document, facts):
        return []
    return [
        KnownFact(
            thing=fact.thing.bare_names[0],
            name=fact.thing.name,
            the_thing=fact.thing.names[0],
            kind=fact.thing.kind,
            attribute=said_attribute(fact.attribute),
            value=fact_value(fact),
            evidence=fact.evidence,
            document=str(document.location),
            section=fact.section,
            is_product=fact.known.thing and not fact.thing.whole and not _is_price(fact.known),
            is_identifier=fact.known.identifier,
        )
        for fact in facts
        if fact.thing.name
        and not fact.is_setting
        and is_noun(fact.attribute)
        and any(map(str.isalpha, fact.attribute))
    ]


class Owners:
    """Which thing of a library has a value, and which one a name."""

    def __init__(self) -> None:
        self._of_value: dict[Words, str] = {}
        self._of_name: dict[Words, str] = {}

    @classmethod
    def of(cls, facts: Iterable[KnownFact]) -> Self:
        """Those of some facts."""
        owners = cls()
        for fact in facts:
            thing = fact.thing.casefold()
            for known, text in ((owners._of_value, fact.value), (owners._of_name, fact.name)):
                if known.setdefault(words := KeyText(text).words, thing) != thing:
                    known[words] = _SEVERAL
        return owners

    def is_unique(self, fact: KnownFact) -> bool:
        """Whether one thing alone has the value, and one alone the name."""
        return (
            self._of_value.get(KeyText(fact.value).words) != _SEVERAL
            and self._of_name.get(KeyText(fact.name).words) != _SEVERAL
        )


def reverse_probes(
    facts: Sequence[KnownFact], *, owners: Owners | None = None
) -> Iterator[ProbeRow]:
    """A question from each amount or identifier that only one thing has, to that thing.

    Args:
        facts: to ask about.
        owners: of the whole library; None: `facts` are all of it.
    """
    owners = owners or Owners.of(facts)
    kinds: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        kinds[fact.kind].add(fact.thing.casefold())
    for fact in facts:
        is_amount = is_quantity(fact.value) and not fact.value.isdigit()
        if not (is_amount or fact.is_identifier) or not _is_specific(fact.value):
            continue
        # The kind of a single thing would give it away.
        which = fact.kind if fact.kind and len(kinds[fact.kind]) > 1 else "one"
        is_are = "are" if _is_plural(fact.attribute) else "is"
        question = f"The {fact.attribute} {is_are} {fact.value}. Which {which} is it?"
        if owners.is_unique(fact) and not contains_words(question, fact.name):
            answer = f"{_capital(fact.the_thing)}."
            yield fact.probe(question, answer=answer, keys=[fact.name], form="reverse")


def two_fact_probes(facts: Sequence[KnownFact]) -> Iterator[ProbeRow]:
    """Questions for two attributes of a thing at once; the answer holds a key of each.

    A value that any answer may hold, such as "no" or "4", is not asked for.
    """
    for own in _by_thing(facts).values():
        specific = sorted((fact for fact in own if _is_specific(fact.value)), key=_digest)
        paired = sorted(specific[:_PAIRED_PER_THING], key=own.index)
        pairs = sorted(combinations(paired, 2), key=_digest)
        for first, second in pairs[:_PAIRS_PER_THING]:
            question = (
                f"What are the {first.attribute} and the {second.attribute} of {first.the_thing}?"
            )
            keys = [
                key
                for fact in (first, second)
                for key in answer_keys(fact.value, question=question)[:1]
                if _is_specific(key) and not contains_words(question, key)
            ]
            if len(keys) == 2 and not _overlap(*keys):
                answer = "\n".join(f"{_capital(f.attribute)}: {f.value}" for f in (first, second))
                row = first.probe(question, answer=answer, keys=keys, form="two_facts")
                both = dict.fromkeys([first.evidence, second.evidence])
                yield ProbeRow(**asdict(row) | {"keys": row.keys, "evidence": "\n".join(both)})


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
        common[_group(fact)][fact.attribute].add(fact.thing.casefold())
    plausible = [attribute for attribute in PLAUSIBLE if not mentions(attribute, "")]
    for own in _by_thing(facts).values():
        first = own[0]
        told = {fact.attribute for fact in own}
        shared = [name for name, things in common[_group(first)].items() if len(things) > 1]
        absent = [
            attribute
            for attribute in sorted(shared, key=lambda name: _digest((first, name)))
            if not any(_is_like(attribute, other) for other in told)
            and not mentions(attribute, first.name)
        ]
        others = [
            attribute
            for attribute in sorted(plausible, key=lambda name: _digest((first, name)))
            if any(fact.is_product for fact in own)
            and not any(
                _is_like(text, other)
                for text in (attribute, f"{attribute} {PLAUSIBLE[attribute]}")
                for other in told
            )
            and not any(mentions(word, first.name) for word in PLAUSIBLE[attribute].split())
        ]
        for attribute in [*absent[: _ABSENT_PER_THING - 1], *others][:_ABSENT_PER_THING]:
            be = "are" if _is_plural(attribute) else "is"
            yield ProbeRow(
                question=f"What {be} the {attribute} of {first.the_thing}?",
                answer=NO_ANSWER,
                keys=tuple(dict.fromkeys(filter(_is_specific, values.get(attribute, [])))),
                kind="unanswerable",
                document=first.document,
                section=first.section,
                evidence="\n".join(dict.fromkeys(fact.evidence for fact in own)),
            )


def _group(fact: KnownFact) -> str:
    """What things share that may have the same attributes: their kind, or else their place."""
    return fact.kind or f"{fact.document}\n{fact.section}"


def _by_thing(facts: Sequence[KnownFact]) -> dict[str, list[KnownFact]]:
    by_thing: dict[str, list[KnownFact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing.casefold()].append(fact)
    return by_thing


def _is_price(attribute: Attribute) -> bool:
    return "price" in attribute.names


def _is_specific(value: str) -> bool:
    """Whether a value can tell things apart: neither yes or no, nor a bare small number."""
    words = KeyText(value).words
    is_number = len(words) == 1 and len(words[0]) <= _MIN_VALUE_LETTERS
    is_short = bool(words) and len(value.split()) <= _MAX_VALUE_WORDS
    return is_short and not is_number and not _YES_OR_NO.match(value)


def _overlap(key: str, other: str) -> bool:
    return contains_words(key, other) or contains_words(other, key)


def _is_like(attribute: str, other: str) -> bool:
    """Whether two names are of one attribute, or share a word: "weight" and "net weight"."""
    known = find_attribute(attribute)
    is_known = known is not UNKNOWN and known == find_attribute(other)
    return is_known or bool(_words(attribute) & _words(other))


@lru_cache(maxsize=4096)
def _words(attribute: str) -> frozenset[str]:
    return frozenset(KeyText(attribute).words) - _SMALL_WORDS


def _is_plural(attribute: str) -> bool:
    head = re.split(r"\s+(?:in|for|with|of|on|per|to|at|from)\s+", attribute)[0]
    return head.endswith("s") and not head.endswith(_NO_PLURAL)


def _digest(item: object) -> bytes:
    return blake2b(repr(item).encode(), digest_size=8).digest()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
