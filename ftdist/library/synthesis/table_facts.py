"""The facts of tables: things in rows or columns, or the attributes of one thing."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis import column_names
from ftdist.library.synthesis.attribute_lexicon import find_attribute, is_attribute
from ftdist.library.synthesis.facts import GENERIC, Fact, facts_evidence, make_fact, subject_of
from ftdist.library.synthesis.qa_headings import lower_first
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.table_shapes import (
    EXPLAINS,
    PROPERTY,
    are_options,
    column_of_names,
    explains_words,
    is_row_of_values,
)
from ftdist.library.synthesis.things import (
    NOUN_AFTER_A_NAME,
    Thing,
    bracketed,
    is_common_noun,
    named_thing,
    part,
    singular,
    thing_of_document,
    without_brackets,
)
from ftdist.library.synthesis.topics import topic_of

_VALUE = re.compile(
    r"^(?:values?|data|details?|specifications?|descriptions?|information|entry|answer|metric|"
    r"werte?|angaben?|daten|valeurs?|valor(?:es)?|waarden?|valore|)$",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"^(?:settings?|options?|parameters?|fields?|variables?|keys?|flags?|arguments?|directives?|"
    r"config(?:uration)?(?: keys?| options?)?)$",
    re.IGNORECASE,
)
_PART = re.compile(r"^(?:(?:spare )?parts?|components?|accessor(?:y|ies)|buttons?)$", re.IGNORECASE)
_REMARK = re.compile(r"^(?:notes?|remarks?|comments?|details|imperial|unit|units)$", re.IGNORECASE)


def table_facts(block: Block, *, section: Section, document: Document) -> list[Fact]:
    """The facts of a table; empty if it does not tell facts of things that have names.

    It lists attributes with their values, or things in rows with a column per attribute, or
    attributes in rows with a column per thing.
    """
    rows = [row for row in block.rows if any(row)]
    if not rows or len(rows[0]) < 2:
        return []
    head: tuple[str, ...] = rows[0] if block.has_header else ()
    body = rows[1:] if head else rows
    if head and is_row_of_values(head, body):
        head, body = (), rows  # Markdown has no table without a header
    if head and len(head) == 2 and explains_words(head, body):
        return []
    if head and len(head) > 2 and PROPERTY.match(head[0]) and _REMARK.match(head[-1]):
        has_unit = head[-1].casefold().startswith("unit")
        values = [f"{row[1]} {row[-1]}".strip() if has_unit else row[1] for row in body]
        head, body = head[:2], [(row[0], value) for row, value in zip(body, values, strict=True)]
    if len(body[0] if body else ()) == 2 and (
        thing := _listed_thing(head, body, section, document)
    ):
        return list(_listed(thing, head, body, block, section))
    if not head or len(body) == 0:
        return []
    in_names = sum(is_attribute(row[0]) for row in body)
    in_head = sum(map(is_attribute, head[1:]))
    lists_things = any(map(EXPLAINS.match, head)) or _SETTING.match(head[0]) or _PART.match(head[0])
    are_attributes = in_names * 2 >= len(body) and not lists_things
    is_turned = (in_names > in_head and are_attributes) or (
        (bool(PROPERTY.match(head[0])) or are_options(head, body)) and in_names >= in_head
    )
    if is_turned:
        turned = list(zip(*[head, *body], strict=True))
        head, body = turned[0], turned[1:]
    return list(_tabled(head, body, block, section, document, is_turned=is_turned))


def _listed_thing(
    head: Sequence[str], body: Sequence[Sequence[str]], section: Section, document: Document
) -> Thing | None:
    """The thing whose attributes and values a table of two columns lists; None: it does not."""
    names = [row[0] for row in body]
    is_value = bool(head) and (_VALUE.match(head[1]) or column_names.OF_DAYS.match(" ".join(head)))
    is_listed = bool(head) and (PROPERTY.match(head[0]) or is_value)
    if head and not is_listed and not any(map(is_attribute, names)):
        return None  # a column of things and one of their attributes
    if head and is_attribute(head[1]) and not is_listed:
        return None
    if head and not is_value and any(map(is_attribute, names)):
        is_sold = any(find_attribute(name).thing for name in names)
        return named_thing(head[1], document=document, is_sold=is_sold)
    return subject_of(section, document, attributes=names)


def _listed(
    thing: Thing,
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    block: Block,
    section: Section,
) -> Iterator[Fact]:
    for row in body:
        fact = make_fact(
            thing, row[0], row[1], made_by="table", section=section, page=block.page,
            evidence=facts_evidence(row, head=head, section=section),
        )  # fmt: skip
        if fact:
            yield fact


def _tabled(
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    block: Block,
    section: Section,
    document: Document,
    *,
    is_turned: bool,
) -> Iterator[Fact]:
    """Facts of things, one a row."""
    named = column_of_names(head, body)
    is_sold = any(find_attribute(name).thing for name in head)
    noun = _noun(section, document) if is_turned else head[named]
    is_setting = bool(_SETTING.match(noun))
    is_class = bool(NOUN_AFTER_A_NAME.match(singular(noun.casefold())))
    is_common = _are_common([row[named] for row in body]) and not is_class
    is_part = is_setting or bool(_PART.match(noun)) or is_common
    is_owned = is_setting or bool(_PART.match(noun)) or topic_of(document) is not None
    whole = _whole(section, document) if is_part and is_owned and not is_turned else None
    bare = Counter(map(without_brackets, (row[named] for row in body)))
    for row in body:
        name = row[named]
        thing = named_thing(name, document=document, is_sold=is_sold, noun=noun)
        if thing and thing.has_article and is_part and not any(map(str.isdigit, name)):
            thing = part(without_brackets(name), whole=whole)
        if thing and thing.name and (remark := bracketed(name)):
            is_only = bare[without_brackets(name)] == 1
            whole_name = f"{thing.name} ({remark})"
            thing = replace(thing, remark=remark) if is_only else replace(thing, name=whole_name)
        for column, attribute in enumerate(head):
            if thing is None or column == named or _VALUE.match(attribute):
                continue
            fact = make_fact(
                thing, attribute, row[column], made_by="table", section=section, page=block.page,
                evidence=facts_evidence(row, head=head, section=section),
            )  # fmt: skip
            is_kind = fact and column_names.is_kind_of_price(fact.attribute, fact.value, section)
            if fact and is_kind and not is_turned:
                kind = f"{thing.name} ({lower_first(fact.attribute)})"
                fact = replace(
                    fact, thing=replace(thing, name=kind, other_names=()), attribute="Price"
                )
            if fact:
                yield replace(fact, is_setting=is_setting)


def _whole(section: Section, document: Document) -> Thing | None:
    """The thing whose parts or settings a table lists."""
    subject = subject_of(section, document, attributes=())
    return thing_of_document(document) if subject and subject.whole else subject


def _are_common(names: Sequence[str]) -> bool:
    """Whether names of things are mostly common nouns, such as "Filter basket"."""
    return sum(map(is_common_noun, names)) * 2 > len(names)


def _noun(section: Section, document: Document) -> str:
    """What things are, by the heading above them or the title, such as "plans"; "": unknown."""
    for text in (section.heading, document.title):
        last = (text.split() or [""])[-1].lower()
        if last.endswith("s") and not GENERIC.match(text) and not GENERIC.match(last):
            return last
    return ""
