"""What customers ask about the attributes of things, such as weight (`attributes.toml`)."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

_IN_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_AREA = re.compile(r"\d\s?(?:m\u00b2|m2|sqm|sq\.? ?(?:m|ft)|square)", re.IGNORECASE)
_SIDE = "(?:w|h|d|l|width|height|depth|length)"
_SIDES = re.compile(rf"{_SIDE}(?: (?:x|by|\u00d7) {_SIDE}){{1,2}}")
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

    Capitals, hyphens and what stands in brackets do not count. A size in square metres is an area,
    and "Width x height x depth" are dimensions.
    """
    normal = _normal(name)
    known = _by_name().get("dimensions" if _SIDES.fullmatch(normal) else normal, UNKNOWN)
    is_area = "size" in known.names and _AREA.search(value)
    return _by_name()["area"] if is_area else known


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
