"""Word documents (.docx), converted to HTML, which keeps headings, lists and tables."""

import io
import re
import zipfile
from dataclasses import replace
from html import escape
from pathlib import Path
from xml.parsers.expat import ExpatError

import mammoth
from lxml import etree

from ftdist.library.readers.html import parse_html
from ftdist.library.readers.markup import lists
from ftdist.library.readers.markup.tree import Notes
from ftdist.library.readers.office.word.numbering import Numbering
from ftdist.library.readers.office.word.prepare import CODE_STYLE, MARKER, prepare, title_of
from ftdist.library.readers.office.word.styles import Styles
from ftdist.library.readers.office.word.xml import child, part, text_of
from ftdist.library.readers.office.zip_parts import ZipParts, open_zip
from ftdist.library.schema import BadRow, BadRowError, Document, Location

_BODY = "word/document.xml"
_PARTS = (_BODY, "word/footnotes.xml", "word/endnotes.xml")
_XML = (".xml", ".rels")
_STYLE_MAP = f"p.{CODE_STYLE} => pre:separator('\\n')\np[style-name='Subtitle'] => p:fresh"
_NUMBERED = re.compile(rf"<li>((?:<[^>]*>)*){MARKER[0]}(.*?){MARKER[1]}")
_LOOSE = re.compile(rf"{MARKER[0]}(.*?){MARKER[1]}")
_ERRORS = (
    *(zipfile.BadZipFile, KeyError, ValueError, OSError, AttributeError, NotImplementedError),
    etree.XMLSyntaxError,
    ExpatError,
)


def read_docx(path: Path, *, name: str) -> Document | BadRow:
    """A .docx file.

    Raises:
        BadRowError: it is damaged, encrypted or too large.
    """
    notes = Notes()
    try:
        with open_zip(path) as parts:
            prepared, title, core_title = _prepare(parts, notes)
        converted = mammoth.convert_to_html(
            prepared,
            convert_image=mammoth.images.img_element(_picture),
            style_map=_STYLE_MAP,
            include_embedded_style_map=False,
        )
    except BadRowError:
        raise
    except _ERRORS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        return BadRow(
            f"cannot be read as a Word document: {reason}",
            Location(name),
            "Open it in Word or LibreOffice and save it again.",
        )
    markup = _NUMBERED.sub(_with_marker, converted.value)
    markup = _LOOSE.sub(r"\1 ", markup)
    page = parse_html(markup, name=name, stem=path.stem, title=title, fallback_title=core_title)
    return page if isinstance(page, BadRow) else replace(page, notes=notes.all() + page.notes)


def _with_marker(match: re.Match[str]) -> str:
    return f'<li {lists.MARKER}="{escape(match[2])}">{match[1]}'


def _picture(_image: object) -> dict[str, str]:
    return {"src": "picture"}


def _prepare(parts: ZipParts, notes: Notes) -> tuple[io.BytesIO, str, str]:
    """The document without its binary parts, rewritten, its title and that of its properties."""
    styles = Styles(part(parts, "word/styles.xml"))
    numbering = Numbering(part(parts, "word/numbering.xml"), styles)
    prepared, title = io.BytesIO(), ""
    with zipfile.ZipFile(prepared, "w") as copy:
        for name in sorted(parts.names):
            root = part(parts, name) if name in _PARTS else None
            if root is None:
                copy.writestr(name, parts.read(name) if name.endswith(_XML) else b"")
                continue
            title = title_of(root, styles) if name == _BODY else title
            prepare(root, styles=styles, numbering=numbering, notes=notes)
            copy.writestr(name, etree.tostring(root, encoding="UTF-8", xml_declaration=True))
    comments = part(parts, "word/comments.xml")
    for comment in () if comments is None else comments.iter("{*}comment"):
        notes.add("comment left out", text_of(comment))
    core = child(part(parts, "docProps/core.xml"), "title")
    prepared.seek(0)
    return prepared, title, "" if core is None else (core.text or "").strip()
