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
    unlabelled = list(panels)
    tabs = soup.find_all(role="tab")
    by_id = {attribute(tab, "id"): tab for tab in tabs if tab.get("id")}
    by_panel = {attribute(tab, "aria-controls"): tab for tab in tabs if tab.get("aria-controls")}
    labelled: list[tuple[Tag, Tag]] = []
    for panel in panels:
        tab = by_id.get(attribute(panel, "aria-labelledby"))
        tab = tab or by_panel.get(attribute(panel, "id") or "none")
        if tab is not None:
            labelled.append((tab, panel))
            unlabelled.remove(panel)
    used = {id(tab) for tab, _ in labelled}
    rest = [tab for tab in tabs if id(tab) not in used]
    if len(rest) == len(unlabelled):
        labelled += zip(rest, unlabelled, strict=True)
    for tab, panel in labelled:
        _put_above(soup, panel, spaced_text(tab))
    for tab, _ in labelled:
        tab.decompose()


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
