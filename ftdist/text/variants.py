"""Write the variants of a quantity or a word in one way, so that they match as keys.

"9 seconds" is "9 s", "two years" is "2 years", "4,2 kg" is "4.2 kg", "129 euros" is "€129.00", and
"filters" is "filter".
"""

import re
from collections.abc import Iterator, Sequence

from ftdist.text.number_words import with_digits

_SPELLINGS = """
s sec secs second seconds
min mins minute minutes
h hr hrs hour hours
day days
week weeks wk wks
month months
year years yr yrs
ms millisecond milliseconds
mm millimetre millimetres millimeter millimeters
cm centimetre centimetres centimeter centimeters
m metre metres meter meters
km kilometre kilometres kilometer kilometers
inch inches
ft foot feet
mile miles
l litre litres liter liters ltr
ml millilitre millilitres milliliter milliliters
cl centilitre centilitres centiliter centiliters
g gram grams gramme grammes
mg milligram milligrams
kg kilogram kilograms kilo kilos kgs
t ton tons tonne tonnes
lb lbs pound pounds
oz ounce ounces
v volt volts
a amp amps ampere amperes
ah mah wh kwh nm n k p x gb mb kb tb mp px dpi fps ghz
w watt watts
kw kilowatt kilowatts
hz hertz
khz kilohertz
mhz megahertz
db decibel decibels dba
bar bars
psi kpa mpa hpa
rpm
% percent pct
€ euro euros eur
$ dollar dollars usd
° degree degrees deg
times
"""
_GROUPS_OF_ONE = ("ah", "psi")
"""First unit of a line whose units are different ones, not spellings of one."""


def _canonical_units() -> Iterator[tuple[str, str]]:
    for line in _SPELLINGS.strip().splitlines():
        first, *others = line.split()
        yield first, first
        for other in others:
            yield other, other if first in _GROUPS_OF_ONE else first


UNITS = dict(_canonical_units())
"""The one spelling of a unit behind a number, by each spelling."""

_AUXILIARIES = "is are was were do does did has have had could should would must need"
_CONTRACTED = {f"{word}n": word for word in _AUXILIARIES.split()} | {"can": "can", "won": "will"}
"""What comes before "not", by what comes before the apostrophe."""

_SCALES = {"celsius": "c", "centigrade": "c", "fahrenheit": "f", "kelvin": "k"}
_POWERS = {"square": "2", "sq": "2", "cubic": "3"}
_CURRENCIES = ("€", "$", "£", "¥", "eur", "usd")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d{1,2}")
_NO_CENTS = re.compile(r"(-?\d+)\.0{1,2}")


def is_number(word: str) -> bool:
    """Whether a word of `words` is a number in digits."""
    return word[-1:].isdigit()


def unify(words: Sequence[str]) -> tuple[str, ...]:
    """The words with numbers, units, prices, plurals and negations in one spelling each."""
    found: list[str] = []
    plain = with_digits(_with_not(words))
    pending = list(_prices_last([_number(word) for word in plain]))
    while pending:
        word = pending.pop(0)
        before = found[-1] if found else ""
        if is_number(before) and word == "per" and pending[:1] == ["cent"]:
            pending[:1] = []
            found.append("%")
        elif is_number(before) and word in _POWERS and pending and pending[0] in UNITS:
            found += [UNITS[pending.pop(0)], _POWERS[word]]
        elif is_number(before) and word in UNITS:
            found.append(UNITS[word])
        elif before == "°" and word in _SCALES:
            found.append(_SCALES[word])
        else:
            found.append(_singular(word))
    return tuple(found)


def _with_not(words: Sequence[str]) -> list[str]:
    """The words with "is not" for "isn't"."""
    found: list[str] = []
    for word in words:
        if word == "t" and found and found[-1] in _CONTRACTED:
            found[-1:] = [_CONTRACTED[found[-1]], "not"]
        else:
            found += ["can", "not"] if word == "cannot" else [word]
    return found


def _number(word: str) -> str:
    if _DECIMAL_COMMA.fullmatch(word):
        word = word.replace(",", ".")
    match = _NO_CENTS.fullmatch(word)
    return match[1] if match else word


def _prices_last(words: Sequence[str]) -> Iterator[str]:
    """The words with each currency behind its number."""
    held = before = ""
    for word in words:
        if held:
            yield from (word, UNITS.get(held, held)) if is_number(word) else (held, word)
            held = ""
        elif word in _CURRENCIES and not is_number(before):
            held = word
        else:
            yield word
        before = word
    if held:
        yield held


def _singular(word: str) -> str:
    """An English plural without its ending; other words may lose an "s" too."""
    if len(word) < 4 or not word.isascii() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word.removesuffix("s")
