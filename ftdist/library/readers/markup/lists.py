"""The numbers and letters of items in ordered lists."""

import re
from string import ascii_lowercase

from bs4 import Tag

from ftdist.library.readers.markup.tree import LISTS, attribute, integer

MARKER = "data-marker"
"""An attribute of an item with its number as text, for readers that know it already."""

_TYPES = {
    "decimal-leading-zero": "0",
    "lower-alpha": "a",
    "lower-latin": "a",
    "upper-alpha": "A",
    "upper-latin": "A",
    "lower-roman": "i",
    "upper-roman": "I",
    "none": "none",
}
_STYLE = re.compile(r"list-style(?:-type)?:([a-z -]+)")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


def item_marker(item: Tag) -> str:
    """The number or letter of an item as a reader sees it; "" in a list without an order."""
    known = item.get(MARKER)
    if known is not None:
        return str(known)
    parent = item.find_parent(LISTS)
    if parent is None or parent.name != "ol":
        return ""
    kind = _kind(item) or _kind(parent)
    return "" if kind == "none" else f"{ordinal(_number(item, parent), kind=kind)}."


def ordinal(number: int, *, kind: str) -> str:
    """A number as a list of some type writes it: 1, 0 (01), a, A, i or I."""
    match kind:
        case "0":
            return f"{number:02d}"
        case "a" | "A" if number > 0:
            letters = ""
            while number:
                number, rest = divmod(number - 1, 26)
                letters = ascii_lowercase[rest] + letters
            return letters if kind == "a" else letters.upper()
        case "i" | "I" if 0 < number < 4000:
            roman = ""
            for value, letters in _ROMAN:
                roman += letters * (number // value)
                number %= value
            return roman if kind == "i" else roman.upper()
    return str(number)


def _kind(tag: Tag) -> str:
    style = _STYLE.search(attribute(tag, "style"))
    if style and style[1].strip() in _TYPES:
        return _TYPES[style[1].strip()]
    return str(tag.get("type") or "").strip()


def _number(item: Tag, parent: Tag) -> int:
    """The number of an item: its own, or what follows from those before it."""
    items = [each for each in parent.find_all("li") if each.find_parent(LISTS) is parent]
    is_reversed = parent.get("reversed") is not None
    number = integer(parent, "start", len(items) if is_reversed else 1)
    for each in items:
        number = integer(each, "value", number)
        if each is item:
            break
        number += -1 if is_reversed else 1
    return number
