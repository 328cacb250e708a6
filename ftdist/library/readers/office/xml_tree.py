"""Helpers for converters from XML to HTML."""

from lxml import etree
from lxml.html import builder


def local_name(element: etree._Element) -> str:
    """An element's name without its namespace; "" for comments and the like."""
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def attribute(element: etree._Element, name: str) -> str:
    """An attribute in any namespace; "" if it is missing."""
    for key, value in element.attrib.items():
        if etree.QName(key).localname == name:
            return str(value)
    return ""


def add_text(to: etree._Element, text: str) -> None:
    """Append text to an element, after its last child."""
    if len(to):
        to[-1].tail = (to[-1].tail or "") + text
    else:
        to.text = (to.text or "") + text


def plain_text(element: etree._Element) -> str:
    """All text in an element, with single blanks."""
    return " ".join(" ".join(element.itertext()).split())


def page_markup(body: etree._Element, *, title: str = "") -> str:
    """The markup of a page."""
    page = builder.HTML(builder.HEAD(builder.TITLE(title)), body)
    return str(etree.tostring(page, method="html", encoding="unicode"))
