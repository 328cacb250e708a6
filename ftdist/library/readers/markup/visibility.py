"""Removes what a reader of a page does not see."""

import re

from bs4 import BeautifulSoup, Comment, Tag

from ftdist.library.readers.markup.stylesheets import HIDDEN
from ftdist.library.readers.markup.tree import (
    Notes,
    alive,
    attribute,
    classes,
    has_style,
    spaced_text,
)

_IS_LABEL = re.compile(r"\W*(end|begin|start|/|[.#]\w)", re.IGNORECASE)
_STRUCK = re.compile(r"(^|;)text-decoration(-line)?:[^;]*line-through")
_UNLESS = (
    (re.compile(r"(^|;)visibility:(hidden|collapse)"), re.compile(r"(^|;)visibility:visible")),
    (re.compile(r"(^|;)font-size:0(\.0+)?([a-z%]+)?(;|!|$)"), re.compile(r"font-size:0*[1-9.]")),
)
"""Styles that hide an element unless others show what is in it; no size closes gaps."""

_HIDING = {"d-none", "hidden", "is-hidden"}
"""Classes of the usual style sheets, which are not part of the page."""

_SHOWING = re.compile("(-|:)(block|flex|grid|inline|inline-block|inline-flex|table)$")
"""Classes that show an element on screens of some width after all."""

_CODE = ("script", "style", "template", "title", "base", "link", "meta")
_FALLBACKS = ("iframe", "canvas", "audio", "video", "noframes", "noembed")
_REFERENCES = ("aria-controls", "data-target", "data-bs-target", "aria-details", "for")
_OPENERS = ("aria-expanded", "onclick", "data-toggle", "data-bs-toggle")
_OPENED = "ftdist-opened"
_OPENING = re.compile(r"toggle|show|slide|fade|display|classlist", re.IGNORECASE)
_BROWSER_NOTICE = re.compile(r"javascript|cookies|your browser", re.IGNORECASE)


def leave_out_unseen(soup: BeautifulSoup, notes: Notes) -> None:
    """Remove scripts, comments, and text that is hidden or struck out; note the words."""
    opened = _opened_names(soup)
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        words = re.sub(r"<[^<>]*>", " ", comment).split()
        is_text = not comment.startswith(("[", "?"))  # conditions of a browser, instructions
        if is_text and len(words) > 1 and not _IS_LABEL.match(comment):
            notes.add("comment left out", " ".join(words))
        comment.extract()
    for tag in soup(_CODE):
        if tag.find_parent("svg") is None:
            tag.decompose()
    for tag in alive(soup(_FALLBACKS)):
        notes.remove(tag, "text for other browsers left out")
    for tag in alive(soup("noscript")):
        if _BROWSER_NOTICE.search(spaced_text(tag)):
            notes.remove(tag, "text for other browsers left out")
    for tag in alive(soup(_is_struck)):
        notes.remove(tag, "struck text left out")
    for tag in alive(soup(_is_hidden)):
        _leave_out_hidden(tag, notes, opened=opened)


def _is_struck(tag: Tag) -> bool:
    return tag.name in ("del", "s", "strike") or has_style(tag, _STRUCK)


def _is_hidden(tag: Tag) -> bool:
    if tag.get("hidden") is not None and attribute(tag, "hidden") != "until-found":
        return True
    if attribute(tag, "aria-hidden") == "true":
        return True
    if has_style(tag, HIDDEN):
        return True
    for hiding, showing in _UNLESS:
        if has_style(tag, hiding):
            return not any(has_style(inner, showing) for inner in tag.find_all(style=True))
    names = classes(tag)
    is_hidden = not _HIDING.isdisjoint(names) and not any(map(_SHOWING.search, names))
    return is_hidden or (tag.name == "dialog" and tag.get("open") is None)


def _leave_out_hidden(tag: Tag, notes: Notes, *, opened: set[str]) -> None:
    """Remove a hidden element unless the reader can open it, or it is the whole page."""
    names = {attribute(tag, "id"), *classes(tag)}
    is_panel = attribute(tag, "role") == "tabpanel" or not opened.isdisjoint(names)
    holds = ["main", "h1"] if attribute(tag, "aria-hidden") == "true" else ["main"]
    is_page = tag.name in ("html", "body", "main") or tag.find(holds) is not None
    if not (is_panel or is_page):
        notes.remove(tag, "hidden text left out")


def _opened_names(soup: BeautifulSoup) -> set[str]:
    """Ids and classes of the elements that something on the page opens."""
    names: set[str] = set()
    for tag in soup.find_all(True):
        for name in _REFERENCES:
            names.update(part.lstrip("#.") for part in attribute(tag, name).split())
        link = attribute(tag, "href")
        if link.startswith("#"):
            names.add(link[1:])
        names.update(re.findall(r"['\"]#?([\w-]+)['\"]", attribute(tag, "onclick")))
        if any(tag.get(name) is not None for name in _OPENERS):
            _name_what_follows(tag)
    for script in soup("script"):
        if _OPENING.search(script.get_text()):
            names.update(re.findall(r"['\"][.#]?([\w-]+)['\"]", script.get_text().lower()))
    return {*names, _OPENED} - {""}


def _name_what_follows(title: Tag) -> None:
    """Mark the element after a title that is clicked, and after a heading around it."""
    text = spaced_text(title)
    for element in [title, *title.parents][:3]:
        after = element.find_next_sibling()
        if spaced_text(element) != text:
            return
        if isinstance(after, Tag):
            after["class"] = [*after.get_attribute_list("class"), _OPENED]
            return
