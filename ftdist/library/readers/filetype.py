"""File format detection by content, and by suffix only where the content cannot tell."""

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

_HEAD_BYTES = 64 * 1024
_BY_SUFFIX = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
GZIP = b"\x1f\x8b"
_ARCHIVES = (b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class UnsupportedFile:
    """Why a file cannot be read, a clause that follows its name, and what to do about it."""

    reason: str
    remedy: str


def detect_kind(path: Path) -> str | UnsupportedFile:
    """pdf, docx, html, markdown, text, json, jsonl, csv, parquet or yaml.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(GZIP):
        return _detect_gzipped(path)
    return _detect(path, head, suffix=path.suffix.lower())


def _detect(path: Path, head: bytes, *, suffix: str) -> str | UnsupportedFile:
    if not head.strip():
        return UnsupportedFile("is empty", "Remove it, or add content.")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return _detect_zipped(path)
    if head.startswith(_OLD_OFFICE):
        return UnsupportedFile(
            "is an encrypted or old Office file", "Save it as .docx without a password."
        )
    if head.startswith(_ARCHIVES):
        return UnsupportedFile("is an archive", "Unpack it and name its contents.")
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        return UnsupportedFile("is binary, not text (NUL bytes)", "Remove it, or save it as text.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")) and b"<html" in head.lower():
        return "html"
    return _BY_SUFFIX.get(suffix, "text")


def _detect_gzipped(path: Path) -> str | UnsupportedFile:
    """A gzipped document, as in /usr/share/doc, is read without being unpacked."""
    unsupported = UnsupportedFile("is compressed", "Unpack it and name its contents.")
    try:
        with gzip.open(path) as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return unsupported
    if head[257:262] == b"ustar":
        return unsupported
    kind = _detect(path, head, suffix=Path(path.stem).suffix.lower())
    return kind if kind in ("html", "markdown", "text") else unsupported


def _detect_zipped(path: Path) -> str | UnsupportedFile:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return UnsupportedFile("is a damaged archive", "Save or fetch it again.")
    if "word/document.xml" in names:
        return "docx"
    return UnsupportedFile(
        "is an archive but not a Word document", "Unpack it and name its contents."
    )
