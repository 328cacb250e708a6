"""Facts of documents: a thing, an attribute and its value, from tables, lists and lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis import column_names
from ftdist.library.synthesis.attribute_lexicon import (
    UNKNOWN,
    Attribute,
    find_attribute,
    is_attribute,
)
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.sections import Section, block_text, sections
from ftdist.library.synthesis.subject import is_collection
from ftdist.library.synthesis.things import (
    Thing,
    is_common_noun,
    named_thing,
    part,
    thing_of_document,
)
from ftdist.library.synthesis.yes_no import yes_or_no
from ftdist.text.qa_marks import is_asked

GENERIC = re.compile(
    r"^(?:(?:the |our |all |key |main |basic |product |technical |general |important |more )*"
    r"(?:data|specifications?|specs|details?|overview|features?|properties|facts|figures|"
    r"information|at a glance|summary|characteristics|parameters?|performance|in brief|prices?|"
    r"pricing|description|product|products|attributes|values?|what you get|options|table)"
    r"(?: (?:and|&) \w+)?)$",
    re.IGNORECASE,
)
_HAS_MODEL = re.compile(r"\d|\b(?:manual|guide|handbook|data ?sheet)\b", re.IGNORECASE)
_OF_SETTINGS = re.compile("default|standard|factory|min|max|unit|type|data type|limit|preset", re.I)
_NOTHING = frozenset({"", "-", "--", "\u2013", "\u2014", "n/a", "n.a.", "na", "tbd", "?", "."})
_UNIT = re.compile(r"\s*(?:\((?P<in_brackets>[^()]{1,12})\)|\[(?P<squared>[^\]]{1,12})\])\s*$")
_BARE_NUMBER = re.compile(r"^[~<>]?\s*\d[\d.,\s\u2013\u00d7x-]*$")
_NO_UNIT = re.compile(r"\b(?:x|w|h|d|l|max|min|incl|excl|each|approx|optional)\b", re.IGNORECASE)
_MAX_NAME_WORDS, _MAX_VALUE_WORDS = 7, 40


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What a document says of one attribute of a thing."""

    thing: Thing
    attribute: str
    """As the document writes it, without its unit."""

    value: str
    """As the document writes it."""

    unit: str = ""
    """From the attribute's name, where the value is a bare number."""

    evidence: str
    made_by: MadeBy
    section: str
    page: int | None
    is_setting: bool = False
    """Whether the thing is a setting, whose range and the like are not those of products."""

    is_one_of_several: bool = False
    """Whether the thing has another fact of the same listed attribute, such as two voltages."""

    @property
    def known(self) -> Attribute:
        """What is known of the attribute."""
        is_other = self.is_setting and not _OF_SETTINGS.match(self.attribute)
        return UNKNOWN if is_other else find_attribute(self.attribute, value=self.value)


def subject_of(section: Section, document: Document, *, attributes: Sequence[str]) -> Thing | None:
    """The thing that attributes in a section belong to, by the headings above and the title."""
    is_sold = any(find_attribute(name).thing for name in attributes)
    title = None if is_collection(document.title) else thing_of_document(document)
    path = [text for text in section.path if text.casefold() != document.title.casefold()]
    is_generic = False
    while path and (GENERIC.match(path[-1]) or is_attribute(path[-1])):
        path.pop()
        is_generic = True
    if not path or is_collection(path[-1]):
        return title
    heading = path[-1]
    is_model = any(map(str.isdigit, heading))
    is_title_case = " " in heading and all(word[0].isupper() for word in heading.split())
    is_thing = is_model or (is_sold and _repeats(section, document, attributes))
    if title and not is_thing:
        is_thing = is_sold and is_title_case and not _HAS_MODEL.search(document.title)
    if title and not is_thing:
        is_part = is_common_noun(heading) or (is_sold and " " not in heading)
        named = heading.casefold() not in title.name.casefold()
        return part(heading, whole=title) if is_part and named and not is_generic else title
    if is_thing or is_sold or is_generic:
        return named_thing(heading, document=document, is_sold=is_sold) or title
    return title


def _repeats(section: Section, document: Document, attributes: Sequence[str]) -> bool:
    """Whether another section of the same level tells the same attributes: a catalogue does."""
    names = {name.casefold() for name in attributes}
    mine = set(section.path)
    return any(
        level == section.level and path != mine and not names.isdisjoint(others)
        for level, path, others in _told_names(document)
    )


@once_per_document
def _told_names(document: Document) -> list[tuple[int, set[str], set[str]]]:
    """Of each section its level, its path, and the first words of its lines and rows."""
    found = []
    for section in sections(document):
        cells = {row[0].casefold() for block in section.blocks for row in block.rows if row}
        lines = {block.text.partition(":")[0].casefold() for block in section.blocks}
        found.append((section.level, set(section.path), cells | lines))
    return found


def facts_evidence(row: Sequence[str], *, head: Sequence[str], section: Section) -> str:
    """A row of a table with its headings, below those of its section."""
    block = Block(
        kind="table", text="", rows=tuple(map(tuple, (head, row) if any(head) else (row,)))
    )
    return f"{section.name}\n{block_text(block)}".strip()


def make_fact(
    thing: Thing, attribute: str, value: str, *, evidence: str, made_by: MadeBy, section: Section,
    page: int | None,
) -> Fact | None:  # fmt: skip
    """A fact with the unit of its attribute's name at its value; None: there is no value."""
    name = " ".join(attribute.split()).rstrip(": ")
    value = column_names.without_footnote(" ".join(value.split()).rstrip(";,"), section)
    is_short = len(name.split()) <= _MAX_NAME_WORDS and len(value.split()) <= _MAX_VALUE_WORDS
    is_name = any(map(str.isalpha, _UNIT.sub("", name)))
    is_name = is_name and not column_names.NO_ATTRIBUTE.match(name)
    name = name.rstrip("?") if yes_or_no(value) is not None else name
    if not is_name or not is_short or value.casefold() in _NOTHING or is_asked(name):
        return None
    unit = ""
    if match := _UNIT.search(name):
        unit = match["in_brackets"] or match["squared"]
        is_unit = _BARE_NUMBER.match(value) and not _NO_UNIT.search(unit)
        name, unit = name[: match.start()], unit if is_unit else ""
    elif (match := re.search(r"\s+in\s+(\S{1,3}|euros?|dollars?|pounds?)$", name)) and (
        _BARE_NUMBER.match(value)
    ):
        name, unit = name[: match.start()], match[1]
    name = column_names.plain_name(column_names.with_brackets(name), value)
    return Fact(
        thing=thing, attribute=name, value=value, unit=unit,
        evidence=evidence, made_by=made_by, section=section.name, page=page,
    )  # fmt: skip
