"""Readers: files of every supported format into documents, conversations and passages."""

from importlib import import_module
from pathlib import Path

from ftdist.io.compression import DAMAGED, open_data
from ftdist.library.schema import BadRow, BadRowError, Document, Location

MAX_DOCUMENT = 64 * 2**20
"""Bytes of the largest HTML, Markdown or text file, decompressed; reading takes 20 times that."""


_READERS = {
    "docx": "office.docx:read_docx",
    "epub": "office.epub:read_epub",
    "docbook": "plain.docbook:read_docbook",
    "html": "html:read_html",
    "mail": "plain.mail:read_mail",
    "markdown": "plain.markdown:read_markdown",
    "mbox": "plain.mail:read_mbox",
    "notebook": "plain.notebook:read_notebook",
    "odf": "office.odf:read_odf",
    "pdf": "pdf.extract:read_pdf",
    "pptx": "office.pptx:read_pptx",
    "rst": "plain.rst:read_rst",
    "source": "plain.text:read_source",
    "subtitles": "plain.subtitles:read_subtitles",
    "text": "plain.text:read_text",
    "xlsx": "office.xlsx:read_xlsx",
}
"""Module and function that read a kind; imported at need, because converters are optional."""


_ENCODED = ("html", "markdown", "rst", "source", "subtitles", "text")
"""Kinds whose encoding may have to be guessed."""


def read_document(
    path: Path, *, name: str, kind: str, encoding: str | None = None
) -> Document | BadRow:
    """Read a document file; a bad row says why it cannot be read.

    Args:
        path: of the file.
        name: of the file in messages.
        kind: a key of `_READERS`, as `detect_kind` names it.
        encoding: of text that is not UTF-8; None: guessed.
    """
    module, _, function = _READERS[kind].partition(":")
    try:
        read = getattr(import_module(f"ftdist.library.readers.{module}"), function)
        options = {"encoding": encoding} if kind in _ENCODED else {}
        document: Document | BadRow = read(path, name=name, **options)
    except ModuleNotFoundError as error:
        return BadRow(
            f"needs the Python package {error.name}",
            Location(name),
            "Install it: pip install 'ftdist[documents]'.",
        )
    except BadRowError as error:
        return BadRow(str(error), Location(name), error.remedy)
    except DAMAGED as error:
        return BadRow(f"cannot be decompressed: {error}", Location(name), "Compress it again.")
    return document


def read_bytes(path: Path) -> bytes:
    """A file's content, decompressed if it is compressed.

    Raises:
        BadRowError: it is larger than `MAX_DOCUMENT`.
    """
    with open_data(path) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise BadRowError(
            f"is larger than {MAX_DOCUMENT >> 20} MiB",
            "Split it, or write its parts as rows of JSONL.",
        )
    return data


def printable(name: str) -> str:
    """A file name as printable text, also one that is not valid UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def title_from_stem(stem: str) -> str:
    """A file name as a title: `user-manual` becomes "user manual"."""
    bare = printable(stem).removesuffix(".md").removesuffix(".txt").removesuffix(".html")
    return " ".join(bare.replace("_", " ").replace("-", " ").split())
