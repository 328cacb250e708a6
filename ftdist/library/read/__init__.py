"""Documents of every kind, read into blocks."""

from pathlib import Path

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
    except OSError as error:
        return BadRow(f"cannot be read: {error.strerror}", Place(name), "Check its rights.")


def readable(stem: str) -> str:
    """A file's name as a title: `user-manual` is "user manual"."""
    return " ".join(stem.replace("_", " ").replace("-", " ").split())
