"""Names of products that nobody sells, and what people ask of any product or of its kind.

A fifth of each is reserved for probes, so that no out-of-scope sample ever holds it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import TypeVar

Value = TypeVar("Value")

_WORDS: dict[str, list[str]] = json.loads(
    files("ftdist.library.retention").joinpath("products.json").read_text(encoding="utf-8")
)
_RESERVED_ONE_IN = 5

_CODE = re.compile(r"[A-Za-z].*\d|\d.*[A-Za-z]")
"""A model that is a name without its maker: B-7, but not 4000 or Pro."""

_DIGITS = re.compile(r"\d+")
_MAX_SIMILAR = 10_000
"""Rounds over the library's names."""

ABBREVIATIONS = frozenset(_WORDS["abbreviations"])
"""In capitals, and no product's name."""


@dataclass(frozen=True, kw_only=True)
class NamePool:
    """What names and questions are made of."""

    makers: tuple[str, ...]
    models: tuple[str, ...]
    things: tuple[str, ...]
    questions: tuple[str, ...]
    """About a product, with {name} in its place."""

    topics: tuple[str, ...]
    """About things of a kind, with {thing} in their location, and without the name of a product."""


@dataclass(frozen=True, kw_only=True)
class FictionalProduct:
    """A product that nobody sells."""

    maker: str
    model: str
    thing: str
    full: str
    """As a question names it: maker and model, and what it is, or two of the three."""

    spoken: str
    """As its owner says it: two of the three, what it is, or a model that is a name by itself."""

    @property
    def short(self) -> str:
        """Maker and model."""
        return f"{self.maker} {self.model}"

    @property
    def parts(self) -> tuple[str, str, str]:
        """Maker, model and what it is."""
        return self.maker, self.model, self.thing


def _pool(*, reserved: bool) -> NamePool:
    """What is reserved for probes, or what is not."""
    parts = {
        part: tuple(
            value
            for number, value in enumerate(_WORDS[part], 1)
            if (number % _RESERVED_ONE_IN == 0) == reserved
        )
        for part in ("makers", "models", "things", "questions", "topics")
    }
    return NamePool(**parts)


TRAINED = _pool(reserved=False)
RESERVED = _pool(reserved=True)


def fictional_products(
    pool: NamePool, *, seed: int, library_text: str
) -> Iterator[FictionalProduct]:
    """Products whose makers and models the library does not name, each full name once.

    Args:
        pool: the parts of their names; `TRAINED` gives thousands.
        seed: of their order.
        library_text: the library's questions and product names, in lower case.
    """
    words = set(re.findall(r"\w[\w-]*", library_text))
    makers, models = (
        [word for word in part if word.casefold() not in words]
        for part in (pool.makers, pool.models)
    )
    met: set[str] = set()
    combinations = list(product(makers, models, pool.things))
    for maker, model, thing in shuffled(combinations, seed=seed):
        short = f"{maker} {model}"
        full = _pick([f"{short} {thing}", short, f"{maker} {thing}"], by=short)
        if full not in met:
            met.add(full)
            ways = [short, f"{model} {thing}"]
            if thing not in library_text:
                ways.append(thing)
            if _CODE.search(model):
                ways.append(model)
            spoken = _pick(ways, by=f"{short} {thing}")
            yield FictionalProduct(maker=maker, model=model, thing=thing, full=full, spoken=spoken)


def similar_names(products: Sequence[str], *, seed: int, library_text: str) -> Iterator[str]:
    """Names that differ from a product's in its number or last word: A-72 for A-45.

    Those that the library names are left out; nothing is given for names of one plain word.

    Args:
        products: names of the library's products.
        seed: of the choice.
        library_text: the library's questions and product names, in lower case.
    """
    changeable = [name for name in products if _DIGITS.search(name) or " " in name]
    for number in range(_MAX_SIMILAR if changeable else 0):
        for name in changeable:
            other = _similar(name, by=f"{seed} {number} {name}")
            if other.casefold() not in library_text:
                yield other


def _similar(name: str, *, by: str) -> str:
    digest = hashlib.blake2b(by.encode()).digest()
    if runs := list(_DIGITS.finditer(name)):
        last = runs[-1]
        size = len(last[0])
        value = int.from_bytes(digest[:4], "big") % (9 * 10 ** (size - 1)) + 10 ** (size - 1)
        return f"{name[: last.start()]}{value}{name[last.end() :]}"
    return f"{name.rpartition(' ')[0]} {TRAINED.models[digest[0] % len(TRAINED.models)]}"


def _pick(ways: Sequence[str], *, by: str) -> str:
    return ways[hashlib.blake2b(by.encode()).digest()[0] % len(ways)]


def about_thing(topic: str, thing: str) -> str:
    """A question about things of a kind."""
    article = "an" if thing[0] in "aeio" else "a"
    return topic.replace("a {thing}", f"{article} {thing}").replace("{thing}", thing)


def shuffled(values: Sequence[Value], *, seed: int) -> list[Value]:
    """Values in an order of their own, the same for the same values and seed."""
    return sorted(values, key=lambda value: hashlib.blake2b(f"{seed} {value}".encode()).digest())
