"""Questions about the facts that a document's tables, lists and lines tell of things."""

import re

from ftdist.library.schema import Document
from ftdist.library.synthesis.attribute_lexicon import is_attribute
from ftdist.library.synthesis.fact_groups import group_pairs
from ftdist.library.synthesis.fact_lists import list_facts
from ftdist.library.synthesis.fact_questions import fact_pair
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.qa_tables import facts_of_table
from ftdist.library.synthesis.sections import sections

_ENGLISH = re.compile(r"\b(?:the|is|are|of|and|with|for|to|in|it|when|your|you)\b", re.IGNORECASE)
_OTHERS = re.compile(
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
    return [fact for fact in facts if unique[fact.thing, fact.attribute.casefold()] is fact]


def document_fact_pairs(document: Document) -> list[QAPair]:
    """Questions about each fact and about several, in wordings of customers."""
    facts = document_facts(document)
    in_english = is_english(document, facts)
    pairs = [fact_pair(fact, is_english=in_english) for fact in facts]
    return [*pairs, *(group_pairs(facts) if in_english else ())]


def is_english(document: Document, facts: list[Fact]) -> bool:
    """Whether prose and names of attributes are in English."""
    texts = [block.text for block in document.blocks if block.kind != "table"]
    text = "\n".join([*texts, *(f"{fact.attribute} {fact.value}" for fact in facts)])
    english, others = len(_ENGLISH.findall(text)), len(_OTHERS.findall(text))
    known = sum(is_attribute(fact.attribute) for fact in facts)
    return english + known > others and (english + known > 0 or text.isascii())
