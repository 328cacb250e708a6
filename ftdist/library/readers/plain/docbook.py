"""DocBook and DITA, converted to HTML."""

import html.entities
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lxml import etree
from lxml.html import builder

from ftdist.library.readers import read_bytes
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.office.xml_tree import add_text, local_name, page_markup, plain_text
from ftdist.library.readers.office.zip_parts import parse_xml
from ftdist.library.schema import BadRow, Document, Location, Note

_SECTIONS = {
    *("book", "part", "chapter", "appendix", "preface", "article", "section", "simplesect"),
    *("sect1", "sect2", "sect3", "sect4", "sect5", "refentry", "reference", "refsection"),
    *("refsect1", "refsect2", "refsect3", "refsynopsisdiv", "glossary", "faq", "qandadiv"),
    *("topic", "concept", "task", "troubleshooting", "glossentry", "bridgehead", "set"),
}
_TAGS = {
    **dict.fromkeys(("para", "simpara", "p", "shortdesc", "cmd", "refpurpose", "refname"), "p"),
    **dict.fromkeys(("subtitle", "glossdef", "cmdsynopsis", "funcsynopsis"), "p"),
    **dict.fromkeys(("itemizedlist", "ul", "choices", "steps-unordered", "simplelist", "sl"), "ul"),
    **dict.fromkeys(("orderedlist", "ol", "procedure", "steps", "substeps", "calloutlist"), "ol"),
    **dict.fromkeys(("listitem", "li", "step", "substep", "choice", "member", "sli"), "li"),
    "callout": "li",
    **dict.fromkeys(("variablelist", "dl", "qandaset", "parml"), "dl"),
    **dict.fromkeys(("term", "dt", "question", "glossterm", "pt"), "dt"),
    **dict.fromkeys(("dd", "answer", "pd"), "dd"),
    **dict.fromkeys(("programlisting", "screen", "literallayout", "synopsis"), "pre"),
    **dict.fromkeys(("codeblock", "pre", "msgblock", "lines"), "pre"),
    **dict.fromkeys(
        ("table", "informaltable", "simpletable", "properties", "choicetable"), "table"
    ),
    **dict.fromkeys(("row", "strow", "tr", "sthead", "property", "prophead", "chrow"), "tr"),
    **dict.fromkeys(("entry", "stentry", "td", "th", "proptype", "propvalue", "propdesc"), "td"),
    **dict.fromkeys(("proptypehd", "propvaluehd", "propdeschd"), "th"),
    "chhead": "tr",
    **dict.fromkeys(("choption", "chdesc"), "td"),
    **dict.fromkeys(("choptionhd", "chdeschd"), "th"),
    **dict.fromkeys(("superscript", "sup"), "sup"),
    **dict.fromkeys(("subscript", "sub"), "sub"),
}
_INLINE = {"p", "dt", "pre", "sup", "sub", "th", "h1", "h2", "h3", "h4", "h5", "h6"}
_ADMONITIONS = {"note", "warning", "caution", "tip", "important", "danger", "notice", "attention"}
_LEFT_OUT = {
    *("indexterm", "remark", "titleabbrev", "index", "toc", "revhistory", "authorgroup", "author"),
    *("copyright", "legalnotice", "pubdate", "releaseinfo", "edition", "date", "prolog", "colspec"),
    *("related-links", "draft-comment", "required-cleanup", "metadata", "refmeta", "refmiscinfo"),
    *("imagedata", "imageobject", "image", "keywordset", "subjectset", "orgname", "publisher"),
    *("productname", "productnumber", "corpauthor", "othercredit", "spanspec", "navtitle"),
}
_TITLE_PARENTS = ("info", "bookinfo", "articleinfo", "chapterinfo", "sectioninfo")


def read_docbook(path: Path, *, name: str) -> Document | BadRow:
    """Read a file of DocBook or DITA.

    Raises:
        BadRowError: it is not well-formed XML.
    """
    root = parse_xml(read_bytes(path))
    converter = _Converter(_entities(root))
    body = builder.BODY()
    converter.add(root, to=body, level=0)
    document = parse_html(page_markup(body), name=name, stem=path.stem)
    if isinstance(document, BadRow):
        return BadRow("contains no text", Location(name), "Remove it.")
    notes = (Note(rule, excerpt, count) for (rule, excerpt), count in converter.left_out.items())
    return replace(document, notes=(*document.notes, *notes))


class _Converter:
    """Builds HTML elements from those of DocBook and DITA."""

    def __init__(self, entities: Mapping[str, str]) -> None:
        self._entities = entities
        self.left_out = Counter[tuple[str, str]]()
        """Notes with their excerpts, each with its count."""

    def add(self, element: etree._Element, *, to: etree._Element, level: int) -> None:
        """Add an element, converted, to an HTML element.

        Args:
            element: of the source.
            to: what it becomes part of.
            level: of the headings around it.
        """
        name = local_name(element)
        if name in _LEFT_OUT:
            return
        if name in ("include", "xref") and not _has_text(element):
            target = element.get("href") or element.get("linkend") or ""
            what = "included file" if name == "include" else "cross-reference without text"
            self.left_out[f"{what} left out", target] += 1
        elif name == "title" and _title_level(element):
            self._children(
                element, to=etree.SubElement(to, f"h{min(6, max(1, level))}"), level=level
            )
        elif name in _SECTIONS:
            self._children(element, to=to, level=level + 1)
        elif name in _ADMONITIONS:
            label = element.get("type") if name == "note" else name
            etree.SubElement(to, "p").text = f"{(label or name).capitalize()}:"
            self._children(element, to=etree.SubElement(to, "div"), level=level)
        elif name in ("footnote", "fn"):
            add_text(to, f" [{plain_text(element)}]")
        else:
            self._children(element, to=_target(element, to=to), level=level)

    def _children(self, element: etree._Element, *, to: etree._Element, level: int) -> None:
        add_text(to, element.text or "")
        for child in element:
            if child.tag is etree.Entity:
                add_text(to, self._entity(child.name))
            elif isinstance(child.tag, str):
                self.add(child, to=to, level=level)
            add_text(to, child.tail or "")

    def _entity(self, name: str) -> str:
        if name in self._entities:
            return self._entities[name]
        if f"{name};" in html.entities.html5:
            return html.entities.html5[f"{name};"]
        self.left_out["entity without a definition left out", f"&{name};"] += 1
        return ""


def _entities(root: etree._Element) -> dict[str, str]:
    """Texts of the entities that a file defines, without markup."""
    definitions = root.getroottree().docinfo.internalDTD
    if definitions is None:
        return {}
    entities = ((each.name, each.content or "") for each in definitions.iterentities())
    return {name: re.sub(r"<[^<>]*>", "", content) for name, content in entities}


def _target(element: etree._Element, *, to: etree._Element) -> etree._Element:
    """The HTML element that an element becomes, or the one around it if it becomes none."""
    name = local_name(element)
    parent = element.getparent()
    tag = _TAGS.get(name, "")
    if name == "listitem" and parent is not None and local_name(parent) == "varlistentry":
        tag = "dd"
    if name in ("entry", "stentry", "th") and _is_heading_cell(element):
        tag = "th"
    if name == "title" and to.tag == "table":
        tag = "caption"
    if not tag and to.tag not in _INLINE and not _is_mixed(parent):
        tag = "div"
    if not tag:
        return to
    target = etree.SubElement(to, tag)
    if tag in ("td", "th"):
        _set_spans(target, element)
    if tag == "ol" and element.get("startingnumber"):
        target.set("start", element.get("startingnumber"))
    return target


def _is_heading_cell(element: etree._Element) -> bool:
    above = {local_name(each) for each in element.iterancestors()}
    return bool(above & {"thead", "sthead"}) or local_name(element) == "th"


def _set_spans(target: etree._Element, entry: etree._Element) -> None:
    if entry.get("morerows", "0") != "0":
        target.set("rowspan", str(int(entry.get("morerows")) + 1))
    group = next(entry.iterancestors("{*}tgroup"), None)
    columns = (
        [] if group is None else [each.get("colname") for each in group.iterfind("{*}colspec")]
    )
    start, end = entry.get("namest"), entry.get("nameend")
    if start in columns and end in columns:
        target.set("colspan", str(columns.index(end) - columns.index(start) + 1))
    for attribute in ("rowspan", "colspan"):
        if entry.get(attribute):
            target.set(attribute, entry.get(attribute))


def _title_level(title: etree._Element) -> bool:
    """Whether a title heads a section, not a figure or a table."""
    parent = title.getparent()
    if parent is not None and local_name(parent) in _TITLE_PARENTS:
        parent = parent.getparent()
    return parent is not None and local_name(parent) in _SECTIONS


def _is_mixed(element: etree._Element | None) -> bool:
    """Whether an element has text of its own between its children."""
    if element is None:
        return False
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip() for text in texts)


def _has_text(element: etree._Element) -> bool:
    return any(text.strip() for text in element.itertext())
