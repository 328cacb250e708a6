"""HTML: what a reader sees of a page, as blocks; navigation and scripts are left out."""

from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup, CData, NavigableString, Tag

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.text import refuse_mixed
from ftdist.library.schema import BadRow, Block, BlockKind, Document, Place

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


def read_html(path: Path, *, name: str) -> Document | BadRow:
    """A page; its encoding is what it says, or what it looks like.

    Raises:
        BadRowError: it is of two encodings, or too large.
    """
    data = read_bytes(path)
    refuse_mixed(data)
    return parse_html(data, name=name, stem=path.stem)


def parse_html(markup: bytes | str, *, name: str, stem: str) -> Document | BadRow:
    """A page that is in memory."""
    soup = BeautifulSoup(markup, "lxml")
    heading = soup.find("h1")
    title = _title(
        page=_text(soup.title) if soup.title else "",
        heading=_text(heading) if isinstance(heading, Tag) else "",
    )
    title = title or title_from_stem(stem)
    for tag in soup(_LEFT_OUT):
        tag.decompose()
    for tag in soup.find_all(attrs={"role": _NAVIGATION}):
        tag.decompose()
    for tag in soup.find_all(attrs={"hidden": True}):
        tag.decompose()
    blocks = tuple(_merged(_walk(soup, depth=0)))
    if not blocks:
        return BadRow("holds no text", Place(name), "Leave it out.")
    return Document(title=title, blocks=blocks, place=Place(name))


def _title(*, page: str, heading: str) -> str:
    """What a page is called: its own title, and its heading where the title is the whole site's."""
    page = page.strip(" -|:\u2013\u2014")
    if not heading or heading.casefold() in page.casefold():
        return page
    return heading if page.casefold() in heading.casefold() else f"{page}: {heading}"


def _walk(tag: Tag, *, depth: int) -> Iterator[Block]:
    """Blocks of a tag's children; text between them is a paragraph of its own."""
    loose: list[str] = []
    for child in tag.children:
        if isinstance(child, Tag) and not "".join(loose).strip() and _is_asked(child):
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


def _is_asked(tag: Tag) -> bool:
    """Whether it is a question in bold that leads what answers it."""
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
            yield from _led(tag, "item", depth=max(1, depth))
        case "dt":
            yield from _one("term", _text(tag))
        case "dd":
            yield from _led(tag, "definition", depth=depth)
        case _:
            yield from _walk(tag, depth=depth)


def _led(tag: Tag, kind: BlockKind, *, depth: int) -> Iterator[Block]:
    """What stands in an item or definition: its first text leads, the rest follows as it is."""
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
    if width == 1 or len(rows) == 1:  # a table for the layout only
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


def _merged(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks, a heading that is repeated at once only once."""
    last: Block | None = None
    for block in blocks:
        if block != last or block.kind != "heading":
            yield block
        last = block


def _text(tag: Tag) -> str:
    return " ".join(tag.get_text(" " if tag.find(list(_BLOCKS)) else "").split())
