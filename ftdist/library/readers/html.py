"""HTML pages: the visible text as blocks, without navigation and scripts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bs4 import BeautifulSoup, CData, NavigableString, Tag

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import declared_encoding, decode
from ftdist.library.schema import BadRow, Block, BlockKind, Document, Location

_LEFT_OUT = (
    *("script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "form"),
    *("button", "iframe", "object", "head", "select", "canvas"),
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {
    *("p", "div", "section", "article", "main", "body", "ul", "ol", "li", "dl", "dt", "dd", "pre"),
    *("table", "blockquote", "figure", "figcaption", "header", "details", "summary", "center"),
    *("address", "hr", "caption", "fieldset", "td", "th", "tr", "tbody", "thead", "html"),
    *_HEADINGS,
}
_NAVIGATION = ("navigation", "banner", "contentinfo", "search")


def read_html(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a page in its declared or detected encoding.

    Raises:
        BadRowError: it mixes two encodings, or is too large.
    """
    data = read_bytes(path)
    markup, notes = decode(data, declared=declared_encoding(data), encoding=encoding)
    page = parse_html(markup, name=name, stem=path.stem)
    return page if isinstance(page, BadRow) else replace(page, notes=notes + page.notes)


def parse_html(markup: bytes | str, *, name: str, stem: str) -> Document | BadRow:
    """Parse the markup of a page."""
    soup = BeautifulSoup(markup, "lxml")
    heading = soup.find("h1")
    title = _title(
        page=_text(soup.title) if soup.title else "",
        heading=_text(heading) if isinstance(heading, Tag) else "",
    )
    for hidden in (soup(_LEFT_OUT), soup(role=_NAVIGATION), soup(hidden=True)):
        for tag in hidden:
            tag.decompose()
    blocks = tuple(_without_repeated_headings(_walk(soup, depth=0)))
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    return Document(title=title or title_from_stem(stem), blocks=blocks, location=Location(name))


def _title(*, page: str, heading: str) -> str:
    """The page's title, with its heading where the title is that of the whole site."""
    page = page.strip(" -|:\u2013\u2014")
    if not heading or heading.casefold() in page.casefold():
        return page
    return heading if page.casefold() in heading.casefold() else f"{page}: {heading}"


def _walk(tag: Tag, *, depth: int) -> Iterator[Block]:
    """Blocks of a tag's children; text between them is a separate paragraph."""
    loose: list[str] = []
    for child in tag.children:
        if isinstance(child, Tag) and not "".join(loose).strip() and _is_question(child):
            yield from _one("term", _text(child))
            loose = []
            continue
        if isinstance(child, Tag) and (child.name in _BLOCKS or child.find(list(_BLOCKS))):
            yield from _paragraph(loose)
            loose = []
            yield from _block(child, depth=depth)
        elif isinstance(child, Tag):
            loose.append("\n" if child.name == "br" else child.get_text())
        elif type(child) in (NavigableString, CData):
            loose.append(str(child))
    yield from _paragraph(loose)


def _is_question(tag: Tag) -> bool:
    """Whether it is a question in bold, which heads its answer."""
    is_bold = tag.name in ("b", "strong") or (
        tag.name == "a" and tag.find(["b", "strong"]) is not None
    )
    return is_bold and _text(tag).endswith("?")


def _block(tag: Tag, *, depth: int) -> Iterator[Block]:
    match tag.name:
        case name if name in _HEADINGS:
            yield from _one("heading", _text(tag), level=_HEADINGS[name])
        case "pre":
            text = tag.get_text().strip("\n")
            yield from _one("code", text)
        case "table" if not tag.find("table") and not tag.find(list(_HEADINGS)):
            yield from _table(tag)
        case "ul" | "ol":
            yield from _walk(tag, depth=depth + 1)
        case "li":
            yield from _with_first(tag, "item", depth=max(1, depth))
        case "dt":
            yield from _one("term", _text(tag))
        case "dd":
            yield from _with_first(tag, "definition", depth=depth)
        case _:
            yield from _walk(tag, depth=depth)


def _with_first(tag: Tag, kind: BlockKind, *, depth: int) -> Iterator[Block]:
    """Blocks of an item or definition: its first paragraph becomes a block of that kind."""
    is_first = True
    for block in _walk(tag, depth=depth):
        if is_first and block.kind == "paragraph":
            yield Block(kind=kind, text=block.text, level=depth if kind == "item" else 0)
        else:
            yield block
        is_first = False


def _table(tag: Tag) -> Iterator[Block]:
    caption = tag.find("caption")
    if isinstance(caption, Tag):
        yield from _one("paragraph", _text(caption))
    lines = [row.find_all(["td", "th"]) for row in tag.find_all("tr")]
    cells = [[_text(cell) for cell in line] for line in lines if line]
    width = max((len(line) for line in cells), default=0)
    rows = tuple(tuple(line + [""] * (width - len(line))) for line in cells if any(line))
    if not rows:
        return
    if width == 1 or len(rows) == 1:  # a table for layout only
        for row in rows:
            for cell in row:
                yield from _one("paragraph", cell)
        return
    head = lines[0] if lines else []
    has_header = bool(head) and all(cell.name == "th" for cell in head)
    yield Block(kind="table", text="", rows=rows, has_header=has_header)


def _paragraph(loose: list[str]) -> Iterator[Block]:
    yield from _one("paragraph", " ".join("".join(loose).split()))


def _one(kind: BlockKind, text: str, *, level: int = 0) -> Iterator[Block]:
    if text.strip():
        yield Block(kind=kind, text=text, level=level)


def _without_repeated_headings(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks without a heading that repeats the one before it."""
    last: Block | None = None
    for block in blocks:
        if block != last or block.kind != "heading":
            yield block
        last = block


def _text(tag: Tag) -> str:
    return " ".join(tag.get_text(" " if tag.find(list(_BLOCKS)) else "").split())
