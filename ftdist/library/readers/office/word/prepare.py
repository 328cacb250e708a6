"""A Word document rewritten so that mammoth's HTML shows what a reader of it sees."""

import re
from itertools import pairwise

from bs4 import BeautifulSoup, Tag

from ftdist.library.readers.markup.math import equation_text
from ftdist.library.readers.markup.tree import PICTURE, Notes
from ftdist.library.readers.office.word.equations import to_mathml
from ftdist.library.readers.office.word.numbering import Numbering
from ftdist.library.readers.office.word.styles import Styles
from ftdist.library.readers.office.word.xml import (
    Element,
    child,
    is_on,
    local,
    make,
    remove,
    replace,
    set_value,
    text_of,
    value,
)

MARKER = ("\ue000", "\ue001")
"""What stands before and after the number of a paragraph."""

CODE_STYLE = "FtdistCode"
_TRANSPARENT = ("fldSimple", "dir", "bdo", "smartTag")
_MIN_RAISED = 4
"""Half points by which text is raised or lowered before it counts as such."""


def prepare(root: Element, *, styles: Styles, numbering: Numbering, notes: Notes) -> None:
    """Rewrite a part of a document: its body, footnotes or endnotes."""
    _write_equations(root, notes)
    _show_text_boxes(root, notes)
    for name in _TRANSPARENT:
        for element in list(root.iter(f"{{*}}{name}")):
            replace(element, *(e for e in element if not local(e).endswith("Pr")))
    for ruby in list(root.iter("{*}ruby")):
        replace(ruby, *_ruby(ruby))
    for deleted in list(root.iter("{*}del", "{*}moveFrom")):
        if text_of(deleted).strip():
            notes.add("struck text left out", text_of(deleted))
    _leave_out_unseen(root, styles=styles, notes=notes)
    _write_breaks(root)
    for row in root.iter("{*}tr"):
        _fill_row(row)
    for table in root.iter("{*}tbl"):
        _mark_header(table, styles)
        _extend_header(table)
    for paragraph in list(root.iter("{*}p")):
        _name_paragraph(paragraph, styles=styles, numbering=numbering, notes=notes)


def title_of(root: Element, styles: Styles) -> str:
    """The words set in the style for titles."""
    titles = (p for p in root.iter("{*}p") if styles.is_named(p, "title"))
    texts = (" ".join(_spaced_text(p).split()) for p in titles)
    return next((text for text in texts if text), "")


def _spaced_text(paragraph: Element) -> str:
    parts = paragraph.iter("{*}t", "{*}br", "{*}tab", "{*}cr")
    return "".join(part.text or "" if local(part) == "t" else " " for part in parts)


def _write_equations(root: Element, notes: Notes) -> None:
    for equation in list(root.iter("{*}oMath")):
        if next(equation.iterancestors("{*}oMath"), None) is not None:
            continue
        soup = BeautifulSoup(to_mathml(equation), "lxml")
        text = equation_text(soup.math, notes) if isinstance(soup.math, Tag) else ""
        before, after = equation.getprevious(), equation.getnext()
        left = " " if before is not None and text_of(before)[-1:].isalnum() else ""
        right = " " if after is not None and text_of(after)[:1].isalnum() else ""
        replace(equation, _run(root, f"{left}{text}{right}"))
    for outer in list(root.iter("{*}oMathPara")):
        replace(outer, *(e for e in outer if local(e) == "r"))


def _run(root: Element, text: str) -> Element:
    return make(root, "r", make(root, "t", text=text))


def _show_text_boxes(root: Element, notes: Notes) -> None:
    """Give the text of shapes to mammoth in the old form, and drawings their description."""
    shapes = "{urn:schemas-microsoft-com:vml}"
    for drawing in list(root.iter("{*}drawing")):
        properties = next(drawing.iter("{*}docPr"), None)
        boxes = list(drawing.iter("{*}txbxContent"))
        around = next(drawing.iterancestors("{*}AlternateContent"), None)
        if any(is_on(each) for each in drawing.iter("{*}decorative")):
            remove(drawing)
        elif boxes:
            box = root.makeelement(f"{shapes}textbox")
            box.extend(boxes)
            shape = root.makeelement(f"{shapes}shape")
            shape.append(box)
            replace(drawing if around is None else around, make(root, "pict", shape))
        elif next(drawing.iter("{*}blip"), None) is None:
            text = value(properties, "descr") or PICTURE
            notes.add("drawing left out", value(properties, "descr") or value(properties, "name"))
            replace(drawing if around is None else around, make(root, "t", text=f" {text} "))


def _ruby(ruby: Element) -> list[Element]:
    """Base characters, and their reading in brackets."""
    base = [run for part in ruby.findall("{*}rubyBase") for run in part]
    reading = "".join(text_of(part) for part in ruby.findall("{*}rt"))
    runs = [make(ruby, "t", text=text_of(run)) for run in base]
    return [*runs, make(ruby, "t", text=f"({reading})")] if reading else runs


def _leave_out_unseen(root: Element, *, styles: Styles, notes: Notes) -> None:
    """Remove hidden and struck runs; raise and lower what a style or position does."""
    groups: dict[str, list[Element]] = {}
    for run in root.iter("{*}r"):
        if is_on(styles.property(run, "vanish")):
            groups.setdefault("hidden text left out", []).append(run)
        elif is_on(styles.property(run, "strike")) or is_on(styles.property(run, "dstrike")):
            groups.setdefault("struck text left out", []).append(run)
        else:
            _set_vertical(run, styles)
    for rule, runs in groups.items():
        for number, run in enumerate(runs):
            if number == 0 or run.getprevious() is not runs[number - 1]:
                following = _adjacent(runs, number)
                notes.add(rule, "".join(map(text_of, following)))
        for run in runs:
            for part in list(run):
                if local(part) not in ("rPr", "fldChar", "instrText"):
                    run.remove(part)


def _adjacent(runs: list[Element], first: int) -> list[Element]:
    """The runs that follow each other directly, from the first on."""
    end = first + 1
    while end < len(runs) and runs[end].getprevious() is runs[end - 1]:
        end += 1
    return runs[first:end]


def _set_vertical(run: Element, styles: Styles) -> None:
    own = child(run, "rPr", "vertAlign")
    if own is not None:
        return
    align = value(styles.property(run, "vertAlign"))
    position = value(styles.property(run, "position"))
    if not align and re.fullmatch(r"-?\d+", position) and abs(int(position)) >= _MIN_RAISED:
        align = "superscript" if int(position) > 0 else "subscript"
    if align in ("superscript", "subscript"):
        properties = child(run, "rPr")
        if properties is None:
            properties = make(run, "rPr")
            run.insert(0, properties)
        properties.append(set_value(make(run, "vertAlign"), align))


def _write_breaks(root: Element) -> None:
    for element in list(root.iter("{*}cr", "{*}br", "{*}ptab", "{*}sym")):
        match local(element):
            case "cr":
                replace(element, make(root, "br"))
            case "ptab":
                replace(element, make(root, "tab"))
            case "br":
                element.attrib.clear()
            case "sym" if (char := int(value(element, "char") or "0", 16)) and char < 0xE000:
                replace(element, make(root, "t", text=chr(char)))


def _fill_row(row: Element) -> None:
    """Write the columns that a row leaves out at its beginning as an empty cell."""
    skipped = value(child(row, "trPr", "gridBefore"))
    if skipped.isdigit() and int(skipped):
        span = set_value(make(row, "gridSpan"), skipped)
        cell = make(row, "tc", make(row, "tcPr", span), make(row, "p"))
        first = next((e for e in row if local(e) in ("tc", "sdt")), None)
        row.insert(len(row) if first is None else row.index(first), cell)


def _mark_header(table: Element, styles: Styles) -> None:
    """Mark the first row as the header where the style of the table sets it apart."""
    first = table.find("{*}tr")
    look = child(table, "tblPr", "tblLook")
    has_first = value(look, "firstRow") == "1" or bool(int(value(look) or "0", 16) & 0x20)
    style = value(child(table, "tblPr", "tblStyle"))
    kinds = (
        value(each, "type")
        for element in styles.chain(style)
        for each in element.findall("{*}tblStylePr")
    )
    if first is not None and has_first and "firstRow" in kinds:
        _set_header(first)


def _extend_header(table: Element) -> None:
    """Mark rows as headers into which a cell of the header above reaches."""
    for row, below in pairwise(table.findall("{*}tr")):
        merges = (child(cell, "tcPr", "vMerge") for cell in below.findall("{*}tc"))
        reaches = any(merge is not None and value(merge) != "restart" for merge in merges)
        if reaches and child(row, "trPr", "tblHeader") is not None:
            _set_header(below)


def _set_header(row: Element) -> None:
    properties = child(row, "trPr")
    if properties is None:
        properties = make(row, "trPr")
        row.insert(0, properties)
    if child(properties, "tblHeader") is None:
        properties.append(make(row, "tblHeader"))


def _name_paragraph(
    paragraph: Element, *, styles: Styles, numbering: Numbering, notes: Notes
) -> None:
    """Give a paragraph a style that mammoth knows, and its number as text."""
    if styles.is_named(paragraph, r"toc \d|toc heading|contents? \d|contents heading"):
        remove(paragraph, notes, "navigation left out")
        return
    level = styles.heading_level(paragraph)
    is_title = styles.is_named(paragraph, "title")
    marker = numbering.marker(paragraph)
    if level or is_title:
        _set_style(paragraph, f"Heading{1 if is_title else level}")
    elif not marker and styles.is_code(paragraph):
        _set_style(paragraph, CODE_STYLE)
    if marker and text_of(paragraph).strip():
        text = f"{marker} " if level else f"{MARKER[0]}{marker}{MARKER[1]}"
        properties = child(paragraph, "pPr")
        at = 0 if properties is None else paragraph.index(properties) + 1
        paragraph.insert(at, _run(paragraph, text))


def _set_style(paragraph: Element, name: str) -> None:
    properties = child(paragraph, "pPr")
    if properties is None:
        properties = make(paragraph, "pPr")
        paragraph.insert(0, properties)
    for element in (child(properties, "pStyle"), child(properties, "numPr")):
        if element is not None:
            properties.remove(element)
    properties.insert(0, set_value(make(paragraph, "pStyle"), name))
