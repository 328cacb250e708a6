"""Archives made and read in tests of EPUB, OpenDocument and PowerPoint."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from ftdist.library.readers import read_document
from ftdist.library.schema import BadRow, Document

Read = list[tuple[str, str]]


def made_zip(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, compresslevel=1)
    return path


def read_zipped(path: Path, kind: str) -> Document:
    document = read_document(path, name=path.name, kind=kind)
    assert isinstance(document, Document), document
    return document


def reason_of(path: Path, kind: str) -> str:
    bad = read_document(path, name=path.name, kind=kind)
    assert isinstance(bad, BadRow)
    return bad.reason


def texts_of(document: Document) -> Read:
    return [(block.kind, f"{block.marker} {block.text}".strip()) for block in document.blocks]


def rows_of(document: Document) -> list[tuple[tuple[str, ...], ...]]:
    return [block.rows for block in document.blocks if block.kind == "table"]
