"""Removes what a reader of a page does not see."""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Comment, Tag

from ftdist.library.readers.markup.tree import Notes, alive, attribute, has_style, spaced_text

_HIDDEN = re.compile(
    r"(^|;)(display:none|visibility:(hidden|collapse)|mso-hide:all|opacity:0?(\.0+)?(;|!|$)"
    r"|font-size:0(\.0+)?(px|pt|em|rem|%)?(;|!|$))"
)
_STRUCK = re.compile(r"(^|;)text-decoration(-line)?:[^;]*line-through")
_CODE = ("script", "style", "template", "head", "link", "meta")
_FALLBACKS = ("iframe", "canvas", "audio", "video", "noframes", "noembed")
_REFERENCES = ("aria-controls", "data-target", "data-bs-target", "aria-details", "for")
_BROWSER_NOTICE = re.compile(r"javascript|cookies|your browser", re.IGNORECASE)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


def leave_out_unseen(soup: BeautifulSoup, notes: Notes) -> None:
    """Remove scripts, comments, and text that is hidden or struck out; note the words."""
    hidden_names = set(_hidden_by_style_sheets(soup))
    opened = _opened_ids(soup)
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        if not comment.startswith(("[", "?")):  # conditions of Internet Explorer, instructions
            notes.add("comment left out", re.sub(r"<[^<>]*>", " ", comment))
        comment.extract()
    for tag in soup(_CODE):
        tag.decompose()
    for tag in alive(soup(_FALLBACKS)):
        notes.remove(tag, "text for other browsers left out")
    for tag in alive(soup("noscript")):
        if _BROWSER_NOTICE.search(spaced_text(tag)):
            notes.remove(tag, "text for other browsers left out")
    for tag in alive(soup("svg")):
        notes.remove(tag, "drawing left out")
    for tag in alive(soup(_is_struck)):
        notes.remove(tag, "struck text left out")
    for tag in alive(soup(lambda tag: _is_hidden(tag, hidden_names))):
        _leave_out_hidden(tag, notes, opened=opened)


def _is_struck(tag: Tag) -> bool:
    return tag.name in ("del", "s", "strike") or has_style(tag, _STRUCK)


def _is_hidden(tag: Tag, names: set[str]) -> bool:
    if tag.get("hidden") is not None and attribute(tag, "hidden") != "until-found":
        return True
    if attribute(tag, "aria-hidden") == "true" or has_style(tag, _HIDDEN):
        return True
    if tag.name == "dialog" and tag.get("open") is None:
        return True
    if not names:
        return False
    own = {f"#{tag.get('id')}", *(f".{name}" for name in tag.get_attribute_list("class"))}
    return not names.isdisjoint({*own, *(f"{tag.name}{name}" for name in own)})


def _leave_out_hidden(tag: Tag, notes: Notes, *, opened: set[str]) -> None:
    """Remove a hidden element unless the reader can open it, or it is the whole page."""
    is_panel = attribute(tag, "role") == "tabpanel" or attribute(tag, "id") in opened
    is_page = tag.name in ("html", "body", "main") or tag.find("main") is not None
    if not (is_panel or is_page):
        notes.remove(tag, "hidden text left out")


def _opened_ids(soup: BeautifulSoup) -> set[str]:
    """Ids of the elements that something on the page opens."""
    ids: set[str] = set()
    for tag in soup.find_all(True):
        for name in _REFERENCES:
            ids.update(part.lstrip("#") for part in attribute(tag, name).split())
        link = attribute(tag, "href")
        if link.startswith("#"):
            ids.add(link[1:])
        ids.update(re.findall(r"['\"]#?([\w-]+)['\"]", attribute(tag, "onclick")))
    return ids - {""}


def _hidden_by_style_sheets(soup: BeautifulSoup) -> Iterator[str]:
    """Selectors of one name that the page's own style sheets hide, with nothing to show them."""
    sheets = " ".join(tag.get_text() for tag in soup("style"))
    if "none" not in sheets and "hidden" not in sheets:
        return
    if any(tag.get("src") for tag in soup("script")):
        return  # it may show anything
    scripts = " ".join(tag.get_text() for tag in soup("script"))
    sheets = re.sub(
        r"/\*.*?\*/|@[\w-]+[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", " ", sheets, flags=re.S
    )
    rules = [(selector.strip(), body) for selector, body in _RULE.findall(sheets)]
    for selectors, body in rules:
        if not _HIDDEN.search(re.sub(r"\s+", "", body.lower())):
            continue
        for selector in map(str.strip, selectors.split(",")):
            name = re.fullmatch(r"[a-z0-9]*([.#])([\w-]+)", selector)
            if name is None or name[2] in scripts:
                continue
            others = [each for each, _ in rules if name[1] + name[2] in each and each != selectors]
            if not others:
                yield selector
