"""Markdown files: converted to HTML, with the HTML in them, and read as a page."""

import re
import tomllib
from dataclasses import replace
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from ftdist.library.readers import read_bytes
from ftdist.library.readers.encoding import decode
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.markup.lists import MARKER
from ftdist.library.readers.plain.markdown_flavours import plain_admonitions, without_mdx
from ftdist.library.schema import BadRow, Document, Note

_FRONT_MATTER = re.compile(
    r"\A(?:---\n(.*?)\n(?:---|\.\.\.)|\+\+\+\n(.*?)\n\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL
)
_KEY = re.compile(r"[\w-]+:")
_ATTRIBUTES = re.compile(r"\s*\{[#:][^{}]*\}\s*$")
_ALERT = re.compile(r"\[!([A-Z]+)\]")
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][\w.-]*)[^>]*?(?P<empty>/?)>", re.DOTALL)
_VOID = ("br", "hr", "img", "input", "wbr", "area", "source", "col")
_FORMAT = (
    "a",
    "b",
    "i",
    "em",
    "strong",
    "u",
    "small",
    "big",
    "font",
    "span",
    "center",
    "code",
    "p",
)


def read_markdown(path: Path, *, name: str, encoding: str | None = None) -> Document | BadRow:
    """Read a Markdown file."""
    text, notes = decode(read_bytes(path), encoding=encoding)
    return parse_markdown(text, name=name, stem=path.stem, notes=notes)


def parse_markdown(
    text: str, *, name: str, stem: str, notes: tuple[Note, ...] = ()
) -> Document | BadRow:
    """Parse Markdown: CommonMark with tables, footnotes, definitions, and what MDX adds."""
    title = ""
    front = _FRONT_MATTER.match(text)
    if front and (values := _front_matter(front)) is not None:
        title, text = str(values.get("title") or "").strip(), text[front.end() :]
    text, removed = without_mdx(text)
    page = parse_html(_to_html(plain_admonitions(text)), name=name, stem=stem, title=title)
    return page if isinstance(page, BadRow) else replace(page, notes=notes + removed + page.notes)


def _front_matter(front: re.Match[str]) -> dict[str, Any] | None:
    """The keys before a text; None if it is text between two lines."""
    try:
        values = yaml.safe_load(front[1]) if front[1] is not None else tomllib.loads(front[2])
    except (yaml.YAMLError, tomllib.TOMLDecodeError):
        return {} if _KEY.match(front[1] or "key:") else None
    return values if isinstance(values, dict) else None


def _to_html(text: str) -> str:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.use(footnote_plugin).use(deflist_plugin)
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, renderer=_tex)
    tokens = parser.parse(text)
    _number_items(tokens)
    for token in tokens:
        if token.type == "inline":
            _clean_inline(token)
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open" and inline.children:
            last = inline.children[-1]
            last.content = _ATTRIBUTES.sub("", last.content)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _tex(source: str, options: dict[str, Any]) -> str:
    mark = "$$" if options.get("display_mode") else "$"
    return escape(f"{mark}{source.strip()}{mark}")


def _number_items(tokens: list[Token]) -> None:
    """Give each item of an ordered list its number, with the mark after it, as an attribute."""
    lists: list[int | None] = []
    for token in tokens:
        match token.type:
            case "ordered_list_open":
                start = token.attrGet("start")
                lists.append(1 if start is None else int(start))
            case "bullet_list_open":
                lists.append(None)
            case "ordered_list_close" | "bullet_list_close":
                lists.pop()
            case "list_item_open" if (number := lists[-1]) is not None:
                token.attrSet(MARKER, f"{number}{token.markup or '.'}")
                lists[-1] = number + 1


def _clean_inline(token: Token) -> None:
    """Tags without an end in their paragraph become text; pictures without a text lose it."""
    children = token.children or []
    if children and (alert := _ALERT.fullmatch(children[0].content)):
        children[0].content = f"{alert[1].capitalize()}:"
    tags = [(child, _TAG.fullmatch(child.content.strip())) for child in children]
    ends = [tag["name"].lower() for _, tag in tags if tag and tag["end"]]
    for child, tag in tags:
        if child.type == "image" and not child.content:
            child.type, child.content = (
                "html_inline",
                f'<img src="{escape(str(child.attrGet("src")))}">',
            )
        if child.type != "html_inline" or tag is None or tag["end"] or tag["empty"]:
            continue
        name = tag["name"].lower()
        if name in ends:
            ends.remove(name)
        elif name in _FORMAT:
            child.content = ""
        elif name not in _VOID:
            child.type = "text"
