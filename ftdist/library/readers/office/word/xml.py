"""The XML of Word documents: parts, elements and their properties."""

from typing import Any, TypeAlias

from lxml import etree

from ftdist.library.readers.markup.tree import Notes
from ftdist.library.readers.office.zip_parts import ZipParts

Element: TypeAlias = Any
"""An element of lxml, which has no types."""

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
_OFF = ("0", "false", "off", "none")


def parse(data: bytes) -> Element:
    """The root of a part."""
    return etree.fromstring(data, _PARSER)


def part(parts: ZipParts, name: str) -> Element | None:
    """The root of a part of a document, if it has it."""
    return parse(parts.read(name)) if name in parts.names else None


def local(element: Element) -> str:
    """The name of an element without its namespace; "" of a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def value(element: Element | None, name: str = "val") -> str:
    """An attribute, whatever its namespace."""
    if element is None:
        return ""
    return next(
        (str(text) for key, text in element.attrib.items() if etree.QName(key).localname == name),
        "",
    )


def is_on(element: Element | None) -> bool:
    """Whether a property such as `strike` is there and not switched off."""
    return element is not None and value(element) not in _OFF


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant at a path of names."""
    for name in path:
        element = None if element is None else element.find(f"{{*}}{name}")
    return element


def make(like: Element, name: str, *children: Element, text: str = "") -> Element:
    """A new element in the namespace of another."""
    namespace = etree.QName(like).namespace
    element = etree.Element(f"{{{namespace}}}{name}")
    element.extend(children)
    if text:
        element.text = text
        element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return element


def set_value(element: Element, text: str) -> Element:
    """Set an element's `val`."""
    element.set(f"{{{etree.QName(element).namespace}}}val", text)
    return element


def text_of(element: Element) -> str:
    """The words of an element, deleted ones too."""
    texts = (e.text or "" for e in element.iter("{*}t", "{*}delText"))
    return "".join(texts)


def remove(element: Element, notes: Notes | None = None, rule: str = "") -> None:
    """Remove an element, and note its words."""
    if notes is not None:
        notes.add(rule, text_of(element))
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def replace(element: Element, *others: Element) -> None:
    """Put other elements in the place of one."""
    parent = element.getparent()
    if parent is not None:
        at = parent.index(element)
        parent[at : at + 1] = others
