"""Questions about the facts that a document's tables, lists and lines tell of things."""

import re
from collections import defaultdict
from dataclasses import replace

from ftdist.library.schema import Document
from ftdist.library.synthesis.attribute_lexicon import UNKNOWN, is_attribute
from ftdist.library.synthesis.fact_groups import group_pairs
from ftdist.library.synthesis.fact_lists import list_facts
from ftdist.library.synthesis.fact_questions import fact_pair
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.qa_tables import facts_of_table
from ftdist.library.synthesis.reverse_questions import reverse_pairs
from ftdist.library.synthesis.sections import sections
from ftdist.library.synthesis.things import Thing

_ENGLISH = re.compile(r"\b(?:the|is|are|of|and|with|for|to|in|it|when|your|you)\b", re.IGNORECASE)
OTHER_LANGUAGES = re.compile(
    r"\b(?:der|die|das|und|ist|mit|f\u00fcr|ein|eine|nicht|le|les|et|est|pour|avec|une|dans|el|los|"
    r"las|y|para|con|una|il|che|della|het|een|en|van|voor|och|av|med)\b",
    re.IGNORECASE,
)


@once_per_document
def document_facts(document: Document) -> list[Fact]:
    """The facts of a document, in its order, each once."""
    facts: list[Fact] = []
    for section in sections(document):
        for block in section.blocks:
            if block.kind == "table":
                facts += facts_of_table(block, section=section, document=document)
        facts += list_facts(section, document)
    unique = {(fact.thing, fact.attribute.casefold()): fact for fact in reversed(facts)}
    facts = [fact for fact in facts if unique[fact.thing, fact.attribute.casefold()] is fact]
    by_thing: dict[Thing, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_thing[fact.thing].append(fact)
    return [
        replace(fact, is_one_of_several=_is_one_of_several(fact, by_thing[fact.thing]))
        for fact in facts
    ]


def _is_one_of_several(fact: Fact, facts: list[Fact]) -> bool:
    """Whether a thing has two facts of an attribute, such as an input and an output voltage."""
    known, (*before, noun) = fact.known, fact.attribute.casefold().split()
    return known is not UNKNOWN and any(
        other.known is known
        or (
            bool(before)
            and noun in known.names
            and other.known is UNKNOWN
            and other.attribute.casefold().split()[-1] == noun
        )
        for other in facts
        if other is not fact
    )


def document_fact_pairs(document: Document) -> list[QAPair]:
    """Questions about each fact and about several, in wordings of customers."""
    facts = document_facts(document)
    in_english = is_english(document, facts)
    pairs = [fact_pair(fact, is_english=in_english) for fact in facts]
    return [*pairs, *group_pairs(facts), *reverse_pairs(facts)] if in_english else pairs


def is_english(document: Document, facts: list[Fact]) -> bool:
    """Whether prose and names of attributes are in English."""
    texts = [block.text for block in document.blocks if block.kind != "table"]
    text = "\n".join([*texts, *(f"{fact.attribute} {fact.value}" for fact in facts)])
    english, others = len(_ENGLISH.findall(text)), len(OTHER_LANGUAGES.findall(text))
    known = sum(is_attribute(fact.attribute) for fact in facts)
    return english + known > others and (english + known > 0 or text.isascii())
