"""Removes what leads a reader elsewhere: navigation, forms to fill in, marks of links.

What an element is decides, not its name: navigation consists of links, a form of inputs.
"""

import re

from bs4 import BeautifulSoup, Tag

from ftdist.library.readers.markup.tree import (
    BLOCKS,
    HEADINGS,
    Notes,
    alive,
    attribute,
    classes,
    is_block,
    is_text,
    spaced_text,
)

_NAV_ROLES = ("navigation", "search", "menubar", "menu", "toolbar", "directory", "doc-toc")
_EDGE_ROLES = ("banner", "contentinfo", "complementary")
_NAV_CLASS = re.compile(
    r"(^|[-_])(nav|navi|navbar|navigation|navheader|navfooter|menu|menubar|breadcrumbs?|toc"
    r"|tableofcontents|sidebar|pagination|pager|related|skip|share|social)($|[-_])"
)
_PAGER = re.compile(r"(^|[-_])(navheader|navfooter|pager|pagination|prev-?next)($|[-_])")
_PAGER_WORDS = 40
_CONTENT = ("article", "main", "section", "blockquote", "li", "td", "figure")
_COPYRIGHT = re.compile(r"^\W*(\u00a9|\(c\)|copyright\b)", re.IGNORECASE)
_PERMALINK = re.compile(
    r"(^|[-_])(header-?link|perma-?link|hash-?link|anchor(js)?(-?link)?)($|[-_])"
)
_LINK_MARKS = tuple("^\u00b6\U0001f517\u21a9\u2191\u23ce\u21d1\u25b2\u21b5")
_SEPARATORS = re.compile("[|>/\u00bb\u203a\u2192\u00b7\u2022:\u2013-]+")
_SKIP = re.compile(
    r"^(skip|jump|zum|aller|saltar|vai) (directly )?(to|au|a|al|inhalt|navigation)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?:[\w'\u2019-]+,? ){2,}[\w'\u2019-]+[.!](?: |$)")
_LONG_SENTENCE = re.compile(r"(?:[\w'\u2019-]+,? ){3,}[\w'\u2019-]+[.!](?: |$)")
"""Longer than a line such as "All rights reserved." at the foot of a page."""

_CONTROLS = ("input", "select", "textarea")
_UNTYPED = ("hidden", "image", "submit", "button", "reset")
_OPENS = ("aria-expanded", "aria-controls", "data-toggle", "data-bs-toggle", "data-target")
_TEXT_PARENTS = (
    "p",
    "dt",
    "dd",
    "summary",
    "td",
    "th",
    "label",
    "figcaption",
    "caption",
    *HEADINGS,
)


def leave_out_navigation(soup: BeautifulSoup, notes: Notes) -> None:
    """Remove navigation, forms and marks of links; note the words."""
    for link in alive(soup("a")):
        if _is_mark(link):
            link.decompose()
    for matches, rule in (
        (_is_skip_link, "navigation left out"),
        (_is_trail, "navigation left out"),
        (_is_filled_in, "form left out"),
        (_is_navigation, "navigation left out"),
        (_is_legal_line, "copyright line left out"),
    ):
        for tag in alive(soup(True)):
            if matches(tag):
                notes.remove(tag, rule)
    for button in alive(soup("button")):
        _place_button(button, notes)
    for link in alive(soup("a")):
        is_text = link.find_parent(_TEXT_PARENTS) is not None or _has_text_beside(link)
        if _opens(link) and not is_text:
            link.name = "summary"


def _is_skip_link(tag: Tag) -> bool:
    """Whether it is a link over the navigation, or one to an editor."""
    is_skip = tag.name == "a" and attribute(tag, "href").startswith("#")
    return (is_skip and _SKIP.match(spaced_text(tag)) is not None) or any(
        "editsection" in name for name in classes(tag)
    )


def _is_mark(link: Tag) -> bool:
    """Whether a link is the mark beside a heading by which one copies its address."""
    if not attribute(link, "href").startswith("#"):
        return False
    text = spaced_text(link).strip("\ufe0e\ufe0f\u200b ")
    if not text:
        return link.find(["img", "svg"]) is not None or "\u200b" in link.get_text()
    is_named = any(map(_PERMALINK.search, classes(link)))
    in_heading = link.find_parent(["dt", "summary", "caption", "figcaption", *HEADINGS]) is not None
    is_symbol = len(text) == 1 and not text.isalnum()
    is_word = text.lower() in ("link", "permalink", "direct link", "anchor")
    return text in _LINK_MARKS or (is_symbol and (in_heading or is_named)) or (is_word and is_named)


def _may_navigate(tag: Tag) -> bool:
    role = attribute(tag, "role")
    if tag.name in ("nav", "footer", "header", "aside") or role in (*_NAV_ROLES, *_EDGE_ROLES):
        return True
    names = [*classes(tag), attribute(tag, "id")]
    return tag.name in ("div", "ul", "ol", "p", "table", "section", "span") and any(
        map(_NAV_CLASS.search, names)
    )


def _is_navigation(tag: Tag) -> bool:
    """Whether the words of an element are mostly those of links to elsewhere."""
    if not _may_navigate(tag):
        return False
    words = len(spaced_text(tag).split())
    texts = [spaced_text(link) for link in tag("a", href=True)]
    in_links = sum(len(text.split()) for text in texts)
    others = sum(any(map(str.isalnum, word)) for word in spaced_text(tag).split()) - sum(
        any(map(str.isalnum, word)) for text in texts for word in text.split()
    )
    if not words or not texts:
        return False
    if tag.name == "nav" or attribute(tag, "role") in _NAV_ROLES:
        return in_links > others
    if tag.find("h1") or (tag.find(list(HEADINGS)) and others > in_links / 2):
        return False
    if _is_page_edge(tag) and len(texts) >= 2 and others <= 12:
        return _LONG_SENTENCE.search(spaced_text(tag)) is None
    if words <= _PAGER_WORDS and any(map(_PAGER.search, classes(tag))):
        return True
    if any(map(_NAV_CLASS.search, [*classes(tag), attribute(tag, "id")])):
        titles = " ".join(map(spaced_text, tag(["th", *HEADINGS])))
        rest = others - len(titles.split())
        return in_links > rest and rest <= 6
    return others == 0 or (len(texts) >= 3 and in_links > 2 * others)


def _is_trail(tag: Tag) -> bool:
    """Whether it is a line of links with signs between them, such as the way to a page."""
    if tag.name not in ("p", "div", "td"):
        return False
    links = sum(isinstance(child, Tag) and child.name == "a" for child in tag.children)
    if links < 3:
        return False
    others = (node for node in tag.children if not isinstance(node, Tag) or node.name != "a")
    between = [text for node in others if (text := str(node.get_text()).strip())]
    return len(between) >= 2 and all(map(_SEPARATORS.fullmatch, between))


def _is_page_edge(tag: Tag) -> bool:
    """Whether an element is the header or footer of the page, and not of a part of it."""
    is_edge = tag.name in ("header", "footer") or attribute(tag, "role") in _EDGE_ROLES[:2]
    return is_edge and tag.find_parent(_CONTENT) is None


def _is_legal_line(tag: Tag) -> bool:
    is_text_block = tag.name in ("footer", "address", "small", "p", "div", "span")
    if not is_text_block or (tag.name != "footer" and tag.find_parent("footer") is None):
        return False
    text = spaced_text(tag)
    is_line = _COPYRIGHT.match(text) is not None and len(text.split()) <= 25
    return is_line and not tag.find(["p", "div"])


def _is_filled_in(form: Tag) -> bool:
    """Whether it is a form of inputs, with little to read beside their labels."""
    if form.name != "form":
        return False
    inputs = [
        tag
        for tag in form(_CONTROLS)
        if tag.name != "input" or attribute(tag, "type") not in _UNTYPED
    ]
    if form.find(["h1", "h2"]):
        return False
    labels = form(["label", "button", "legend", "select", "textarea"])
    outer = [tag for tag in labels if not tag.find_parent(["label", "button", "select"])]
    words = len(spaced_text(form).split()) - sum(len(spaced_text(tag).split()) for tag in outer)
    blocks = [form, *form(["p", "li", "td", "dd", "div", "fieldset"])]
    has_sentence = any(_SENTENCE.search(spaced_text(block)) for block in blocks)
    return words <= (6 if inputs and not has_sentence else 0)


def _place_button(button: Tag, notes: Notes) -> None:
    """Read a button as text where it is a part of some, as a title where it opens something."""
    text = spaced_text(button)
    in_code = button.find_parent(["pre", "code"]) is not None
    if not in_code and (button.find_parent(_TEXT_PARENTS) or _has_text_beside(button)):
        button.name = "span"
    elif not in_code and (text.endswith("?") or _opens(button)):
        button.name = "summary"
    else:
        notes.remove(button, "button left out")


def _opens(tag: Tag) -> bool:
    """Whether a click opens something on the page."""
    return any(tag.get(name) is not None for name in _OPENS)


def _has_text_beside(tag: Tag) -> bool:
    for node in tag.parent.children if tag.parent is not None else ():
        if is_text(node) and str(node).strip():
            return True
        is_inline = (
            isinstance(node, Tag) and node.name not in ("button", tag.name) and not is_block(node)
        )
        if (
            isinstance(node, Tag)
            and is_inline
            and spaced_text(node)
            and not node.find(list(BLOCKS))
        ):
            return True
    return False
