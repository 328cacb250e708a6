"""The kinds of values that keys of the config take, in words."""

from typing import Literal

Kind = Literal[
    "integer",
    "number",
    "switch",
    "choice",
    "text",
    "texts",
    "integers",
    "numbers",
    "sources",
    "table",
]

WORDS: dict[Kind, str] = {
    "integer": "a whole number",
    "number": "a number",
    "switch": "true or false",
    "choice": "one of",
    "text": "a text",
    "texts": "a list such as [a,b]",
    "integers": "a list of whole numbers",
    "numbers": "a list of numbers",
    "sources": "a list of paths, or of mappings such as {path: org/name, split: train}",
    "table": "a table such as {name: value}",
}
EXAMPLES: dict[Kind, str] = {"integers": "[10,12]", "numbers": "[0.4,0.8]"}
"""A value of each kind that is a list of numbers."""

LISTS: tuple[Kind, ...] = ("texts", "integers", "numbers", "sources")
RUN_NAME = (
    "a name of up to 64 letters, digits, dots, underscores and dashes that begins with a "
    "letter or a digit"
)
