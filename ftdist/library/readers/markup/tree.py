"""Words shared by all that works on a page's tree: kinds of elements, styles, removal."""

import re
from collections import Counter
from collections.abc import Iterable

from bs4 import CData, NavigableString, PageElement, Tag

from ftdist.library.schema import Note

HEADINGS = {f"h{level}": level for level in range(1, 7)}
LISTS = ("ul", "ol", "menu", "dir")
PREFORMATTED = ("pre", "xmp", "listing")
BLOCKS = {
    *("html", "body", "div", "p", "section", "article", "main", "header", "footer", "nav", "aside"),
    *("li", "dl", "dt", "dd", "blockquote", "figure", "figcaption", "details", "summary", "center"),
    *("address", "hr", "fieldset", "legend", "form", "hgroup", "search", "dialog", "noscript"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "optgroup"),
    *PREFORMATTED,
    *LISTS,
    *HEADINGS,
}
ADMONITIONS = re.compile(
    r"^(admonition(block)?|alert|callout|note|tip|hint|info|important|warning|caution|danger)$"
)
"""Classes of notes and warnings within a text."""

PICTURE = "[picture]"
EQUATION = "[equation]"
MARKS = (PICTURE, EQUATION)
"""What is written in the place of something that is not read."""

_EXCERPT = 200
"""Characters of a note's excerpt."""


class Notes:
    """Collects what is left out of a page; a note counts those with the same words."""

    def __init__(self) -> None:
        self._counts = Counter[tuple[str, str]]()

    def add(self, rule: str, excerpt: str) -> None:
        """Note that something was left out or changed, unless it has no words."""
        words = " ".join(excerpt.split())
        if any(map(str.isalnum, words)):
            cut = words if len(words) <= _EXCERPT else f"{words[: _EXCERPT - 1]}\u2026"
            self._counts[rule, cut] += 1

    def remove(self, tag: Tag, rule: str) -> None:
        """Remove an element and note its words."""
        self.add(rule, spaced_text(tag))
        tag.decompose()

    def all(self) -> tuple[Note, ...]:
        """The notes, in the order in which they were first made."""
        return tuple(
            Note(rule=rule, excerpt=excerpt, count=count)
            for (rule, excerpt), count in self._counts.items()
        )


def is_text(node: PageElement) -> bool:
    """Whether a node is text of the page, and not a comment or a declaration."""
    return type(node) in (NavigableString, CData)


def spaced_text(tag: Tag) -> str:
    """All text of an element, its parts apart."""
    return " ".join(tag.get_text(" ").split())


def classes(tag: Tag) -> list[str]:
    """The classes of an element, in lower case."""
    value = tag.get("class")
    names = value if isinstance(value, list) else str(value or "").split()
    return [name.lower() for name in names]


def attribute(tag: Tag, name: str) -> str:
    """An attribute as text in lower case, without blanks around it; "" if there is none."""
    value = tag.get(name)
    text = " ".join(value) if isinstance(value, list) else str(value or "")
    return text.strip().lower()


def integer(tag: Tag, name: str, otherwise: int) -> int:
    """An attribute as a number."""
    text = attribute(tag, name)
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text) else otherwise


def has_style(tag: Tag, pattern: re.Pattern[str]) -> bool:
    """Whether an element's own style matches a pattern; the style in lower case, no blanks."""
    style = attribute(tag, "style")
    return bool(style) and pattern.search(re.sub(r"\s+", "", style)) is not None


def alive(tags: Iterable[PageElement]) -> Iterable[Tag]:
    """Those of elements found earlier that are still in the tree, one after the other."""
    return (tag for tag in tags if isinstance(tag, Tag) and is_alive(tag))


def is_alive(tag: Tag) -> bool:
    """Whether an element has not been removed, itself or with one around it."""
    return vars(tag).get("parent") is not None  # Tag.decomposed searches the element


_DISPLAY = re.compile(r"(^|;)display:(block|flex|grid|list-item|table)")
_PRE = re.compile(r"(^|;)white-space:(pre|pre-wrap|break-spaces)(;|!|$)")


def is_preformatted(tag: Tag) -> bool:
    """Whether the blanks and line breaks in an element count."""
    return tag.name in PREFORMATTED or has_style(tag, _PRE)


def is_block(tag: Tag) -> bool:
    """Whether an element begins a new line."""
    return tag.name in BLOCKS or has_style(tag, _DISPLAY)


def preceding_text(tag: Tag) -> str:
    """The text before an element on its line: some characters, "" at the start of a block."""
    block = _block_around(tag)
    for node in tag.previous_elements:
        if isinstance(node, Tag):
            if node is block or node.name == "br":
                return ""
        elif is_text(node) and str(node):
            return str(node) if _block_around(node) is block else ""
    return ""


def _block_around(node: PageElement) -> Tag | None:
    return next((parent for parent in node.parents if is_block(parent)), None)
