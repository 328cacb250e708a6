"""English numbers in words: "four years" and "4 years" say the same."""

import re
from collections.abc import Sequence

_NAMES = """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_NAMES_OF_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: number for number, word in enumerate(_NAMES.split(), 2)}
_TENS = {word: 10 * number for number, word in enumerate(_NAMES_OF_TENS.split(), 2)}
_DIGITS = {"one": 1, **{word: number for word, number in _UNITS.items() if number < 10}}

NUMBER_WORD = (
    rf"(?:(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_DIGITS)}))?|{'|'.join(_UNITS)}"
    r"|(?:a|one) (?:dozen|hundred|thousand|million))"
)
"""A number from two on, as a regular expression; "one" is a pronoun too."""

_FREQUENCY = r"(?:once|twice|thrice|(?:\w+ )?times)"
_EVERYDAY = re.compile(rf"(?:{NUMBER_WORD}|half|quarter|a|an|one|{_FREQUENCY})\b", re.IGNORECASE)


def is_number_phrase(text: str) -> bool:
    """Whether a text is a quantity in words, such as "four years" or "half an hour"."""
    return _EVERYDAY.match(text) is not None and not any(map(str.isdigit, text))


def with_digits(words: Sequence[str]) -> tuple[str, ...]:
    """Words in lower case with numbers from two to 99 in digits, and "2 times" for "twice"."""
    found: list[str] = []
    tens = False
    for word in words:
        digit = _DIGITS.get(word)
        if tens and digit:
            found[-1] = str(int(found[-1]) + digit)
            tens = False
            continue
        tens = word in _TENS
        if word == "twice":
            found += ["2", "times"]
        elif number := _UNITS.get(word) or _TENS.get(word):
            found.append(str(number))
        else:
            found.append(word)
    return tuple(found)
