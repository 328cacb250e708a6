"""PowerPoint slides, converted to HTML: titles, text, tables and speaker notes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from lxml import etree
from lxml.html import builder

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.office.xml_tree import local_name, page_markup
from ftdist.library.readers.office.zip_parts import ZipParts, open_zip
from ftdist.library.schema import BadRow, Block, Document, Location, Note

_SMALL_PARTS = ("dt", "ftr", "sldNum", "hdr", "sldImg")
"""Placeholders that repeat on each slide: date, footer, number."""

_TITLES = ("title", "ctrTitle")
_ORDERED = {"alphaLc": "a", "alphaUc": "A", "romanLc": "i", "romanUc": "I", "arabic": "1"}


def read_pptx(path: Path, *, name: str) -> Document | BadRow:
    """Read a presentation; a block's page is its slide.

    Raises:
        BadRowError: it is damaged.
    """
    blocks: list[Block] = []
    notes: list[Note] = []
    left_out = Counter[str]()
    with open_zip(path) as parts:
        for number, slide in enumerate(_slides(parts), start=1):
            root = parts.xml(slide)
            if root.get("show") == "0":
                left_out["hidden slide left out"] += 1
                continue
            body = builder.BODY()
            _add_shapes(root, to=body)
            for kind, target in parts.relations(slide).values():
                if kind == "notesSlide" and target in parts.names:
                    _add_shapes(parts.xml(target), to=body, is_slide=False)
            document = parse_html(page_markup(body), name=name, stem=path.stem)
            if isinstance(document, Document):
                blocks += [replace(block, page=number) for block in document.blocks]
                notes += document.notes
        title = _title(parts)
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Document(
        title=title or first or title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=(*notes, *(Note(rule, count=count) for rule, count in left_out.items())),
    )


def _slides(parts: ZipParts) -> list[str]:
    """Names of the slides' parts, in their order."""
    main = "ppt/presentation.xml"
    targets = parts.relations(main)
    slides = parts.xml(main).iterfind("{*}sldIdLst/{*}sldId")
    ids = [value for each in slides for key, value in each.attrib.items() if key.endswith("}id")]
    names = [targets[each][1] for each in ids if each in targets]
    return [name for name in names if name in parts.names]


def _title(parts: ZipParts) -> str:
    if "docProps/core.xml" not in parts.names:
        return ""
    title = parts.xml("docProps/core.xml").findtext("{http://purl.org/dc/elements/1.1/}title") or ""
    is_default = title.strip().casefold() in ("powerpoint presentation", "powerpoint-presentation")
    return "" if is_default else title.strip()


def _add_shapes(root: etree._Element, *, to: etree._Element, is_slide: bool = True) -> None:
    """Text and tables of a slide, its title first, the rest from top to bottom."""
    shapes = [shape for shape in root.iter("{*}sp", "{*}graphicFrame") if not _is_hidden(shape)]
    titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
    for shape in titles:
        text = " ".join(" ".join(_texts(shape)).split())
        if text:
            etree.SubElement(to, "h1" if _placeholder(shape) == "ctrTitle" else "h2").text = text
    others = [
        shape for shape in shapes if shape not in titles and _placeholder(shape) not in _SMALL_PARTS
    ]
    for shape in sorted(others, key=_position):
        table = next(shape.iter("{*}tbl"), None)
        if table is not None:
            _add_table(table, to=to)
        for text in shape.iterchildren("{*}txBody"):
            is_body = is_slide and _placeholder(shape) in ("body", "obj")
            _add_paragraphs(text, to=to, is_body=is_body)


def _is_hidden(shape: etree._Element) -> bool:
    properties = next(shape.iter("{*}cNvPr"), None)
    return properties is not None and properties.get("hidden") in ("1", "true")


def _placeholder(shape: etree._Element) -> str:
    """What a shape holds in the layout of the slide; "" for a free one."""
    placeholder = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
    return "" if placeholder is None else placeholder.get("type", "body")


def _position(shape: etree._Element) -> tuple[int, int]:
    """Top and left edge; placeholders without their own stand where the layout has them: first."""
    groups = (each.find("{*}grpSpPr/{*}xfrm") for each in shape.iterancestors("{*}grpSp"))
    own = shape.find("{*}spPr/{*}xfrm")
    outermost = [each for each in groups if each is not None]
    frame = outermost[-1] if outermost else own if own is not None else shape.find("{*}xfrm")
    offset = None if frame is None else frame.find("{*}off")
    if offset is None:
        return (0, 0)
    return (int(offset.get("y", "0")), int(offset.get("x", "0")))


def _add_paragraphs(text: etree._Element, *, to: etree._Element, is_body: bool) -> None:
    """Paragraphs; those with a bullet, a number or a level are items, as is all of a body."""
    blocks = [to]
    for paragraph in text.iterchildren("{*}p"):
        if not "".join(_texts(paragraph)).strip():
            continue
        properties = paragraph.find("{*}pPr")
        level = 0 if properties is None else int(properties.get("lvl", "0"))
        list_tag, form = _list_form(properties)
        if not list_tag and not level and (not is_body or _is_plain(properties)):
            blocks = [to]
            _add_runs(paragraph, to=etree.SubElement(to, "p"))
            continue
        del blocks[level + 2 :]
        while len(blocks) < level + 2:
            block = etree.SubElement(blocks[-1], list_tag or "ul")
            if form:
                block.set("type", form)
            blocks.append(block)
        _add_runs(paragraph, to=etree.SubElement(blocks[-1], "li"))


def _is_plain(properties: etree._Element | None) -> bool:
    """Whether a paragraph has no bullet although the layout gives it one."""
    return properties is not None and properties.find("{*}buNone") is not None


def _list_form(properties: etree._Element | None) -> tuple[str, str]:
    """The HTML tag of the list that a paragraph is in, and the form of its numbers."""
    if properties is None:
        return "", ""
    number = properties.find("{*}buAutoNum")
    if number is not None:
        kind = number.get("type", "")
        return "ol", next((form for start, form in _ORDERED.items() if kind.startswith(start)), "1")
    has_bullet = properties.find("{*}buChar") is not None
    return ("ul", "") if has_bullet else ("", "")


def _add_runs(paragraph: etree._Element, *, to: etree._Element) -> None:
    """Runs of text; line breaks and raised text stay what they are."""
    for run in paragraph:
        name = local_name(run)
        if name == "br":
            etree.SubElement(to, "br")
        for text in run.iterchildren("{*}t"):
            properties = run.find("{*}rPr")
            raised = 0 if properties is None else int(properties.get("baseline", "0").rstrip("%"))
            is_struck = (
                properties is not None and properties.get("strike", "noStrike") != "noStrike"
            )
            if not is_struck:
                tag = "sup" if raised > 0 else "sub" if raised < 0 else "span"
                etree.SubElement(to, tag).text = text.text or ""


def _add_table(table: etree._Element, *, to: etree._Element) -> None:
    has_header = next((p.get("firstRow") for p in table.iterchildren("{*}tblPr")), "0") == "1"
    block = etree.SubElement(to, "table")
    for number, row in enumerate(table.iterchildren("{*}tr")):
        line = etree.SubElement(block, "tr")
        for cell in row.iterchildren("{*}tc"):
            if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true"):
                continue  # it belongs to the cell that covers it
            target = etree.SubElement(line, "th" if has_header and number == 0 else "td")
            for ours, theirs in (("colspan", "gridSpan"), ("rowspan", "rowSpan")):
                if cell.get(theirs):
                    target.set(ours, cell.get(theirs))
            for text in cell.iterchildren("{*}txBody"):
                _add_paragraphs(text, to=target, is_body=False)


def _texts(element: etree._Element) -> list[str]:
    return [text.text or "" for text in element.iter("{*}t")]
