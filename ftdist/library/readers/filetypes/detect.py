"""File format detection by content, and by suffix only where the content cannot tell."""

from pathlib import Path

from ftdist.io.compression import DAMAGED, GZIP, ZSTANDARD, data_suffix, open_data
from ftdist.io.safe_open import open_regular
from ftdist.library.readers.filetypes.json_kind import json_kind
from ftdist.library.readers.filetypes.text_kind import UnsupportedFile, text_kind
from ftdist.library.readers.filetypes.zip_kind import zip_kind

__all__ = ["UnsupportedFile", "detect_kind"]

_HEAD_BYTES = 64 * 1024
_OLE_BYTES = 16 * 2**20
_COMPRESSED_KINDS = (
    *("html", "markdown", "text", "source", "docbook", "mail", "mbox", "rst"),
    *("json", "jsonl", "csv", "yaml", "probes"),
)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_UNPACK = "Unpack it and name its contents."
_OCR = "Run optical character recognition over it, and save its text."
_BINARY = (
    (0, b"BZh", "is an archive", _UNPACK),
    (0, b"\xfd7zXZ", "is an archive", _UNPACK),
    (0, b"7z\xbc\xaf", "is an archive", _UNPACK),
    (0, b"Rar!", "is an archive", _UNPACK),
    (0, b"\x89PNG", "is an image", _OCR),
    (0, b"\xff\xd8\xff", "is an image", _OCR),
    (0, b"GIF8", "is an image", _OCR),
    (0, b"II*\0", "is an image", _OCR),
    (0, b"MM\0*", "is an image", _OCR),
    (0, b"AT&TFORM", "is a DjVu document", "Convert it to PDF with a text layer."),
    (0, b"FEA1", "is a Feather file of the old version", "Write it as Parquet."),
    (0, b"SQLite format 3", "is an SQLite database", "Export its tables as CSV or JSONL."),
    (60, b"BOOKMOBI", "is a Kindle book", "Convert it to EPUB."),
    (257, b"ustar", "is an archive", _UNPACK),
)
"""Offset and bytes that only one format has there, reason and remedy."""

_OLE = b"\xd0\xcf\x11\xe0"
_OLE_STREAMS = (
    ("EncryptedPackage", "is an encrypted Office file", "Save it without a password."),
    ("WordDocument", "is an old Word document", "Save it as .docx without a password."),
    ("Workbook", "is an old Excel workbook", "Save it as .xlsx without a password."),
    ("PowerPoint Document", "is an old PowerPoint file", "Save it as .pptx without a password."),
    ("__substg1.0_", "is an Outlook message", "Save it as .eml."),
)
"""Names of streams that only one format has, reason and remedy."""

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ROWS = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"))


def detect_kind(path: Path) -> str | UnsupportedFile:
    """The kind of a file: of a document (see `read_document`) or of rows (see `read_records`).

    Raises:
        OSError: the file cannot be opened, or is a pipe, socket or device.
    """
    with open_regular(path) as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith((GZIP, ZSTANDARD)):
        return _detect_compressed(path)
    if pointer := _unlike_data(head):
        return pointer
    suffix = path.suffix.lower()
    kind = _binary_kind(path, head)
    if kind is None and suffix not in (".yaml", ".yml"):
        kind = json_kind(path, head, suffix=suffix)
    return kind or text_kind(head, suffix=suffix)


def _binary_kind(path: Path, head: bytes) -> str | UnsupportedFile | None:
    """The kind of a file that is not text, or why it cannot be read; None: it is text."""
    if not head.strip():
        return UnsupportedFile("is empty", "Remove it, or add content.")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return zip_kind(path)
    if head.startswith(_OLE):
        return _ole_kind(path)
    if rows := _rows_kind(head):
        return rows
    for offset, magic, reason, remedy in _BINARY:
        if head.startswith(magic, offset):
            return UnsupportedFile(reason, remedy)
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        return UnsupportedFile("is binary, not text (NUL bytes)", "Remove it, or save it as text.")
    return None


def _ole_kind(path: Path) -> UnsupportedFile:
    """Which of the formats in Microsoft's old container it is."""
    with path.open("rb") as file:
        content = file.read(_OLE_BYTES)
    for stream, reason, remedy in _OLE_STREAMS:
        if stream.encode("utf-16-le") in content:
            return UnsupportedFile(reason, remedy)
    return UnsupportedFile(
        "is an encrypted or old Office file", "Save it as .docx without a password."
    )


def _detect_compressed(path: Path) -> str | UnsupportedFile:
    """A compressed document, as in /usr/share/doc, or compressed rows are read as they are."""
    try:
        with open_data(path) as file:
            head = file.read(_HEAD_BYTES)
        if kind := _rows_kind(head):
            return kind
        is_binary = b"\0" in head and not head.startswith(_UTF16_MARKS)
        if is_binary or head.startswith(b"%PDF-"):
            return UnsupportedFile("is compressed", _UNPACK)
        if not head.strip():
            return UnsupportedFile("is empty", "Remove it, or add content.")
        suffix = data_suffix(path)
        kind = None if suffix in (".yaml", ".yml") else json_kind(path, head, suffix=suffix)
    except DAMAGED as error:
        return UnsupportedFile(f"cannot be decompressed: {error}", "Copy or download it again.")
    found = _unlike_data(head) or kind or text_kind(head, suffix=suffix)
    is_read = isinstance(found, UnsupportedFile) or found in _COMPRESSED_KINDS
    return found if is_read else UnsupportedFile("is compressed", _UNPACK)


def _rows_kind(head: bytes) -> str | None:
    return next((kind for magic, kind in _ROWS if head.startswith(magic)), None)


def _unlike_data(head: bytes) -> UnsupportedFile | None:
    """A placeholder that stands where the data should be."""
    if not head.startswith(_LFS_POINTER):
        return None
    return UnsupportedFile(
        "is a Git LFS pointer, not the data itself",
        "Fetch the data with `git lfs pull`, or name the dataset as hf://datasets/org/name.",
    )
