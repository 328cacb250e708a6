"""Markdown files, by a CommonMark parser with tables."""

import re
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import decode
from ftdist.library.schema import BadRow, Block, Document, Location

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


def read_markdown(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a Markdown file."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    title = ""
    if front := _FRONT_MATTER.match(text):
        title, text = _front_matter_title(front[1]), text[front.end() :]
    blocks = _Blocks(MarkdownIt("commonmark").enable("table").parse(text)).read()
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Document(
        title=title or first or title_from_stem(path.stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=notes,
    )


def _front_matter_title(front: str) -> str:
    try:
        values = yaml.safe_load(front)
    except yaml.YAMLError:
        return ""
    title = values.get("title") if isinstance(values, dict) else None
    return title if isinstance(title, str) else ""


class _Blocks:
    """Builds blocks from the parser's flat list of tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._blocks: list[Block] = []
        self._rows: list[list[str]] = []
        self._heading = 0
        self._lists = 0
        self._leads = False
        """Whether the next paragraph is the first of a list item."""

    def read(self) -> list[Block]:
        """All blocks, in order."""
        for token in self._tokens:
            self._take(token)
        return self._blocks

    def _take(self, token: Token) -> None:
        match token.type:
            case "heading_open":
                self._heading = int(token.tag[1])
            case "heading_close":
                self._heading = 0
            case list_tag if list_tag.startswith(("bullet_list_", "ordered_list_")):
                self._lists += token.nesting
            case "list_item_open":
                self._leads = True
            case "fence" | "code_block":
                self._add(Block(kind="code", text=token.content.rstrip("\n")))
            case "html_block":
                self._add(Block(kind="paragraph", text=_plain(_TAG.sub(" ", token.content))))
            case "tr_open":
                self._rows.append([])
            case "table_close":
                rows = tuple(map(tuple, self._rows))
                self._blocks.append(Block(kind="table", text="", rows=rows, has_header=True))
                self._rows = []
            case "inline":
                self._inline(token)

    def _inline(self, token: Token) -> None:
        text = _plain("".join(map(_inner, token.children or [])))
        if self._rows:
            self._rows[-1].append(text)
        elif self._heading:
            self._add(Block(kind="heading", text=text, level=self._heading))
        elif self._lists and self._leads:
            self._leads = False
            self._add(Block(kind="item", text=text, level=self._lists))
        else:
            self._add(Block(kind="paragraph", text=text))

    def _add(self, block: Block) -> None:
        if block.text.strip():
            self._blocks.append(block)


def _inner(token: Token) -> str:
    match token.type:
        case "text" | "code_inline" | "image":
            return token.content
        case "softbreak" | "hardbreak":
            return " "
        case "html_inline":
            return " " if token.content.lower().startswith("<br") else ""
    return ""


def _plain(text: str) -> str:
    return " ".join(text.split())
