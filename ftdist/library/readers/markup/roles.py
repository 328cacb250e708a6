"""Elements that act as others (ARIA roles) get the names of what they act as."""

import re

from bs4 import BeautifulSoup, Tag

from ftdist.library.readers.markup.tree import ADMONITIONS, HEADINGS, attribute, spaced_text

_NAMES = {
    "table": "table",
    "grid": "table",
    "treegrid": "table",
    "rowgroup": "tbody",
    "row": "tr",
    "cell": "td",
    "gridcell": "td",
    "columnheader": "th",
    "rowheader": "th",
    "list": "ul",
    "listitem": "li",
    "paragraph": "p",
    "term": "dt",
    "definition": "dd",
}
_PREFIXED = re.compile("^(m|mml|svg|xhtml|h):[a-z]")
_PLAIN = ("div", "span", "a", "button", "p")


def name_by_role(soup: BeautifulSoup) -> None:
    """Rename elements without a meaning of their own after their role; put labels above tabs."""
    for tag in soup.find_all(_PREFIXED):
        tag.name = tag.name.partition(":")[2]
    for tag in soup.find_all(role=True):
        role = attribute(tag, "role")
        if tag.name in _PLAIN and role in _NAMES:
            tag.name = _NAMES[role]
        elif tag.name in _PLAIN and role == "heading":
            level = attribute(tag, "aria-level")
            tag.name = f"h{level}" if level in ("1", "2", "3", "4", "5", "6") else "h2"
    for cell in soup(["td", "th"]):
        _put_in_row(soup, cell)
    for template in soup.find_all("template", attrs={"shadowrootmode": True}):
        template.unwrap()
    for heading in soup(list(HEADINGS)):
        if heading.find_parent("aside") or heading.find_parent(class_=ADMONITIONS):
            heading.name = "p"  # the text after the note is not below its title
    _label_tabs(soup)


def _label_tabs(soup: BeautifulSoup) -> None:
    """Put the label of each tab above its panel, where a reader who opens it has it in view."""
    for item in soup("tabitem", label=True):
        _put_above(soup, item, str(item["label"]))
    panels = soup.find_all(role="tabpanel")
    tabs = soup.find_all(_is_tab)
    labelled: list[tuple[Tag, Tag]] = []
    for tab in tabs:
        panel = next((each for each in panels if _labels(tab, each)), None) or _target(soup, tab)
        if panel is not None:
            labelled.append((tab, panel))
    rest = [tab for tab in tabs if not any(tab is each for each, _ in labelled)]
    unlabelled = [panel for panel in panels if not any(panel is each for _, each in labelled)]
    if len(rest) == len(unlabelled):
        labelled += zip(rest, unlabelled, strict=True)
    for tab, panel in labelled:
        _put_above(soup, panel, spaced_text(tab))
    for tab, panel in labelled:
        if not (tab.decomposed or panel.decomposed):  # within a tab before
            panel["role"] = "tabpanel"
            if all(parent is not tab for parent in panel.parents):
                tab.decompose()


def _is_tab(tag: Tag) -> bool:
    toggled = attribute(tag, "data-toggle") or attribute(tag, "data-bs-toggle")
    return attribute(tag, "role") == "tab" or toggled in ("tab", "pill")


def _labels(tab: Tag, panel: Tag) -> bool:
    identifier = attribute(tab, "id")
    return identifier != "" and identifier == attribute(panel, "aria-labelledby")


def _target(soup: BeautifulSoup, tab: Tag) -> Tag | None:
    """The element that a tab shows."""
    for name in ("aria-controls", "data-bs-target", "data-target", "href"):
        identifier = str(tab.get(name) or "").lstrip("#")
        panel = soup.find(id=identifier) if identifier else None
        if isinstance(panel, Tag):
            return panel
    return None


def _put_in_row(soup: BeautifulSoup, cell: Tag) -> None:
    """Put cells that stand in no row in one, together with those after them."""
    if cell.parent is None or cell.parent.name not in ("table", "thead", "tbody", "tfoot"):
        return
    row = soup.new_tag("tr")
    following = [node for node in cell.next_siblings if isinstance(node, Tag)]
    cell.insert_before(row)
    row.append(cell)
    for node in following:
        if node.name not in ("td", "th"):
            break
        row.append(node)


def _put_above(soup: BeautifulSoup, panel: Tag, text: str) -> None:
    label = soup.new_tag("p")
    label.string = f"{text.rstrip(':')}:"
    panel.insert(0, label)
