"""Readers: files of every supported format into documents, conversations and passages."""

import gzip
import zlib
from pathlib import Path

from ftdist.library.readers.filetype import GZIP
from ftdist.library.schema import BadRow, BadRowError, Document, Location

MAX_DOCUMENT = 64 * 2**20
"""Bytes of the largest HTML, Markdown or text file, decompressed; reading takes 20 times that."""


def read_document(
    path: Path, *, name: str, kind: str, encoding: str | None = None
) -> Document | BadRow:
    """Read a document file; a bad row says why it cannot be read.

    Args:
        path: of the file.
        name: of the file in messages.
        kind: pdf, docx, html, markdown or text.
        encoding: of HTML, Markdown and text that is not UTF-8; None: guessed.
    """
    try:
        match kind:
            case "pdf":
                from ftdist.library.readers.pdf.extract import read_pdf

                return read_pdf(path, name=name)
            case "docx":
                from ftdist.library.readers.docx import read_docx

                return read_docx(path, name=name)
            case "html":
                from ftdist.library.readers.html import read_html as read
            case "markdown":
                from ftdist.library.readers.markdown import read_markdown as read
            case _:
                from ftdist.library.readers.text import read_text as read
        return read(path, name=name, encoding=encoding)
    except ModuleNotFoundError as error:
        return BadRow(
            f"needs the Python package {error.name}",
            Location(name),
            "Install it: pip install 'ftdist[documents]'.",
        )
    except BadRowError as error:
        return BadRow(str(error), Location(name), error.remedy)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return BadRow(f"cannot be decompressed: {error}", Location(name), "Compress it again.")


def read_bytes(path: Path) -> bytes:
    """A file's content, decompressed if it is gzipped.

    Raises:
        BadRowError: it is larger than `MAX_DOCUMENT`.
    """
    with path.open("rb") as file:
        is_gzipped = file.read(len(GZIP)) == GZIP
    with gzip.open(path) if is_gzipped else path.open("rb") as opened:
        data = opened.read(MAX_DOCUMENT + 1)
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
