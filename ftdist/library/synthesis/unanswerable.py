"""Questions that a library does not answer about its own things, answered by saying so.

Each asks a thing for an attribute that other things have, or that customers ask of any product, and
that no text tells of it. Half of those that other things have are left to the probes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ftdist.library.synthesis.attribute_lexicon import UNKNOWN, find_attribute
from ftdist.library.synthesis.fact_questions import fact_pair, named_attribute
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.general_questions import is_plural_attribute
from ftdist.library.synthesis.mentions import Mentions
from ftdist.library.synthesis.probe_facts import KnownFact, by_thing, digest
from ftdist.library.synthesis.probe_unanswerable import group_of, is_like
from ftdist.library.synthesis.reverse_questions import ELECTRIC
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.yes_no import yes_or_no

_ASKED_OF_PRODUCTS = (
    "weight", "dimensions", "colour", "material", "warranty", "power consumption", "cable length",
    "energy class", "delivery time",
)  # fmt: skip
"""What customers ask of any product; no probe asks for them. The maker is often in the name."""

_OF_DEVICES = frozenset({"cable length", "energy class"})

_RELATED = tuple(
    frozenset(words.split())
    for words in (
        "length width height depth diameter thickness size dimension dimensions measurements",
        "colour colours color colors material materials surface finish",
        "power energy consumption",
    )
)
"""Words of attributes that tell something of each other: a height is one of the dimensions."""

_MIN_FACTS, _MIN_QUESTIONS = 2, 2
_FACTS_PER_QUESTION = 4
"""Of a thing with many facts: its unanswerable questions are about a twentieth of all."""

_MAX_ATTRIBUTE_WORDS = 4
_WORD = re.compile(r"[a-z]{3,}")
_UNIT = re.compile(r"\d\s?([A-Za-z]{1,3})\b")
_COMMON_WORDS = """
about and any anything are ask big can come could did does for from get give given goes good has
have how its kind know large like long look many may means much need number one out possible put say
should some take tell than that the thing this time type use used uses using want what when where
which while who why will with within would you your"""
_NOT_TELLING = frozenset(_COMMON_WORDS.split())
"""Words of questions that do not tell what is asked for."""

_ANSWERS = (
    "The documents do not give the {a} of {x}.",
    "I have no information on the {a} of {x}: the documents do not mention {it}.",
)


@dataclass(frozen=True, kw_only=True)
class UnanswerableQuestion:
    """A question about a thing of a document, its wordings each with an answer."""

    document: str
    exchanges: tuple[tuple[str, str], ...]


def unanswerable_questions(
    facts: Sequence[KnownFact], *, mentions: Mentions, wordings: int
) -> Iterator[UnanswerableQuestion]:
    """Questions about things for attributes that no text tells of them.

    Args:
        facts: of the whole library.
        mentions: of `guard_terms` beside each `name_in_texts`, in its documents as written.
        wordings: of a question, at most.
    """
    offered = _Offered(facts)
    for own in by_thing(facts).values():
        first = own[0]
        if len(own) < _MIN_FACTS or first.name != first.thing:  # a part has too many names
            continue
        count = max(_MIN_QUESTIONS, len(own) // _FACTS_PER_QUESTION)
        several = len(own) >= _MIN_QUESTIONS * _FACTS_PER_QUESTION
        taken = [fact.attribute for fact in own]
        for attribute, value in offered.to(own):
            if len(taken) == len(own) + count:
                break
            is_covered = any(
                is_like(attribute, each) or _are_related(attribute, each) for each in taken
            )
            if not is_covered and _is_absent(attribute, value, first, mentions):
                taken.append(attribute)
                yield _question(first, attribute, value, wordings=wordings if several else 1)


def guard_terms(facts: Sequence[KnownFact]) -> set[str]:
    """Everything whose mention beside a thing may tell an attribute of it."""
    values = {(fact.attribute, fact.value) for fact in facts}
    values |= {(attribute, "") for attribute in _ASKED_OF_PRODUCTS}
    return {term for attribute, value in values for term in _telling(attribute, value)}


def name_in_texts(fact: KnownFact) -> str:
    """The first word of a thing's name, which no text that tells of the thing does without."""
    return fact.name.split()[0]


class _Offered:
    """The attributes that things may be asked for, with a value that another thing has."""

    def __init__(self, facts: Sequence[KnownFact]) -> None:
        self._of_group: dict[str, dict[str, str]] = defaultdict(dict)
        self._of_products: dict[str, str] = {}
        for fact in facts:
            if not _can_be_asked(fact):
                continue
            self._of_group[group_of(fact)].setdefault(fact.attribute, fact.value)
            if fact.is_product and find_attribute(fact.attribute) is not UNKNOWN:
                self._of_products.setdefault(fact.attribute, fact.value)

    def to(self, own: Sequence[KnownFact]) -> Iterator[tuple[str, str]]:
        """Those of things like it, of any product, and what customers ask, in turns."""
        first = own[0]
        others = dict(self._of_group[group_of(first)])
        common: list[str] = []
        if any(fact.is_product for fact in own):
            is_electric = any(_is_electric(fact.attribute) for fact in own)  # no table, no plant
            products = {
                name: value
                for name, value in self._of_products.items()
                if is_electric or not _is_electric(name)
            }
            others = products | others
            common = sorted(
                (name for name in _ASKED_OF_PRODUCTS if is_electric or not _is_electric(name)),
                key=lambda name: digest((first.thing, name)),
            )
        names = sorted(
            (name for name in others if digest((first.thing, name))[0] % 2),
            key=lambda name: digest((first.thing, name)),
        )
        half = len(common) // 2
        for name in (*names[:_MIN_QUESTIONS], *common[:half], *names[_MIN_QUESTIONS:], *common):
            yield name, others.get(name, "")


def _is_electric(attribute: str) -> bool:
    return (*find_attribute(attribute).names, attribute)[0] in ELECTRIC | _OF_DEVICES


def _can_be_asked(fact: KnownFact) -> bool:
    is_short = len(fact.attribute.split()) <= _MAX_ATTRIBUTE_WORDS
    return is_short and yes_or_no(fact.value) is None and not fact.value.isdigit()


def _are_related(attribute: str, other: str) -> bool:
    return not _relations(attribute).isdisjoint(_relations(other))


@lru_cache(maxsize=4096)
def _relations(attribute: str) -> frozenset[int]:
    """Which of `_RELATED` hold a word of an attribute's names."""
    words = set(_WORD.findall(" ".join(_names(attribute))))
    return frozenset(at for at, related in enumerate(_RELATED) if words & related)


def _is_absent(attribute: str, value: str, thing: KnownFact, mentions: Mentions) -> bool:
    """Whether no text of a thing, or of no thing in particular, tells the attribute."""
    own = (name_in_texts(thing), thing.document)
    return not any(
        mentions.holds(term, name) for term in _telling(attribute, value) for name in own
    ) and mentions.of_nothing.isdisjoint(_names(attribute))


def _question(
    thing: KnownFact, attribute: str, value: str, *, wordings: int
) -> UnanswerableQuestion:
    fact = Fact(
        thing=Thing(
            name=thing.name, has_article=thing.the_thing != thing.name, is_plural=thing.is_plural
        ),
        attribute=attribute, value=value or "unknown", evidence="", made_by="unanswerable",
        section="", page=None,
    )  # fmt: skip
    pair = fact_pair(fact, is_english=True)
    # Other wordings may take for granted that the thing has it: "When is it full again?"
    naming = [text for text in pair.wordings if _names_one_of(_names(attribute), text)]
    texts = sorted((pair.question, *naming), key=digest)[:wordings]
    name = named_attribute(fact)
    it = "them" if is_plural_attribute(name) else "it"
    start = digest((thing.thing, attribute))[1]
    answers = [form.format(a=name, x=thing.the_thing, it=it) for form in _ANSWERS]
    return UnanswerableQuestion(
        document=thing.document,
        exchanges=tuple(
            (text, answers[(start + at) % len(answers)]) for at, text in enumerate(texts)
        ),
    )


def _names_one_of(names: frozenset[str], text: str) -> bool:
    is_one_sentence = not re.search(r"[.?] ", text)
    return is_one_sentence and any(name in text.casefold() for name in names)


@lru_cache(maxsize=4096)
def _names(attribute: str) -> frozenset[str]:
    """The names of an attribute."""
    known = find_attribute(attribute)
    return frozenset((attribute, *known.names, *known.words))


@lru_cache(maxsize=4096)
def _telling(attribute: str, value: str) -> frozenset[str]:
    """The names of an attribute, their words and those of its questions, and its unit."""
    names = _names(attribute)
    text = " ".join((*names, *find_attribute(attribute).questions)).casefold()
    text = re.sub(r"\{\w+\}", " ", text)
    return names | (set(_WORD.findall(text)) - _NOT_TELLING) | set(_UNIT.findall(value))
