"""EPUB books: their chapters in reading order, by the reader of HTML."""

from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from ftdist.library.readers import title_from_stem
from ftdist.library.readers.encoding import declared_encoding, decode
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.office.zip_parts import ZipParts, open_zip, resolved
from ftdist.library.schema import BadRow, BadRowError, Block, Document, Location, Note

_FONT_PROTECTION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(path: Path, *, name: str) -> Document | BadRow:
    """Read a book.

    Raises:
        BadRowError: it is damaged or protected.
    """
    blocks: list[Block] = []
    notes: list[Note] = []
    with open_zip(path) as parts:
        _refuse_protected(parts)
        package_name = _package_name(parts)
        package = parts.xml(package_name)
        for chapter in _spine(package, base=package_name):
            if chapter not in parts.names:
                notes.append(Note(rule="missing chapter left out", excerpt=chapter))
                continue
            data = parts.read(chapter)
            markup, _ = decode(data, declared=declared_encoding(data))
            document = parse_html(markup, name=name, stem=path.stem)
            if isinstance(document, Document):
                blocks += document.blocks
                notes += document.notes
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    title = " ".join(_text(package.find("{*}metadata/{*}title")).split())
    return Document(
        title=title or title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=tuple(notes),
    )


def _refuse_protected(parts: ZipParts) -> None:
    """Refuse books whose chapters are encrypted; encrypted fonts do not matter."""
    name = "META-INF/encryption.xml"
    if name not in parts.names:
        return
    methods = [each.get("Algorithm") for each in parts.xml(name).iter("{*}EncryptionMethod")]
    if any(method not in _FONT_PROTECTION for method in methods):
        raise BadRowError("is protected by DRM", "Get a copy without protection.")


def _package_name(parts: ZipParts) -> str:
    roots = [
        each.get("full-path") for each in parts.xml("META-INF/container.xml").iter("{*}rootfile")
    ]
    if not roots or not roots[0]:
        raise BadRowError("is damaged: its container names no book", "Fetch it again.")
    return str(roots[0])


def _spine(package: etree._Element, *, base: str) -> list[str]:
    """Names of the chapters, each once, without the table of contents."""
    items = {each.get("id"): each for each in package.iterfind("{*}manifest/{*}item")}
    chapters = [items.get(each.get("idref")) for each in package.iterfind("{*}spine/{*}itemref")]
    names = (
        resolved(unquote(item.get("href", "").partition("#")[0]), base=base)
        for item in chapters
        if item is not None
        and "html" in item.get("media-type", "")
        and "nav" not in item.get("properties", "").split()
    )
    return list(dict.fromkeys(names))


def _text(element: etree._Element | None) -> str:
    return "" if element is None else "".join(element.itertext())
