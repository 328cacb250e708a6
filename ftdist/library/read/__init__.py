"""Documents of every kind, read into blocks."""

import gzip
import zlib
from pathlib import Path

from ftdist.library.read.kinds import GZIP
from ftdist.library.rows import BadRow, Document, Place


def read_document(path: Path, *, name: str, kind: str) -> Document | BadRow:
    """One document, or why it cannot be read.

    Args:
        path: of the file.
        name: what errors call it.
        kind: pdf, docx, html, markdown or text.
    """
    try:
        match kind:
            case "pdf":
                from ftdist.library.read.pdf import read_pdf as read
            case "docx":
                from ftdist.library.read.word import read_word as read
            case "html":
                from ftdist.library.read.html import read_html as read
            case "markdown":
                from ftdist.library.read.markdown import read_markdown as read
            case _:
                from ftdist.library.read.plain import read_plain as read
        return read(path, name=name)
    except ModuleNotFoundError as error:
        return BadRow(
            f"needs the package {error.name}",
            Place(name),
            "Install it: pip install 'ftdist[documents]'.",
        )
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        return BadRow(f"cannot be read: {why}", Place(name), "Check its rights.")


def bytes_of(path: Path) -> bytes:
    """What a file holds, unpacked where it is compressed."""
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(GZIP) else data


def readable(stem: str) -> str:
    """A file's name as a title: `user-manual` is "user manual"."""
    bare = stem.removesuffix(".md").removesuffix(".txt").removesuffix(".html")
    return " ".join(bare.replace("_", " ").replace("-", " ").split())
