"""Questions about other products than the library's, so that a model learns where its lane ends."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TypeVar

Value = TypeVar("Value")

_MAKERS = (
    *("Norvik", "Acme", "Brightwell", "Calder", "Dunmore", "Eastfield", "Fenwick", "Gorham"),
    *("Halden", "Ivarson", "Jorvik", "Kestrel", "Lindqvist", "Marlow", "Northgate", "Oakley"),
    *(
        "Pemberton",
        "Quillon",
        "Ravensby",
        "Solvang",
        "Tamworth",
        "Ulverton",
        "Vantage",
        "Westbrook",
    ),
)
_THINGS = (
    *("toaster", "router", "dishwasher", "thermostat", "printer", "camera", "drill", "scanner"),
    *("kettle", "speaker", "projector", "freezer", "scooter", "monitor", "drone", "heater"),
    *("blender", "keyboard", "lawn mower", "sewing machine", "treadmill", "doorbell", "telescope"),
    *("air conditioner", "coffee machine", "electric fence", "garage door", "hearing aid"),
)
_MODELS = (
    *("B-70", "X200", "M5", "C-12", "QT-9", "R33", "V8", "L-450", "Z1", "K-88", "T-1000", "H2O"),
    *("SL-6", "P90", "D-21", "N7", "G-300", "W-15", "E4", "U-77"),
)
_COMMON = (
    "How do I reset the {name}?",
    "What does the red light on the {name} mean?",
    "How long is the warranty of the {name}?",
    "How do I clean the {name}?",
    "Why does the {name} not switch on?",
    "Where can I buy spare parts for the {name}?",
    "Which batteries does the {name} need?",
    "How do I connect the {name} to a network?",
    "What does an error code on the {name} mean?",
    "How do I update the software of the {name}?",
    "Is the {name} waterproof?",
    "How loud is the {name}?",
)
_NAME = re.compile(r"\b(?=\w*[A-Z])(?:[A-Z]{2,}\w*|[A-Z]\w*-?\d[\w-]*|[A-Za-z]+-\d+[\w-]*)\b")
_LEAST_SHARE = 0.05


def find_products(questions: Sequence[str]) -> list[str]:
    """Names in a twentieth of the questions that look like a product's, most frequent first.

    Such a name has a digit, or is in capitals. Give `keep.products` where it is another.
    """
    found = Counter(name for text in questions for name in set(_NAME.findall(text)))
    least = max(2, _LEAST_SHARE * len(questions))
    return [name for name, count in found.most_common() if count >= least][:5]


def contrast_questions(
    questions: Iterable[str], *, products: Sequence[str], count: int, seed: int
) -> list[str]:
    """Questions about products that the library does not know, each under a name of its own.

    Half are the library's own questions under another name, where they name a product; the others
    are what people ask of any product.

    Args:
        questions: of the library.
        products: its products' names.
        count: how many to make.
        seed: another seed makes others.
    """
    own = sorted(set(questions))
    said = " ".join(own).casefold()
    names = _names(seed=seed, said=said)
    renamed = _renamed(own, products=products, seed=seed)
    common = _shuffled(_COMMON, seed=seed)
    found: dict[str, None] = {}
    for number, name in enumerate(names):
        if len(found) >= count:
            break
        template = renamed[number // 2 % len(renamed)] if renamed and number % 2 == 0 else None
        template = template or common[number % len(common)]
        question = template.replace("{name}", name)
        if question not in own:
            found[question] = None
    return list(found)


def _renamed(own: Sequence[str], *, products: Sequence[str], seed: int) -> list[str]:
    """The library's questions with {name} in place of its products; braces of their own stay."""
    if not products:
        return []
    longest_first = sorted(products, key=len, reverse=True)
    named = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in longest_first), re.IGNORECASE)
    found = [named.sub("{name}", text) for text in own if named.search(text) and "{" not in text]
    return _shuffled(found, seed=seed)


def _names(*, seed: int, said: str) -> Iterator[str]:
    """Names of products, thousands of them, none in the library's words."""
    for maker, model, thing in _shuffled(list(product(_MAKERS, _MODELS, _THINGS)), seed=seed):
        number = int.from_bytes(hashlib.blake2b(f"{maker}{model}".encode()).digest()[:2]) % 3
        name = (f"{maker} {model} {thing}", f"{model} {thing}", f"{maker} {thing}")[number]
        if maker.casefold() not in said and model.casefold() not in said:
            yield name


def _shuffled(values: Sequence[Value], *, seed: int) -> list[Value]:
    return sorted(values, key=lambda value: hashlib.blake2b(f"{seed} {value}".encode()).digest())
