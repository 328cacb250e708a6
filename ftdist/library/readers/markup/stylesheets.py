"""The page's own style sheets, as far as they decide what a reader sees."""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag

from ftdist.library.readers.markup.tree import attribute

HIDDEN = re.compile(r"(^|;)(display:none|mso-hide:all)")
_SHEET_NOISE = re.compile(
    r"/\*.*?\*/|<!--|-->|@[\w-]+[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", re.DOTALL
)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"(?P<tag>[a-z0-9]*)(?:(?P<mark>[.#])(?P<name>[\w-]+))?", re.IGNORECASE)
_SHOWN = re.compile(
    r"(?:list-style(?:-type)?|vertical-align|white-space|text-decoration(?:-line)?):[^;]+"
)


def apply_style_sheets(soup: BeautifulSoup) -> None:
    """Write what simple rules say about lists, raised, struck and hidden text into elements."""
    rules = list(_rules(soup))
    if not rules:
        return
    by_selector: dict[str, list[str]] = {}
    for selector, style in rules:
        by_selector.setdefault(selector, []).append(style)
    for tag in soup.find_all(True):
        names = [tag.name, *(f".{name}" for name in tag.get_attribute_list("class") if name)]
        names += [f"#{tag['id']}"] if tag.get("id") else []
        names += [f"{tag.name}{name}" for name in names[1:]]
        styles = [style for name in names for style in by_selector.get(name, ())]
        if styles:
            tag["style"] = ";".join([*styles, attribute(tag, "style")])


def _rules(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Selectors of a tag, class or id, and what matters of their styles."""
    sheets = _SHEET_NOISE.sub(" ", " ".join(tag.get_text() for tag in soup("style")))
    rules = [
        (head.strip(), re.sub(r"\s+", "", body.lower())) for head, body in _RULE.findall(sheets)
    ]
    for head, body in rules:
        styles = [style for style in _SHOWN.findall(body) if not _is_counter(style)]
        is_hidden = HIDDEN.search(body) is not None or "visibility:hidden" in body
        for selector in map(str.strip, head.split(",")):
            match = _SIMPLE.fullmatch(selector)
            if match is None or not selector:
                continue
            own = list(styles)
            if is_hidden and _stays_hidden(match, head, soup, [each for each, _ in rules]):
                own.append("display:none")
            if own:
                yield selector, ";".join(own)


def _is_counter(style: str) -> bool:
    """Whether a list has no numbers of its own: its items get some by other rules."""
    return style.startswith("list-style") and style.endswith(":none")


def _stays_hidden(rule: re.Match[str], head: str, soup: BeautifulSoup, heads: list[str]) -> bool:
    """Whether neither a script nor another rule shows what a rule hides."""
    scripts: list[Tag] = soup("script")
    if rule["name"] is None or any(tag.get("src") for tag in scripts):
        return False
    if any(rule["name"] in tag.get_text() for tag in scripts):
        return False
    own = rule["mark"] + rule["name"]
    return not any(own in each for each in heads if each != head)
