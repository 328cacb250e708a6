"""Probes about the facts of a library's things: in reverse, and two at once.

reverse        "The weight is 4.2 kg. Which pump is it?", for a value that only one thing has
two_facts      "What are the weight and the price of the FP-300?"
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import combinations
from typing import Self

from ftdist.library.schema import Document, ProbeRow
from ftdist.library.synthesis.answer_keys import answer_keys
from ftdist.library.synthesis.attribute_lexicon import Attribute
from ftdist.library.synthesis.document_facts import document_facts, is_english
from ftdist.library.synthesis.fact_questions import (
    fact_value,
    is_noun,
    is_quantity,
    said_attribute,
)
from ftdist.library.synthesis.general_questions import is_plural_attribute
from ftdist.library.synthesis.two_facts import is_probed_pair
from ftdist.text.matching import KeyText, Words, contains_words

FACTS_FILE = "facts.jsonl"
"""The facts of a shard's things, beside its samples."""

NO_ANSWER = "The library says nothing of it."

_MAX_VALUE_WORDS, _MIN_VALUE_LETTERS = 8, 2
_PAIRS_PER_THING, _PAIRED_PER_THING = 2, 40
_YES_OR_NO = re.compile(
    r"(?:yes|no|not|true|false|included|optional|none|available|n/a)\b", re.IGNORECASE
)
_SEVERAL = "\n"
"""Owner of what several things have; no name of a thing."""


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

    is_plural: bool = False
    """Whether the name of the thing is a plural."""

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
            is_plural=fact.thing.is_plural,
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
        if not (is_amount or fact.is_identifier) or not is_specific(fact.value):
            continue
        # The kind of a single thing would give it away.
        which = fact.kind if fact.kind and len(kinds[fact.kind]) > 1 else "one"
        is_are = "are" if is_plural_attribute(fact.attribute) else "is"
        question = f"The {fact.attribute} {is_are} {fact.value}. Which {which} is it?"
        if owners.is_unique(fact) and not contains_words(question, fact.name):
            answer = f"{_capital(fact.the_thing)}."
            yield fact.probe(question, answer=answer, keys=[fact.name], form="reverse")


def two_fact_probes(facts: Sequence[KnownFact]) -> Iterator[ProbeRow]:
    """Questions for two attributes of a thing at once; the answer holds a key of each.

    A value that any answer may hold, such as "no" or "4", is not asked for, nor is a pair that
    training asks for.
    """
    for own in by_thing(facts).values():
        specific = sorted((fact for fact in own if is_specific(fact.value)), key=digest)
        paired = sorted(specific[:_PAIRED_PER_THING], key=own.index)
        pairs = sorted(
            (
                (first, second)
                for first, second in combinations(paired, 2)
                if is_probed_pair(first.thing, first.attribute, second.attribute)
            ),
            key=digest,
        )
        for first, second in pairs[:_PAIRS_PER_THING]:
            question = (
                f"What are the {first.attribute} and the {second.attribute} of {first.the_thing}?"
            )
            keys = [
                key
                for fact in (first, second)
                for key in answer_keys(fact.value, question=question)[:1]
                if is_specific(key) and not contains_words(question, key)
            ]
            if len(keys) == 2 and not _overlap(*keys):
                answer = "\n".join(f"{_capital(f.attribute)}: {f.value}" for f in (first, second))
                row = first.probe(question, answer=answer, keys=keys, form="two_facts")
                both = dict.fromkeys([first.evidence, second.evidence])
                yield ProbeRow(**asdict(row) | {"keys": row.keys, "evidence": "\n".join(both)})


def by_thing(facts: Sequence[KnownFact]) -> dict[str, list[KnownFact]]:
    """The facts of each thing, by its name in lower case."""
    things: dict[str, list[KnownFact]] = defaultdict(list)
    for fact in facts:
        things[fact.thing.casefold()].append(fact)
    return things


def _is_price(attribute: Attribute) -> bool:
    return "price" in attribute.names


def is_specific(value: str) -> bool:
    """Whether a value can tell things apart: neither yes or no, nor a bare small number."""
    words = KeyText(value).words
    is_number = len(words) == 1 and len(words[0]) <= _MIN_VALUE_LETTERS
    is_short = bool(words) and len(value.split()) <= _MAX_VALUE_WORDS
    return is_short and not is_number and not _YES_OR_NO.match(value)


def _overlap(key: str, other: str) -> bool:
    return contains_words(key, other) or contains_words(other, key)


def digest(item: object) -> bytes:
    """For an order that looks random and is always the same."""
    return blake2b(repr(item).encode(), digest_size=8).digest()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
