"""Keys of an answer: the short pieces that a right answer must contain."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ftdist.text.matching import contains_words
from ftdist.text.number_words import NUMBER_WORD

Found = Iterator[tuple[range, str]]
"""Where a key is in a text, and the key."""

_MAX_KEYS = 2
_SHORT_ANSWER_WORDS = 6
_WHOLE_QUANTITY_WORDS = 3
_SOME_SENTENCES_WORDS = 50
"""In a longer answer the fact is in the first paragraph, and a part is one of many."""

_COMMON_TIMES, _COMMON_SHARE = 3, 0.2

_CODE = re.compile(
    r"(?<![\w/])(?:--?[A-Za-z][\w-]+|[A-Za-z]+_\w+|\w+\.(?:conf|cfg|py|sh|ini|ya?ml)|/\w[\w/.-]+)"
)
_URL = re.compile(r"\bhttps?://\S+")
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

_SMALL_WORDS = "a an the this that your our its if in on with for and or use to"
_NO_NAMES = frozenset(_SMALL_WORDS.split())
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)*", re.MULTILINE)
_WORD_NAME = re.compile(r"\b[A-Z][\w-]+")
_NAMES = re.compile(r"\b[A-Z][\w-]*(?:\s[A-Z][\w-]*)+")
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

_ASKS_AN_AMOUNT = re.compile(
    r"\bhow (?:often|long|many|much|loud|far|hot|cold|warm|deep|high|heavy|big|large|wide|tall|fast"
    r"|soon|old)\b",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"^(?:(?:yes|no)[,.]\s+)?(?:(?:it|they|this|there)\s(?:is|are)\s+)?(?:the|an?|about)\s+",
    re.IGNORECASE,
)
_BEHIND_FIRST_WORD = re.compile(r"(?:^|[.!?:]\s)[A-Z][\w-]*\s$")
_MIN_PART_LETTERS = 5
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def common_names(title: str, texts: Iterable[str]) -> str:
    """Names that tell no answer of a document apart.

    Those of its title, those next to them (in "Halden Marine", for a title with
    "Halden"), and those in a fifth of its texts.
    """
    listed = list(texts)
    found = Counter(name for text in listed for name in set(_WORD_NAME.findall(text)))
    least = max(_COMMON_TIMES, _COMMON_SHARE * len(listed))
    common = {name for name, times in found.items() if times >= least}
    common |= set(_WORD_NAME.findall(title))
    beside = {
        name
        for text in listed
        for names in _NAMES.findall(text)
        if common & set(names.split())
        for name in names.split()
        if name.lower() not in _NO_NAMES
    }
    return " ".join(sorted(common | beside))


def answer_keys(answer: str, *, question: str, given: str = "") -> list[str]:
    """Short pieces of an answer that a right one must contain; empty if none stands out.

    Taken from the first sentence that has any: options and file names, part numbers, quantities in
    digits and words, names, parts; nothing that the question or `given` contains. In a long answer
    only options, file names and part numbers may come after the first paragraph. A short answer
    without any is its own key. `contains_words` finds each in the answer.

    Args:
        answer: the trained text.
        question: that it answers.
        given: the document's title and the names that occur all over it.
    """
    known = f"{question} {given}".casefold()
    names = {word.casefold() for word in _WORD_NAME.findall(given)}
    words = len(answer.split())
    if words <= _WHOLE_QUANTITY_WORDS:
        return _whole(answer)
    is_short = words <= _SHORT_ANSWER_WORDS
    text = _URL.sub(" ", answer)
    first = text if words <= _SOME_SENTENCES_WORDS else text.split("\n", 1)[0]
    of_amounts = (_amounts,) if _ASKS_AN_AMOUNT.search(question) else ()
    parts = () if is_short or words > _SOME_SENTENCES_WORDS else (_parts, _single_parts)
    finders = (*((find, first) for find in (*of_amounts, _details)), (_all_codes, text))
    for find, part in (*finders, *((find, first) for find in (_names, *parts))):
        for sentence in _SENTENCES.split(part):
            keys = [
                key
                for key in find(sentence)
                if len(key) > 1
                and key.casefold() not in known
                and not names & set(key.casefold().split())
                and contains_words(answer, key)
            ]
            if keys:
                return list(dict.fromkeys(keys))[:_MAX_KEYS]
    return _whole(answer) if is_short else []


def _whole(answer: str) -> list[str]:
    """A short answer without its full stop and the words that lead up to it."""
    text = answer.strip().rstrip(".")
    bare = _LEADS.sub("", text)
    return next(([key] for key in (bare, text) if key and contains_words(answer, key)), [])


def _amounts(text: str) -> Iterator[str]:
    """Quantities in digits and words."""
    return _apart(text, _quantities, _quantities_in_words)


def _details(text: str) -> Iterator[str]:
    """Codes, part numbers and quantities."""
    return _apart(text, _codes, _part_numbers, _quantities, _quantities_in_words)


def _all_codes(text: str) -> Iterator[str]:
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


def _names(text: str) -> Iterator[str]:
    """Names, but for two letters alone (AB, EU), which tell little; F1 and E5 are names.

    One behind the first word of a sentence may be a part of one that begins there.
    """
    found = [m for m in _NAME.finditer(text) if len(m[0]) > len("AB") or not m[0].isalpha()]
    clear = [match for match in found if not _BEHIND_FIRST_WORD.search(text[: match.start()])]
    return (match[0] for match in clear or found)


def _parts(text: str) -> Iterator[str]:
    found = (match["part"].strip() for match in _PART.finditer(text))
    return (part for part in found if " " in part)


def _single_parts(text: str) -> Iterator[str]:
    found = (match["part"].strip() for match in _PART.finditer(text))
    return (part for part in found if " " not in part and len(part) >= _MIN_PART_LETTERS)
