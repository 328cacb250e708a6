"""Questions about other products than the library's, so that a model learns where its lane ends."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import product
from typing import TypeVar

Value = TypeVar("Value")

_WORDS: dict[str, list[str]] = json.loads(
    files("ftdist.library.keep").joinpath("products.json").read_text(encoding="utf-8")
)
"""What names of products are made of, and what people ask of them."""

_NAME = re.compile(
    r"(?<!error )(?<!code )(?<!page )(?<!version )"
    r"\b(?=\w*[A-Z])(?:[A-Z]{2,}\w*|[A-Z]\w*-?\d[\w-]*|[A-Za-z]+-\d+[\w-]*)\b",
)
_LEAST_SHARE = 0.05
_MOST_PRODUCTS = 5


def find_products(questions: Sequence[str]) -> list[str]:
    """Names in a twentieth of the questions that look like a product's, most frequent first.

    Such a name has a digit, or is in capitals and no abbreviation that everybody uses. Give
    `keep.products` where it is another.
    """
    known = set(_WORDS["abbreviations"])
    found = Counter(name for text in questions for name in set(_NAME.findall(text)) - known)
    least = max(2, _LEAST_SHARE * len(questions))
    frequent = [name for name, count in found.items() if count >= least]
    return sorted(frequent, key=lambda name: (-found[name], name))[:_MOST_PRODUCTS]


def contrast_questions(
    questions: Iterable[str], *, products: Sequence[str], count: int, seed: int
) -> list[str]:
    """Questions about products that the library does not know, each under a name of its own.

    Half are the library's own questions under another name, where they name one product; the
    others are what people ask of any product, and of things of its kind.

    Args:
        questions: of the library.
        products: its products' names.
        count: how many to make; fewer come where names run out, at some thousands.
        seed: another seed makes others.
    """
    own = sorted(set(questions))
    known = {text.casefold() for text in own}
    said = " ".join([*own, *products]).casefold()
    renamed = _renamed(own, products=products, seed=seed)
    common = _shuffled(_WORDS["questions"], seed=seed)
    found: dict[str, None] = {}
    for number, (short, name, thing) in enumerate(_names(seed=seed, said=said)):
        if len(found) >= count:
            break
        if renamed and number % 2 == 0:
            question = renamed[number // 2 % len(renamed)].replace("{name}", short)
        else:
            template = common[number // 2 % len(common)]
            if "{thing}" in template and thing in said:
                continue
            question = template.replace("{name}", name).replace("{thing}", thing)
        if question.casefold() not in known:
            found[question] = None
    return list(found)


def _renamed(own: Sequence[str], *, products: Sequence[str], seed: int) -> list[str]:
    """The library's questions that name one product, with {name} in its place.

    Where two are named, one name for both would make no sense; braces of a question's own stay.
    """
    if not products:
        return []
    longest_first = sorted(products, key=len, reverse=True)
    alternatives = "|".join(re.escape(name) for name in longest_first)
    named = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
    found = [
        named.sub("{name}", text)
        for text in own
        if "{" not in text and len({name.casefold() for name in named.findall(text)}) == 1
    ]
    return _shuffled(found, seed=seed)


def _names(*, seed: int, said: str) -> Iterator[tuple[str, str, str]]:
    """Names of products, thousands, of none of the library's words.

    Returns:
        name without and with what the product is, such as "Acme X200" and "Acme X200 kettle" (each
        of the latter once), and what it is, "kettle".
    """
    words = set(re.findall(r"\w[\w-]*", said))
    makers, models = (
        [word for word in _WORDS[part] if word.casefold() not in words]
        for part in ("makers", "models")
    )
    met: set[str] = set()
    combinations = list(product(makers, models, _WORDS["things"]))
    for maker, model, thing in _shuffled(combinations, seed=seed):
        short = f"{maker} {model}"
        number = hashlib.blake2b(short.encode()).digest()[0] % 3
        name = (f"{short} {thing}", short, f"{maker} {thing}")[number]
        if name not in met:
            met.add(name)
            yield short, name, thing


def _shuffled(values: Sequence[Value], *, seed: int) -> list[Value]:
    return sorted(values, key=lambda value: hashlib.blake2b(f"{seed} {value}".encode()).digest())
