"""OpenDocument texts, spreadsheets and presentations, converted to HTML."""

from collections import Counter
from pathlib import Path

from lxml import etree
from lxml.html import builder

from ftdist.library.readers import read_bytes
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.office.odf_styles import OdfStyles
from ftdist.library.readers.office.xml_tree import (
    add_text,
    attribute,
    local_name,
    page_markup,
    plain_text,
)
from ftdist.library.readers.office.zip_parts import open_zip, parse_xml
from ftdist.library.schema import BadRow, BadRowError, Document, Location, Note

_ZIP = b"PK\x03\x04"
_LEFT_OUT = {
    *("tracked-changes", "annotation", "annotation-end", "table-of-content", "alphabetical-index"),
    *("illustration-index", "table-index", "object-index", "user-index", "bibliography"),
    *("hidden-text", "hidden-paragraph", "forms", "sequence-decls", "variable-decls", "script"),
    *("shapes", "table-source", "dde-connection-decls", "calculation-settings", "ruby-text"),
    *("content-validations", "label-ranges", "named-expressions", "database-ranges", "settings"),
    *("table-header-columns", "table-column", "table-columns", "note-citation", "image", "object"),
}
_TAGS = {"list-item": "li", "list-header": "li", "notes": "div", "line-break": "br"}
_BLANKS = {"s": " ", "tab": "\t"}
_MAX_REPEATED = 100
"""A spreadsheet repeats its last empty row and column up to the end of the sheet."""


def read_odf(path: Path, *, name: str) -> Document | BadRow:
    """Read a document (.odt, .ods, .odp, or flat XML).

    Raises:
        BadRowError: it is damaged or encrypted.
    """
    with path.open("rb") as file:
        is_flat = file.read(4) != _ZIP
    if is_flat:
        content = styles = parse_xml(read_bytes(path))
        title = _title(content)
    else:
        with open_zip(path) as parts:
            if b"encryption-data" in parts.read("META-INF/manifest.xml"):
                raise BadRowError("is encrypted", "Save it without a password.")
            content = parts.xml("content.xml")
            styles = parts.xml("styles.xml") if "styles.xml" in parts.names else content
            title = _title(parts.xml("meta.xml")) if "meta.xml" in parts.names else ""
    converter = _Converter(OdfStyles.of(content, styles))
    page = builder.BODY()
    for body in content.iterfind("{*}body/*"):
        converter.add_children(body, to=page)
    document = parse_html(page_markup(page, title=title), name=name, stem=path.stem)
    if isinstance(document, BadRow):
        return BadRow("contains no text", Location(name), "Remove it.")
    notes = (Note(rule, count=count) for rule, count in converter.left_out.items())
    return Document(
        title=document.title,
        blocks=document.blocks,
        location=document.location,
        notes=(*document.notes, *notes),
    )


def _title(meta: etree._Element) -> str:
    """What its properties call it."""
    title = next(meta.iter("{http://purl.org/dc/elements/1.1/}title"), None)
    return "" if title is None else "".join(title.itertext()).strip()


class _Converter:
    """Builds HTML elements from those of OpenDocument."""

    def __init__(self, styles: OdfStyles) -> None:
        self._styles = styles
        self.left_out = Counter[str]()
        """Notes, each with its count."""

    def add_children(self, element: etree._Element, *, to: etree._Element) -> None:
        """Add an element's text and children, converted, to an HTML element."""
        add_text(to, element.text or "")
        for child in element:
            if isinstance(child.tag, str):
                self._add(child, to=to)
            add_text(to, child.tail or "")

    def _add(self, element: etree._Element, *, to: etree._Element) -> None:
        name = local_name(element)
        special = {
            "h": self._heading,
            "p": self._paragraph,
            "span": self._span,
            "list": self._list,
            "table": self._table,
            "page": self._slide,
        }
        if name in _LEFT_OUT:
            return
        if name in special:
            special[name](element, to=to)
        elif name in _TAGS:
            self._nest(element, _TAGS[name], to=to)
        elif name in _BLANKS:
            add_text(to, _BLANKS[name] * min(int(attribute(element, "c") or 1), 200))
        elif name == "note":
            body = element.find("{*}note-body")
            add_text(to, f" [{plain_text(body)}]" if body is not None else "")
        else:
            self.add_children(element, to=to)

    def _heading(self, element: etree._Element, *, to: etree._Element) -> None:
        level = min(6, int(attribute(element, "outline-level") or 1))
        self._nest(element, f"h{level}", to=to)

    def _nest(self, element: etree._Element, tag: str, *, to: etree._Element) -> None:
        self.add_children(element, to=etree.SubElement(to, tag))

    def _paragraph(self, element: etree._Element, *, to: etree._Element) -> None:
        """A paragraph; titles of texts and of slides are headings, listings are code."""
        style = attribute(element, "style-name")
        if self._styles.is_hidden(style):
            self.left_out["hidden text left out"] += 1
        elif self._styles.is_title(style):
            self._nest(element, "h1", to=to)
        elif self._styles.is_code(style) and to.tag == "body":
            is_next = len(to) > 0 and to[-1].tag == "pre" and not (to[-1].tail or "").strip()
            block = to[-1] if is_next else etree.SubElement(to, "pre")
            self.add_children(element, to=block)
            add_text(block, "\n")
        else:
            self._nest(element, "p", to=to)

    def _span(self, element: etree._Element, *, to: etree._Element) -> None:
        style = attribute(element, "style-name")
        if self._styles.is_hidden(style):
            self.left_out["hidden text left out"] += 1
            return
        tag = self._styles.tag(style)
        if tag:
            self._nest(element, tag, to=to)
        else:
            self.add_children(element, to=to)

    def _list(self, element: etree._Element, *, to: etree._Element) -> None:
        lists = [element, *element.iterancestors("{*}list")]
        style = next(filter(None, (attribute(each, "style-name") for each in lists)), "")
        form, first = self._styles.numbering(style, level=len(lists))
        block = etree.SubElement(to, "ol" if form else "ul")
        if form:
            block.set("type", form)
        items = element.xpath("*[local-name() = 'list-item']")
        start = (attribute(items[0], "start-value") if items else "") or first
        if form and start:
            block.set("start", start)
        self.add_children(element, to=block)

    def _table(self, element: etree._Element, *, to: etree._Element) -> None:
        if self._styles.is_hidden(attribute(element, "style-name")):
            self.left_out["hidden sheet left out"] += 1
            return
        is_sheet = (
            element.getparent() is not None and local_name(element.getparent()) == "spreadsheet"
        )
        if is_sheet:
            etree.SubElement(to, "h2").text = attribute(element, "name")
        table = etree.SubElement(to, "table")
        rows = [row for row in element.iter("{*}table-row") if _owner(row) is element]
        for row in rows:
            if attribute(row, "visibility") in ("collapse", "filter"):
                self.left_out["hidden row left out"] += 1
                continue
            is_head = local_name(row.getparent()) == "table-header-rows"
            for _ in range(_repeated(row, "number-rows-repeated")):
                self._cells(row, tag="th" if is_head else "td", to=etree.SubElement(table, "tr"))

    def _cells(self, row: etree._Element, *, tag: str, to: etree._Element) -> None:
        for cell in row:
            if local_name(cell) != "table-cell":  # a covered one belongs to the cell that covers it
                continue
            for _ in range(_repeated(cell, "number-columns-repeated")):
                target = etree.SubElement(to, tag)
                for ours, theirs in (("colspan", "columns"), ("rowspan", "rows")):
                    span = attribute(cell, f"number-{theirs}-spanned")
                    if span not in ("", "1"):
                        target.set(ours, span)
                self.add_children(cell, to=target)

    def _slide(self, element: etree._Element, *, to: etree._Element) -> None:
        """A slide: its title as a heading, then its other frames."""
        frames = [child for child in element if attribute(child, "class") == "title"]
        for frame in frames:
            text = " ".join(" ".join(frame.itertext()).split())
            etree.SubElement(to, "h2").text = text
        for child in element:
            if child not in frames and attribute(child, "class") != "page":
                self._add(child, to=to)


def _owner(row: etree._Element) -> etree._Element | None:
    return next(row.iterancestors("{*}table"), None)


def _repeated(element: etree._Element, name: str) -> int:
    """How often a row or a cell stands; an empty one only where a few follow each other."""
    count = int(attribute(element, name) or 1)
    has_text = any(text.strip() for text in element.itertext())
    return min(count, 10_000) if has_text else 1 if count > _MAX_REPEATED else count
