"""A document as ftdist reads it, as text: Markdown with pipes."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from ftdist.library.readers import read_document
from ftdist.library.readers.filetypes.detect import UnsupportedFile, detect_kind
from ftdist.library.schema import BadRow, Block, Document


class UnreadError(Exception):
    """ftdist refuses the file."""


def read(path: Path) -> str:
    """Read and render a file.

    Raises:
        UnreadError: ftdist refuses it.
    """
    kind = detect_kind(path)
    if isinstance(kind, UnsupportedFile):
        raise UnreadError(f"{kind.reason}. {kind.remedy}")
    document = read_document(path, name=path.name, kind=kind)
    if isinstance(document, BadRow):
        raise UnreadError(f"{document.reason}. {document.remedy}")
    return render(document)


def render(document: Document) -> str:
    """Title and blocks, a blank line between them."""
    return "\n\n".join(
        [f"# {_escaped(document.title)}", *map("\n".join, map(_lines, document.blocks))]
    )


def _lines(block: Block) -> Iterator[str]:
    match block.kind:
        case "heading":
            yield f"{'#' * max(1, block.level)} {_escaped(block.text)}"
        case "item":
            yield f"{'  ' * (block.level - 1)}{block.marker or '-'} {_escaped(block.text)}"
        case "code":
            yield from ("```", block.text, "```")
        case "table":
            for row in block.rows:
                yield "| " + " | ".join(_escaped(cell).replace("\n", "<br>") for cell in row) + " |"
        case _:
            yield _escaped(block.text)


def _escaped(text: str) -> str:
    """Plain text as Markdown, so that its stars and angle brackets are not taken for markup."""
    return re.sub(r"([\\`*_~=\[\]|])", r"\\\1", html.escape(text, quote=False))
