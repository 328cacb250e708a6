"""The parts of a sentence that one can ask for, each with the words that ask for it.

"Steam leaves the wand at 135 degrees." says how many degrees; "Wipe the wand with a damp cloth."
says with what.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ftdist.library.synthesis.units import unit_in_words
from ftdist.library.synthesis.verb_forms import VERBS, base_form

_NUMBER_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
)
_DIGITS = r"\d{1,9}(?:[.,]\d{1,9}){0,3}"
_ONE_NUMBER = rf"(?:(?<![\w-])[-\u2212]?{_DIGITS}|{_NUMBER_WORDS}|half an?|a quarter of an)"
_ABOUT = (
    r"(?:(?:about|around|roughly|approximately|nearly|almost|up to|at least|at most|less than"
    r"|more than|fewer than|no more than|no less than|over|between|exactly) )?"
)
_FURTHER = rf"(?: (?:to|and|or) | ?[-\u2013x\u00d7] ?)(?:{_DIGITS}|{_NUMBER_WORDS})"
_NUMBER = rf"{_ABOUT}{_ONE_NUMBER}(?:{_FURTHER}){{0,3}}"
_PERIOD = "(?:second|minute|hour|day|night|week|weekend|month|quarter|year|season|morning|evening)"
_CLOCK = (
    r"(?:(?:\d{1,2}(?:[:.]\d\d)? ?(?:[ap]\.?m\b\.?|o['\u2019]clock)|\d{1,2}:\d\d(?!\d)"
    r"|(?:(?<=\bat )|(?<=\bbetween )|(?<=\bby )|(?<=\bto )|(?<=\band )|(?<=\bfrom )|(?<=\buntil )"
    r"|(?<=\bafter )|(?<=\bbefore ))\d{1,2}\.\d\d"
    r"(?![\d.%]| (?!(?:and|or|to|on|until|in|at|from)\b)[A-Za-z]))"
    r"(?: sharp| exactly)?)"
)
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = rf"\d{{1,2}}(?:st|nd|rd|th)? {_MONTH}(?: \d{{4}})?\b|{_MONTH} \d[\d, ]*\d\b"
_CODE = r"[A-Z]{1,5}-?\d[\w-]*"
_ABBREVIATED_UNIT = (
    r"(?:[kmc]?g|[mc]?l|[cmk]?m|k?Wh?|m?Ah|[km]?V|[MGT]B|[kMG]?Hz|dB|bar|rpm|km/h|mph"
    r"|\u00b0 ?[CF]?)"
)
_UNIT = (
    r"(?:(?:milli|centi|kilo)?(?:gram|litre|liter|metre|meter)s?|cups|spoons|tablespoons|teaspoons"
    r"|drops|slices|sachets|tablets|bags|bottles|boxes)"
)
_OF_A_NAME = re.compile(
    r"\b(?!(?:The|Once|In|On|At|For|From|After|Before|Between|Until|Within|About|Add|Use|Set|Run|Take"
    r"|Only|With|To|Over|Under|Every|Each|Put|Pour|Wait|Allow|Leave|Fill|Press|Hold|Repeat|Up|Bake|Blend|Mix"
    r"|Stir|Cook|Simmer|Boil|Rest)\b)"
    r"(?P<word>[A-Z][\w-]*) $"
)
"""A name whose number follows, such as "Merrin 2"."""

_FINITE = re.compile(r" (?:is|are|was|were|has|have|can|must|may|will|should)\b")
_NO_COUNT = re.compile(r"^(?:times|others|ones|is|was|has|does|goes|this|its|his)$")

_COUNTED_WORDS = (
    "steps places turns points orders stops plans parts tests sets seats notes calls lights"
)
_COUNTED = frozenset(_COUNTED_WORDS.split())
"""Plurals that are verbs as well."""

_FUNCTION_WORDS = (
    r"(?:and|or|to|in|on|at|for|with|from|by|of|into|through|per|an?|the|who|which|that|when|if|as"
    r"|is|are|was|were|has|have|but|so|until|before|after|over|under)\b"
)
_DETERMINER = r"(?:the|an?|your|our|its|their|his|her|my|every|each|any|some|one|another)"
_PLACE = re.compile(
    r"^(?:in|on|under|into|onto|behind|above|below|beneath|inside|near|next to|beside|between"
    r"|in front of|at the)\b"
)
_BY = "(?<!side )(?<!step )(?<!one )by"
_MEANS = re.compile(
    r"by (?:hand|phone|telephone|e-?mail|post|parcel|letter|card|cash|car|tram|train|bus|bike|boat"
    r"|taxi|courier|cheque|bank|transfer|direct|appointment|itself|themselves|machine|air|sea|road"
    r"|pallet|text)\b"
)
PERSON = re.compile(
    r"\b(?:doctor|dentist|nurse|vet|pharmacist|porter|driver|manager|teacher|trainer|coach|agent"
    r"|landlord|tenant|owner|guest|visitor|member|customer|parent|child|children|adult|person|people"
    r"|staff|team|colleague|neighbour|volunteer|guide|guard|warden|assistant|receptionist"
    r"|mother|father|friend|user|administrator|operator|technician|mechanic|engineer|plumber)s?\b"
)
_TIME = re.compile(
    r"\b(?:morning|afternoon|evening|night|day|week|weekend|month|year|winter|summer|spring|autumn"
    r"|minute|hour|second|moment|season|advance|total|way|manner|own|turn|noon|midnight|default|law"
    r"|now|then)s?\b"
)
_NOT_ASKED = re.compile(
    r"^(?:in|at|by|for|on|to|of|with|from) (?:the|an?|any|our|your|its)? ?(?:same|case|fact|end"
    r"|beginning|start|time|least|most|first|last|other|way|rule|part|whole|row|addition|order"
    r"|course|moment|following|next|previous|question|example|reason|help|purpose|sake|use)\b"
)
_NOUN_END = (
    r"(?=$|[,;:!)]|\.(?:\s|$)| (?:and|or|but|to|in|on|at|for|with|from|by|into|under|until|before"
    r"|after|when|while|if|as|so|because|unless|except|although|though|since|provided|instead|rather"
    r"|per|is|are|was|were|has|have|can|may|must|will|should|does|do|that"
    r"|which|who|where|than|straight|once|twice|again|first)\b)"
)
_WORD = r"[\w'\u2019-]+"
_NOUN = rf"(?:{_WORD} ){{0,3}}?{_WORD}(?: of (?:{_WORD} ){{0,2}}?{_WORD})?{_NOUN_END}"


@dataclass(frozen=True)
class AnswerSpan:
    """A part of a sentence, from `start` to `end`, and what asks for it."""

    start: int
    end: int
    words: str
    """Such as "how many degrees", in place of the part."""

    is_adverbial: bool = False
    """Whether the words may also open the question: "with what", "how often", "why"."""


_Words = Callable[[re.Match[str]], str]


def _same(words: str) -> _Words:
    return lambda _: words


def _times(match: re.Match[str]) -> str:
    if not match["to"]:
        return "what time"
    is_range = match[0].startswith("between ") or match["to"].strip() != "and"
    return "between what times" if is_range else "what times"


def _days(match: re.Match[str]) -> str:
    return "on which days" if match["lead"] else "which day"


def _amount(match: re.Match[str]) -> str:
    unit = unit_in_words(f"2 {match['unit']}") or match["unit"]
    return f"how many {unit}{match['of'] or ''}"


def _count(match: re.Match[str]) -> str:
    first, noun = match["noun"].split()[0], match["noun"].split()[-1]
    is_verb = noun not in _COUNTED and (base_form(noun) or base_form(first))
    is_year = re.match(r"(?:19|20)\d\d ", match[0])
    if _NO_COUNT.match(noun) or noun.endswith("ss") or is_verb or is_year:
        return ""
    return f"how many {match['noun']}"


def _which(match: re.Match[str]) -> str:
    which = "Which" if match["the"][:1].isupper() else "which"
    return f"{which} {match['noun']}"


def _when(match: re.Match[str]) -> str:
    before = match.string[: match.start()]
    if re.search(r"\b(?:who|that|which)\b", before) and _FINITE.search(match[0]):
        return ""  # a relative clause: the main verb follows
    return "until when" if match["lead"] == "until" else "when"


def _beside_preposition(match: re.Match[str]) -> str:
    if _NOT_ASKED.match(match[0]):
        return ""
    if match["lead"] == "by" and _MEANS.match(match[0]):
        return "how"
    if match["lead"] in ("by", "to", "with", "from", "at") and PERSON.search(match[0]):
        return "" if match["lead"] in ("by", "at") else f"{match['lead']} whom"
    if _TIME.search(match[0]) or re.match(rf"by (?!{_DETERMINER} |\w+ing\b)", match[0]):
        return ""
    return "where" if _PLACE.match(match[0]) else f"{match['lead']} what"


_VALUES: tuple[tuple[re.Pattern[str], _Words, bool], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w|\b(?:https?://|www\.)\S+\w"), _same("which address"),
     False),
    (re.compile(r"(?<![\w.,])\+?\(?\d[\d()/-]*(?: [\d()/-]+)*[ /-]\d{3,}(?![\w.,]*\w)"),
     _same("which number"), False),
    (re.compile(rf"\b(?:(?:Every|every) (?:{_ONE_NUMBER} |other |second |few )?(?:\w+ )?"
                rf"(?:{_PERIOD}s?|{_DAY})|(?:Every|every) {_ONE_NUMBER} ?(?:km|[a-z]+s)"
                rf"|(?:Once|once|Twice|twice|{_ONE_NUMBER} times) (?:an?|every|per) {_PERIOD}"
                r"|(?:daily|weekly|monthly|yearly|annually)(?=$|[,;.)]| (?:from|between|at)\b))\b"),
     _same("how often"), True),
    (re.compile(rf"{_ABOUT}(?:[\u20ac$\u00a3] ?{_NUMBER}|{_NUMBER} ?(?:\u20ac|(?:euros?|EUR"
                r"|dollars?|USD|pounds?|GBP|francs?|CHF|cents?|pence|p(?!\.m))\b))"),
     _same("how much"), False),
    (re.compile(rf"{_NUMBER} ?(?:%|per ?cent\b)"), _same("what percentage"), False),
    (re.compile(rf"\b(?:from |between )?(?:{_CLOCK})"
                rf"(?:(?P<to> ?(?:to|and|until|-|\u2013) ?)(?:{_CLOCK}))?"),
     _times, False),
    (re.compile(rf"\b(?:on )?{_DAY},? (?:the )?(?:{_DATE})|\bin {_MONTH} \d{{4}}\b"),
     _same("when"), True),
    (re.compile(rf"(?<!first )(?<!second )(?<!third )(?<!last )\b(?P<lead>on |from )?{_DAY}"
                rf"(?: (?:to|and|through|until) {_DAY})?\b"),
     _days, False),
    (re.compile(rf"\b(?:{_DATE})"),
     _same("what date"), False),
    (re.compile(rf"(?P<the>\b(?:The|the|An?|an?|One|one) )(?P<noun>(?:[a-z-]+ )?[a-z-]+)"
                rf" {_CODE}\b"),
     _which, False),
    (re.compile(r"(?<=\bcalled )[A-Z][\w-]*(?: [A-Z\d][\w-]*)*|(?<=\bnamed )[A-Z][\w-]*"
                r"|(?:(?<=shows )|(?<=says )|(?<=reads ))[A-Z]{2,}[\w-]*"), _same("what"), False),
    (re.compile(rf"{_NUMBER} ?(?P<unit>{_ABBREVIATED_UNIT})(?![\w/])"
                rf"(?P<of> of [a-z-]+(?: (?!{_FUNCTION_WORDS})[a-z-]+)?)?"), _amount, False),
    (re.compile(rf"\b{_NUMBER} (?P<unit>{_UNIT})"
                rf"(?P<of> of [a-z-]+(?: (?!{_FUNCTION_WORDS})[a-z-]+)?)"), _amount, False),
    (re.compile(rf"\b{_NUMBER} (?P<noun>(?:(?!{_FUNCTION_WORDS})[a-z-]+ )?"
                r"(?:[a-z-]+s|people|children)(?: (?:Celsius|Fahrenheit))?)\b(?!['\u2019])"),
     _count, False),
    (re.compile(rf"\b{_NUMBER} (?P<noun>{_PERIOD})\b(?!['\u2019])"), _same("how long"), False),
    (re.compile(r"^[A-Z][a-z]+ [A-Z][a-z]+(?= (?:is in charge|is responsible|runs|manages|leads"
                r"|founded|heads|looks after|answers|takes care)\b)"), _same("Who"), False),
)  # fmt: skip
_ADVERBIALS: tuple[tuple[re.Pattern[str], _Words, bool], ...] = (
    (re.compile(r",? (?:because|so that|in order to|since(?= (?:it|they|the|its|their))"
                r"|as(?= (?:it|they|otherwise|its|their)\b)) [^;]+$"), _same(" why"), True),
    (re.compile(r"\b(?P<lead>until|before|after|as soon as|once|when|while) "
                r"(?:(?! unless | except | only )[^,;:])+$"), _when,
     True),
    (re.compile(rf"\b(?P<lead>with|without|in|on|under|into|onto|from|behind|above|below"
                rf"|{_BY}|beneath|inside|near|beside|to|at|through|against) {_DETERMINER} {_NOUN}"),
     _beside_preposition, True),
    (re.compile(rf"\b(?P<lead>with|{_BY}|from) (?!\w+ing\b|(?:us|you|me|them|it|elsewhere|home"
                rf"|here|there)\b)(?=[a-z]){_NOUN}"),
     _beside_preposition, True),
)  # fmt: skip


def answer_spans(text: str) -> list[AnswerSpan]:
    """The parts of a sentence without its full stop: values first, none within another."""
    found = list(_matches(text, _VALUES))
    found += (
        part
        for part in _matches(text, _ADVERBIALS)
        if not any(part.start < other.end and other.start < part.end for other in found)
    )
    return found


def without_values(text: str) -> str:
    """A sentence without its values, as one that looks for them writes it."""
    for part in sorted(_matches(text, _VALUES), key=lambda part: -part.start):
        text = f"{text[: part.start]} {text[part.end :]}"
    return text


def _ends_with_name(text: str) -> bool:
    """Whether a name stands at the end of a text, such as "Merrin" before "2"."""
    match = _OF_A_NAME.search(text)
    return match is not None and match["word"].lower() not in VERBS


def _matches(
    text: str, rules: tuple[tuple[re.Pattern[str], _Words, bool], ...]
) -> Iterator[AnswerSpan]:
    """What the rules find, the first rule first; none overlaps one found before."""
    taken: list[tuple[int, int]] = []
    for pattern, words_of, is_adverbial in rules:
        for match in pattern.finditer(text):
            start, end = match.span()
            is_of_a_name = match[0][0].isdigit() and _ends_with_name(text[:start])
            words = "" if is_of_a_name else words_of(match)
            if words and not any(start < other[1] and other[0] < end for other in taken):
                taken.append((start, end))
                yield AnswerSpan(start, end, words, is_adverbial)
