"""The one thing that a document or a section is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ftdist.library.schema import Document
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.subject import is_collection, without_kind_of_document
from ftdist.library.synthesis.things import Thing, named_thing, thing_of_document

_MAX_SHORT_WORDS = 1200
_MAX_NAME_WORDS = 5


@dataclass(frozen=True)
class Topic:
    """The one thing that a document is about."""

    thing: Thing
    is_set: bool
    """Whether "them" may mean it, as with a set of lights."""

    is_short: bool
    """Whether the document is so short that every sentence of it is worth a question."""


@once_per_document
def topic_of(document: Document) -> Topic | None:
    """The one thing that a document is about; None if it is about none or several."""
    texts = [block.text for block in document.blocks if block.kind in ("paragraph", "item")]
    text = " ".join(texts)
    thing = None if is_collection(document.title) else _thing(document, texts)
    if thing is None:
        return None
    is_set = re.search(rf"{re.escape(thing.name)} is an? (?:set|pair|kit|pack|range) of", text)
    return Topic(
        thing, is_set=bool(is_set) or thing.is_plural, is_short=is_short_document(document)
    )  # fmt: skip


def section_topic(section: Section, document: Document) -> Topic | None:
    """The thing that a section is about: its document's, or the one that its heading names."""
    topic = topic_of(document)
    heading = section.heading
    if topic is not None or not heading or heading.casefold() == document.title.casefold():
        return topic
    text = " ".join(block.text for block in section.blocks if block.kind == "paragraph")
    is_name = any(map(str.isdigit, heading)) and len(heading.split()) <= _MAX_NAME_WORDS
    if not is_name or not re.match(rf"(?:The )?{re.escape(heading)} (?:is|are) an? [a-z]", text):
        return None
    thing = named_thing(heading, document=document, is_sold=True)
    is_set = re.search(rf"{re.escape(heading)} is an? (?:set|pair|kit|pack|range) of", text)
    return Topic(thing, is_set=bool(is_set) or thing.is_plural, is_short=True) if thing else None


@once_per_document
def is_short_document(document: Document) -> bool:
    """Whether a document is so short that every clear sentence of it is worth a question."""
    texts = (block.text for block in document.blocks if block.kind in ("paragraph", "item"))
    return sum(len(text.split()) for text in texts) <= _MAX_SHORT_WORDS


def _with_plain_title(document: Document) -> Document:
    """A document whose title begins with the thing: "Manual: T-7" as "T-7"."""
    kind, colon, rest = document.title.partition(":")
    is_kind = colon and rest.strip() and not without_kind_of_document(kind)
    return replace(document, title=rest.strip()) if is_kind else document


def _thing(document: Document, texts: Sequence[str]) -> Thing | None:
    document = _with_plain_title(document)
    title = re.split(r"\s+[|\u2013\u2014:]\s*|:\s", document.title)[0].strip()
    words = title.split()
    thing = thing_of_document(document)
    if not words or thing is None:
        return None
    first = texts[0] if texts else ""
    last = words[-1].casefold()
    if len(words) > 1 and re.match(rf"(?:This|These) {re.escape(last)}\b", first):
        is_name = re.search(r"['\u2019]s? | [A-Z]", title)
        return Thing(
            name=title if is_name else title.lower(), kind=last,
            has_article=not re.search(r"['\u2019]s? ", title), is_plural=thing.is_plural,
        )  # fmt: skip
    called = re.match(r"(The )?([A-Z][\w-]+) (?:is|are) an? ([a-z -]+)", first)
    if called and called[2] in words and called[2].casefold() != last and last in called[3].split():
        return Thing(name=called[2], other_names=(title,), kind=last, has_article=bool(called[1]))
    if last.endswith("s") and words[-1] not in thing.name:
        return None  # "Icinga 2 Features"
    if any(map(str.isdigit, thing.name)) or (thing.kind and is_short_document(document)):
        return thing
    is_manual = without_kind_of_document(document.title).casefold() != document.title.casefold()
    is_proper = re.search(rf"[a-z,] {re.escape(thing.name)}\b", " ".join(texts))
    return thing if is_manual and is_proper and thing.name.istitle() else None
