"""What the headings and the first column of a table tell of its shape."""

import re
from collections.abc import Sequence

from ftdist.library.schema import Block
from ftdist.library.synthesis.attribute_lexicon import find_attribute, is_attribute
from ftdist.library.synthesis.sections import block_text
from ftdist.library.synthesis.yes_no import is_state, yes_or_no

PROPERTY = re.compile(
    r"^(?:property|properties|parameters?|features?|specifications?|specs?|characteristics?|"
    r"attributes?|details?|data|criteri(?:on|a)|technical data|facts?|eigenschaft(?:en)?|"
    r"merkmale?|technische daten|daten|angaben?|propri\u00e9t\u00e9s?|caract\u00e9ristiques?|"
    r"propiedad(?:es)?|caracter\u00edsticas?|eigenschap(?:pen)?|kenmerk(?:en)?|caratteristich?[ea]|)$",
    re.IGNORECASE,
)
_OPTION = re.compile(r"^(?:functions?|options?|equipment|extras?|services?)$", re.IGNORECASE)
"""A heading above what things may have; not "Product", whose columns may be allergens."""

_DAYS = re.compile(r"^(?:week)?days?$", re.IGNORECASE)
"""A heading above days, and no attribute of one thing."""

EXPLAINS = re.compile(
    r"^(?:descriptions?|meanings?|explanations?|definitions?|purpose|function)$", re.IGNORECASE
)
_MEASURE = re.compile(
    r"^[~<>\u2264\u2265]?\s?\d[\d.,]*(?:\s?(?:to|[\u2013-])\s?\d[\d.,]*)?\s?[a-z%\u00b0\u20ac$]\S{0,9}$|"
    r"^[$\u20ac\u00a3]\s?\d[\d.,]*$",
    re.IGNORECASE,
)
"""A number with its unit, which names no column."""


def is_row_of_values(head: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is an attribute with its value, as in the rows below it."""
    first = body[0][0] if body else ""
    is_known = is_attribute(head[0]) and is_attribute(first) and not _DAYS.match(head[0])
    is_measure = len(head) == 2 and _MEASURE.match(head[1]) and not PROPERTY.match(head[0])
    return is_known or bool(is_measure and any(is_attribute(row[0]) for row in body))


def explains_words(head: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a table of two columns explains words, and lists no attributes of a thing.

    Attributes are written with capitals: "Weight", unlike the field "weight".
    """
    names = [row[0] for row in body]
    are_words = bool(names) and all(name.islower() and " " not in name for name in names)
    if not EXPLAINS.match(head[1]) or are_words:
        return bool(EXPLAINS.match(head[1]))
    return not PROPERTY.match(head[0]) and sum(map(is_attribute, names)) * 2 <= len(names)


def are_options(head: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a table says which things, one a column, have what its rows name."""
    cells = [cell for row in body for cell in row[1:]]
    are_answers = bool(cells) and all(yes_or_no(cell) is not None for cell in cells)
    return are_answers and bool(_OPTION.match(head[0])) and not any(map(is_state, head[1:]))


def column_of_names(head: Sequence[str], body: Sequence[Sequence[str]]) -> int:
    """The column that names the things: the first, unless that holds their order numbers."""
    is_number = find_attribute(head[0]).identifier or all(row[0].isdigit() for row in body)
    is_name = len(head) > 2 and not is_attribute(head[1])
    return 1 if is_number and is_name else 0


def row_text(row: Sequence[str], *, head: Sequence[str]) -> str:
    """A row of a table as text, below its headings if it has any."""
    block = Block(kind="table", text="", rows=tuple(map(tuple, (head, row) if head else (row,))))
    return block_text(block)
