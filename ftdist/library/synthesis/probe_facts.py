"""Probes about the facts of a library's things: in reverse, two at once, and what is not said.

reverse        "The weight is 4.2 kg. Which pump is it?", for a value that only one thing has
two_facts      "What are the weight and the price of the FP-300?"
unanswerable   an attribute of other things that the library does not give for this one, or a
               plausible one that it gives for none
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import combinations

from ftdist.library.schema import Document, ProbeRow
from ftdist.library.synthesis.answer_keys import answer_keys
from ftdist.library.synthesis.document_facts import document_facts, is_english
from ftdist.library.synthesis.fact_questions import fact_value, is_noun, said_attribute
from ftdist.text.matching import KeyText

FACTS_FILE = "facts.jsonl"
"""The facts of a shard's things, beside its samples."""

NO_ANSWER = "The library says nothing of it."

PLAUSIBLE = (
    "noise level", "country of manufacture", "battery life", "carbon footprint",
    "storage temperature",
    "year of introduction", "discount for students", "recycled content", "refund period",
    "number of users", "fire rating", "shipping weight",
)  # fmt: skip
"""Attributes that customers ask for; those that a library mentions are left out."""

_MAX_VALUE_WORDS, _MIN_VALUE_LETTERS = 8, 2
_PAIRS_PER_THING, _ABSENT_PER_THING = 2, 2
_YES_OR_NO = re.compile(r"(?:yes|no|true|false|included|optional|none|available)\b", re.IGNORECASE)
_PLURAL = re.compile(r"(?<!s)s$")


@dataclass(frozen=True, kw_only=True)
class KnownFact:
    """What a document says of one attribute of a thing."""

    thing: str
    """Its bare name, such as "FP-300"."""

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
            the_thing=fact.thing.names[0],
            kind=fact.thing.kind,
            attribute=said_attribute(fact.attribute),
            value=fact_value(fact),
            evidence=fact.evidence,
            document=str(document.location),
            section=fact.section,
        )
        for fact in facts
        if fact.thing.name and not fact.is_setting and is_noun(fact.attribute)
    ]


def reverse_probes(facts: Sequence[KnownFact]) -> Iterator[ProbeRow]:
    """A question from each value that only one thing of the library has, to that thing."""
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        kinds[fact.kind].add(fact.thing.casefold())
        owners[KeyText(fact.value).words].add(fact.thing.casefold())
    for fact in facts:
        is_unique = len(owners[KeyText(fact.value).words]) == 1
        is_named = not KeyText(fact.value).find(fact.thing)
        if is_unique and is_named and _is_specific(fact.value):
            # The kind of a single thing would give it away.
            which = fact.kind if fact.kind and len(kinds[fact.kind]) > 1 else "one"
            is_are = "are" if _PLURAL.search(fact.attribute) else "is"
            question = f"The {fact.attribute} {is_are} {fact.value}. Which {which} is it?"
            yield fact.probe(
                question, answer=f"{_capital(fact.the_thing)}.", keys=[fact.thing], form="reverse"
            )


def two_fact_probes(facts: Sequence[KnownFact]) -> Iterator[ProbeRow]:
    """Questions for two attributes of a thing at once; the answer holds a key of each."""
    for things in _by_thing(facts).values():
        pairs = sorted(combinations(things, 2), key=_digest)
        for first, second in pairs[:_PAIRS_PER_THING]:
            question = (
                f"What are the {first.attribute} and the {second.attribute} of {first.the_thing}?"
            )
            keys = [
                key
                for fact in (first, second)
                for key in answer_keys(fact.value, question=question)[:1]
            ]
            if len(keys) == 2 and keys[0] != keys[1]:
                answer = "\n".join(f"{_capital(f.attribute)}: {f.value}" for f in (first, second))
                row = first.probe(question, answer=answer, keys=keys, form="two_facts")
                both = dict.fromkeys([first.evidence, second.evidence])
                yield ProbeRow(**asdict(row) | {"keys": row.keys, "evidence": "\n".join(both)})


def unanswerable_probes(
    facts: Sequence[KnownFact], *, mentions: Callable[[str, str], bool]
) -> Iterator[ProbeRow]:
    """Questions about a thing of the library that the library does not answer.

    Args:
        facts: of the whole library.
        mentions: whether a text of the library holds both the attribute and the thing; a thing of
            "" stands for any text.
    """
    by_thing = _by_thing(facts)
    values: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        values[fact.attribute].append(fact.value)
    common = [attribute for attribute, given in values.items() if len(given) > 1]
    plausible = [attribute for attribute in PLAUSIBLE if not mentions(attribute, "")]
    for own in by_thing.values():
        first = own[0]
        told = {fact.attribute.casefold() for fact in own}
        absent = [
            attribute
            for attribute in sorted(common, key=lambda name: _digest((first, name)))
            if not any(_is_like(attribute, other) for other in told)
            and not mentions(attribute, first.thing)
        ]
        others = sorted(plausible, key=lambda name: _digest((first, name)))
        for attribute in [*absent[: _ABSENT_PER_THING - 1], *others][:_ABSENT_PER_THING]:
            yield ProbeRow(
                question=f"What is the {attribute} of {first.the_thing}?",
                answer=NO_ANSWER,
                keys=tuple(dict.fromkeys(filter(_is_specific, values.get(attribute, [])))),
                kind="unanswerable",
                document=first.document,
                section=first.section,
                evidence="\n".join(dict.fromkeys(fact.evidence for fact in own)),
            )


def _by_thing(facts: Sequence[KnownFact]) -> dict[str, list[KnownFact]]:
    by_thing: dict[str, list[KnownFact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing.casefold()].append(fact)
    return by_thing


def _is_specific(value: str) -> bool:
    """Whether a value can tell things apart: neither yes or no, nor a bare small number."""
    words = KeyText(value).words
    is_number = len(words) == 1 and len(words[0]) <= _MIN_VALUE_LETTERS
    is_short = 0 < len(value.split()) <= _MAX_VALUE_WORDS
    return is_short and not is_number and not _YES_OR_NO.match(value)


def _is_like(attribute: str, other: str) -> bool:
    """Whether two names of attributes share a word, such as "weight" and "net weight"."""
    return bool(set(KeyText(attribute).words) & set(KeyText(other).words))


def _digest(item: object) -> bytes:
    return blake2b(repr(item).encode(), digest_size=8).digest()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
