"""Facts in lists and lines: "Weight: 4.2 kg", "Aquila 200 - 189 EUR", terms with definitions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis import column_names
from ftdist.library.synthesis.attribute_lexicon import find_attribute, is_attribute
from ftdist.library.synthesis.fact_questions import is_quantity
from ftdist.library.synthesis.facts import Fact, make_fact, subject_of
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.things import NO_THING, named_thing
from ftdist.library.synthesis.units import MONEY

_LINE = re.compile(
    r"^(?P<name>[^:=|?!]{1,60}?)(?:\s*:\s+|\s+[\u2013\u2014-]\s+|\s+=\s+)(?P<value>\S.*)$"
)
_NO_NAMES = re.compile(
    r"^(?:note|notes|warning|caution|danger|tip|hint|important|attention|example|e\.g|i\.e|step|"
    r"step \d+|question|answer|q|a|p|s|see|see also|source|figure|table|remember|summary|result|"
    r"reason|problem|solution|cause|remedy|update|ps|re|http|https|to do|todo|first|second|third|"
    r"\d+)$",
    re.IGNORECASE,
)
_OF_MONEY = re.compile(r"pric|cost|fee|rate|charge|deposit|fine|rent|tariff", re.IGNORECASE)
_NOT_SOLD = re.compile(
    r"\b(?:saves?|saved|savings?|prizes?|awards?|compet\w+|refund\w*|cancel\w*|revenue|results?|earn\w*|income"
    r"|budget|expenses|fines?|penalt\w+|tax\w*|salar\w+|wages?|wins?|bonus\w*|donat\w+|loss\w*"
    r"|turnover|rewards?|discounts?|figures|accounts)\b",
    re.IGNORECASE,
)
_NO_GOODS = re.compile(
    r"(?:sub)?(?:total|sum|tax|vat|of which|up to|before|after|from|until|loss|profit|revenue|later"
    r"|less|more|over|under|within|first|second|third|balance)\b",
    re.IGNORECASE,
)
_MAX_NAME_WORDS, _MAX_VALUE_WORDS = 6, 20


@dataclass(frozen=True)
class _Line:
    name: str
    value: str
    block: Block


def list_facts(section: Section, document: Document) -> list[Fact]:
    """The facts in a section's list items, lines and terms, in their order.

    A name counts if it is a known attribute, or stands among others in a section that has some.
    """
    facts: list[Fact] = []
    for made_by, group in _groups(section):
        lines = group
        names = [line.name for line in lines]
        known = sum(map(is_attribute, names))
        if known and (known * 3 >= len(lines) or known >= 3):
            thing = subject_of(section, document, attributes=names)
            if thing is None:
                thing, lines = NO_THING, [line for line in lines if is_attribute(line.name)]
            facts += filter(
                None,
                (
                    make_fact(
                        thing, line.name, line.value, made_by=made_by, section=section,
                        page=line.block.page, evidence=_evidence(line, section),
                    )
                    for line in lines
                ),
            )  # fmt: skip
        elif len(lines) > 1 and (attribute := _common_attribute(lines, section, document)):
            facts += _of_things(lines, attribute, made_by, section, document)
    return facts


def _are_prices(lines: Sequence[_Line], section: Section, document: Document) -> bool:
    """Whether lines say what things cost: amounts of money on a page that sells something."""
    if sum(bool(MONEY.match(line.value)) for line in lines) * 2 <= len(lines):
        return False
    place = f"{section.heading} {document.title}"
    names = any(_NO_GOODS.match(line.name) for line in lines)
    return bool(column_names.SELLS.search(place)) and not _NOT_SOLD.search(place) and not names


def _common_attribute(lines: Sequence[_Line], section: Section, document: Document) -> str:
    """What lines say of a thing each: a price, or what the heading names; "" if neither."""
    heading = section.heading
    if _are_prices(lines, section, document):
        return heading if _OF_MONEY.search(heading) and is_attribute(heading) else "Price"
    return heading if is_attribute(heading) and _are_quantities(lines) else ""


def _are_quantities(lines: Sequence[_Line]) -> bool:
    """Whether most values are numbers, as those of things below "Prices" are."""
    return sum(is_quantity(line.value) for line in lines) * 2 > len(lines)


def _of_things(
    lines: Sequence[_Line], attribute: str, made_by: MadeBy, section: Section, document: Document
) -> Iterator[Fact]:
    """Lines below a heading such as "Prices", each with a thing and its value."""
    is_sold = find_attribute(attribute).thing
    attribute = attribute[:-1] if is_attribute(attribute[:-1]) else attribute
    for line in lines:
        if attribute == "Price" and not MONEY.match(line.value):
            continue
        thing = named_thing(line.name, document=document, is_sold=is_sold)
        fact = thing and make_fact(
            thing, attribute, line.value, made_by=made_by, section=section, page=line.block.page,
            evidence=_evidence(line, section),
        )  # fmt: skip
        if fact:
            yield fact


def _groups(section: Section) -> Iterator[tuple[MadeBy, list[_Line]]]:
    """Lines that stand together: list items, paragraphs, terms with their definitions."""
    items = [line for block in section.blocks if block.kind == "item" for line in _lines(block)]
    yield "list", items
    texts = [
        line for block in section.blocks if block.kind == "paragraph" for line in _lines(block)
    ]
    yield "sentence", texts
    blocks = section.blocks
    terms = [
        _Line(block.text.rstrip(": "), after.text, block)
        for block, after in pairwise(blocks)
        if block.kind == "term" and after.kind == "definition" and _is_short(after.text)
    ]
    yield "definition", terms


def _lines(block: Block) -> Iterator[_Line]:
    for text in chain.from_iterable(map(_split, block.text.split("\n"))):
        match = _LINE.match(text.strip())
        if match and _is_name(match["name"]) and _is_short(match["value"]):
            yield _Line(match["name"].strip(), match["value"].strip(), block)


def _split(text: str) -> list[str]:
    """A line that holds several facts, such as "Weight: 4 kg Price: 9 EUR", before each name."""
    starts = [0]
    for colon in list(re.finditer(r":\s", text))[1:]:
        words = text[: colon.start()].split(" ")
        for size in (4, 3, 2, 1):
            name = " ".join(words[-size:])
            if size < len(words) and name[:1].isupper() and is_attribute(name):
                break
        else:
            name = words[-1] if words[-1][:1].isupper() else ""
        start = colon.start() - len(name)
        if name and start > starts[-1]:
            starts.append(start)
    ends = [*starts[1:], len(text)]
    return [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _is_name(text: str) -> bool:
    return 0 < len(text.split()) <= _MAX_NAME_WORDS and not _NO_NAMES.match(text.strip())


def _is_short(value: str) -> bool:
    return len(value.split()) <= _MAX_VALUE_WORDS


def _evidence(line: _Line, section: Section) -> str:
    return f"{section.name}\n{line.name}: {line.value}".strip()
