"""What customers ask about the attributes of things, such as weight (`attributes.toml`)."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

_IN_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_DAY = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays|weekends|(?:public|bank) holidays)"
)
_DAYS = re.compile(rf"{_DAY}(?:(?: to| and|,|  ?) ?{_DAY})*")
HOURS = re.compile(r"\d ?(?:[ap]\.?m\b|[\u2013-] ?\d)|\d[:.]\d\d|^closed\b", re.IGNORECASE)
"""Opening hours as cells have them."""

_AREA = re.compile(r"\d\s?(?:m\u00b2|m2|sqm|sq\.? ?(?:m|ft)|square)", re.IGNORECASE)
_SIDE = "(?:w|h|d|l|width|height|depth|length)"
_SIDES = re.compile(rf"{_SIDE}(?: (?:x|by|\u00d7) {_SIDE}){{1,2}}")
_BY_VALUE = (
    ("size", _AREA, "area"),
    (
        "size",
        re.compile(r"^[~<>]?\d[\d.,]*\s?(?:l|ml|lit(?:re|er)s?|gallons?)\b", re.I),
        "capacity",
    ),
    (
        "length",
        re.compile(r"\b(?:minutes?|mins?|hours?|hrs?|h|days?|weeks?|months?)\b"),
        "duration",
    ),
    ("energy", re.compile(r"\d\s?k?Wh\b"), "power consumption"),
    ("connection", re.compile(r"\d\s?(?:V|A|bar|mm)\b"), ""),
    ("monday", re.compile(r"^closed\b", re.I), "closed day"),
)
"""Of a listed attribute, values that show that it is another one, and which; "": none listed."""

_NOT_WORDS = re.compile(r"[^\w.']+")


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute and the sentences around it, with places to fill (see `attributes.toml`)."""

    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    """Nouns that people use for it, whatever a document calls it."""

    questions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    reverse: tuple[str, ...] = ()
    thing: bool = False
    """Whether only things that are made or sold have it."""

    quantity: bool = False
    """Whether `answers` need a value that begins with a number."""

    identifier: bool = False
    """Whether each thing has a value of its own, such as an order number."""


UNKNOWN = Attribute()


def find_attribute(name: str, *, value: str = "") -> Attribute:
    """The attribute that a document calls `name`; `UNKNOWN` without wordings if it is not listed.

    Capitals, hyphens and what stands in brackets do not count. The value decides what a name means:
    a size in square metres is an area, a length in minutes a duration. "Width x height x depth" are
    dimensions, and "Monday to Friday" is a day.
    """
    normal = _normal(name)
    normal = "dimensions" if _SIDES.fullmatch(normal) else normal
    normal = "monday" if HOURS.search(value) and _DAYS.fullmatch(normal) else normal
    known = _by_name().get(normal, UNKNOWN)
    for of, form, other in _BY_VALUE:
        if of in known.names and form.search(value):
            return _by_name().get(other, UNKNOWN)
    return known


def is_attribute(name: str) -> bool:
    """Whether a name is that of a listed attribute."""
    return find_attribute(name) is not UNKNOWN


def all_attributes() -> list[Attribute]:
    """The listed attributes, in the lexicon's order."""
    return list(dict.fromkeys(_by_name().values()))


@lru_cache(maxsize=4096)
def _normal(name: str) -> str:
    name = _IN_BRACKETS.sub("", name)
    return _NOT_WORDS.sub(" ", name.casefold().rstrip(":.")).strip()


@cache
def _by_name() -> dict[str, Attribute]:
    text = files("ftdist.library.synthesis").joinpath("attributes.toml").read_text(encoding="utf-8")
    by_name: dict[str, Attribute] = {}
    for entry in tomllib.loads(text)["attribute"]:
        lines = {
            key: tuple(entry.get(key, "").splitlines())
            for key in ("questions", "answers", "reverse")
        }
        nouns = {key: tuple(entry.get(key, ())) for key in ("names", "words")}
        attribute = Attribute(**entry | lines | nouns)
        for name in attribute.names:
            by_name[_normal(name)] = attribute
    return by_name
