"""Find pieces of a text that a key can be: codes, quantities, names, quoted words and parts."""

import re
from collections.abc import Callable, Iterator

from ftdist.text.number_words import NUMBER_WORD

Found = Iterator[tuple[range, str]]
"""Where a piece is in a text, and the piece."""

_CODE = re.compile(
    r"(?<![\w/])(?:--?[A-Za-z][\w-]+|[A-Za-z]+_\w+|\w+\.(?:conf|cfg|py|sh|ini|ya?ml)|/\w[\w/.-]+)"
)
_PART_NUMBER = re.compile(
    r"(?<![\w.-])(?=[\w-]*[A-Z])(?=[\w-]*\d)(?!\d+[A-Za-z]+\b(?!-))[A-Z0-9]\w*(?:-\w+)*(?!\w)"
)
"""Such as E4, HI-77 and 80W-90; "12V" is a quantity."""

_NUMBER = r"\d+(?:[.,:]\d+)*"
_NO_UNIT = (
    "a|after|all|an|and|are|as|at|before|but|by|do|does|for|from|has|have|if|in|into|is|it|nor|not"
    "|of|on|or|per|so|than|that|the|then|they|to|until|was|we|were|when|which|while|will|with|you"
)
_QUANTITY = re.compile(
    rf"(?<![\w.])(?<!\d[,:])(?<!\w[-\u2013])"
    rf"(-?{_NUMBER})(?:[-\u2013]({_NUMBER}))?(?![-\u2013.,:]?\d)"
    rf"(\s?(?:%|(?!(?:{_NO_UNIT})\b)[a-zA-Z\u00b0\u03bc]{{1,12}}[\u00b2\u00b3]?(?!\w)))?"
)
"""A number with its unit, or both ends of a range; three parts are a date, or to be dialled."""

_UNIT = (
    r"(?:second|minute|hour|day|week|month|year|inch|foot|mile|pound|gallon|pint|cup|spoonful"
    r"|lit(?:re|er)|(?:centi|milli|kilo)?met(?:re|er)|(?:kilo)?gram|ton|degree|volt|amp|watt|turn)"
)
_NO_COUNT = (
    "additional|alternatives|basic|cases|choices|complete|copies|different|distinct|further|great"
    "|kinds|large|main|major|more|new|options|other|others|possibilities|reasons|separate|small"
    "|sorts|such|things|types|variants|ways"
)
_IN_WORDS = re.compile(
    rf"\b(?:(?:{NUMBER_WORD})\s(?!(?:{_NO_UNIT}|{_NO_COUNT})\b)[a-z]{{2,14}}"
    rf"|(?:half|quarter|a half|a quarter)(?:\s(?:of\s)?an?)?\s{_UNIT}s?"
    rf"|one\s{_UNIT}"
    r"|(?:once|twice|\w+ times)\s(?:an?|per|every|each)\s\w+|twice)\b",
    re.IGNORECASE,
)
"""A quantity in words, such as "four years", "half an hour" or "twice a month"."""

_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)*", re.MULTILINE)
_NO_PART = (
    f"{_NO_UNIT}|above|again|also|always|any|away|back|below|between|can|down|each|either|every"
    "|first|fully|here|how|last|least|less|may|more|most|must|never|next|no|off|once|one|only|other"
    "|our|out|over|own|same|should|side|some|still|such|their|them|there|these|this|those|through"
    "|too|under|up|well|what|who|without|yes|your|actual|bad|certain|correct|current|different|few"
    "|following|general|good|great|large|little|long|lot|main|many|new|old|real|right|second|short"
    "|simple|small|special|specific|third|usual|way|whole|wrong"
)
_PART = re.compile(
    r"\b(?:the|an?|its|your)\s+"
    rf"(?P<part>(?:(?!(?:{_NO_PART})\b)[a-z][a-z-]{{2,}}\s?){{1,2}})(?=[.,;:!?)]|$|\b)"
)
"""A thing, such as "brass plug"."""

_BEHIND_FIRST_WORD = re.compile(r"(?:^|[.!?:]\s)[A-Z][\w-]*\s$")
_MIN_PART_LETTERS = 5

_QUOTED = re.compile(
    r"[\"\u201c\u00ab](?P<text>[^\"\u201c\u201d\u00ab\u00bb\n]{3,60})[\"\u201d\u00bb]"
)
_MAX_QUOTED_WORDS = 6
_ABBREVIATION = re.compile(r"[A-Z]{2,3}s?")
"""Such as USB, which many answers hold."""

_PART_ENDS = re.compile(r"\s*(?:[.,;:!?)]|$|(?:for|in|on|to|is|are|was|with|from|and|or)\b)")
_IN_BRACKETS = re.compile(r"\([^()]{0,40}\)")
_MIN_BARE_DIGITS = 3


def amounts(text: str) -> Iterator[str]:
    """Quantities in digits and words."""
    return _apart(text, _quantities, _quantities_in_words)


def details(text: str) -> Iterator[str]:
    """Codes, part numbers and quantities."""
    return _apart(text, _codes, _part_numbers, _quantities, _quantities_in_words)


def all_codes(text: str) -> Iterator[str]:
    """Options, file names and part numbers."""
    return _apart(text, _codes, _part_numbers)


def _apart(text: str, *finders: Callable[[str], Found]) -> Iterator[str]:
    """What the finders find, each piece of the text once."""
    taken: list[range] = []
    for find in finders:
        for span, key in find(text):
            if not any(span.start < other.stop and other.start < span.stop for other in taken):
                yield key
                taken.append(span)


def _codes(text: str) -> Found:
    return ((range(*match.span()), match[0]) for match in _CODE.finditer(text))


def _part_numbers(text: str) -> Found:
    return ((range(*match.span()), match[0]) for match in _PART_NUMBER.finditer(text))


def _quantities(text: str) -> Found:
    for match in _QUANTITY.finditer(text):
        first, last, unit = match.groups(default="")
        number = last or first
        has_unit = ":" not in number or unit.strip().lower() in ("am", "pm")  # no scale has one
        if last:
            yield range(*match.span(1)), first
        start = match.start(2) if last else match.start(1)
        yield range(start, match.end()), f"{number}{unit}" if has_unit else number


def _quantities_in_words(text: str) -> Found:
    return ((range(*match.span()), match[0]) for match in _IN_WORDS.finditer(text))


def names(text: str) -> Iterator[str]:
    """Names, but for two letters alone (AB, EU), which tell little; F1 and E5 are names.

    One behind the first word of a sentence may be a part of one that begins there.
    """
    found = [m for m in _NAME.finditer(text) if len(m[0]) > len("AB") or not m[0].isalpha()]
    clear = [match for match in found if not _BEHIND_FIRST_WORD.search(text[: match.start()])]
    return (match[0] for match in clear or found)


def parts(text: str) -> Iterator[str]:
    """Things of two words, such as "brass plug"."""
    found = (match["part"].strip() for match in _PART.finditer(text))
    return (part for part in found if " " in part)


def single_parts(text: str) -> Iterator[str]:
    """Things of one word."""
    found = (match["part"].strip() for match in _PART.finditer(text))
    return (part for part in found if " " not in part and len(part) >= _MIN_PART_LETTERS)


def quoted(text: str) -> Iterator[str]:
    """What is in quotation marks, up to a few words: a setting, a label, a message.

    A single word in lower case is an expression rather than a fact.
    """
    found = (match["text"].strip(" .,;:!?") for match in _QUOTED.finditer(text))
    short = (part for part in found if len(part.split()) <= _MAX_QUOTED_WORDS)
    return (part for part in short if " " in part or not (part.isalpha() and part.islower()))


def facts(text: str) -> Iterator[str]:
    """What states a fact in a sentence of a long answer, the most specific kinds first.

    A bare number of one or two digits, or any in brackets, is no fact: an example, a footnote or
    the section of a manual.
    """
    bare = _IN_BRACKETS.sub(" ", text)
    yield from all_codes(text)
    for key in amounts(bare):
        if len(key) >= _MIN_BARE_DIGITS or not key.isdigit():
            yield key
    yield from quoted(text)
    yield from (name for name in names(bare) if not _ABBREVIATION.fullmatch(name))


def ended_parts(text: str) -> Iterator[str]:
    """Things of two words before a mark or a preposition, so that no verb is taken for one."""
    found = ((match["part"].strip(), text[match.end() :]) for match in _PART.finditer(text))
    return (part for part, after in found if " " in part and _PART_ENDS.match(after))
