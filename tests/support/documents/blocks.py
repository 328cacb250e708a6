"""Blocks and notes of markup in a short form, for tests."""

from ftdist.library.readers.html import parse_html
from ftdist.library.schema import Block, Document


def read(markup: str) -> Document:
    """The document of some markup, in a file named lamp.html."""
    document = parse_html(markup, name="lamp.html", stem="lamp")
    assert isinstance(document, Document), document
    return document


def brief(block: Block) -> str:
    """A block as "kind: text", with its marker; a table's cells between bars, its header marked."""
    if block.kind == "table":
        rows = " // ".join(" | ".join(row) for row in block.rows)
        return f"table: {'# ' if block.has_header else ''}{rows}"
    return f"{block.kind}: {f'{block.marker} ' if block.marker else ''}{block.text}"


def briefs(markup: str) -> list[str]:
    """The blocks of some markup in a short form."""
    return [brief(block) for block in read(markup).blocks]


def notes(markup: str) -> list[tuple[str, str]]:
    """Rules and excerpts of the notes on some markup."""
    return [(note.rule, note.excerpt) for note in read(markup).notes]
