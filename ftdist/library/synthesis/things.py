"""The things that documents tell facts of, as people name them: "the Marlow 20"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ftdist.library.schema import Document
from ftdist.library.synthesis.prose import Prose, prose_of
from ftdist.library.synthesis.subject import without_kind_of_document
from ftdist.library.synthesis.units import unit_in_words

_HAS_DIGIT = re.compile(r"\d")
_CODE = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[\w./-]{3,}$")
NAMES_SEVERAL = re.compile(r"\b(?:and|or|for|how|about|our|your)\b|&")
_CODE_LIKE = re.compile(r"[_=<>/\\{}$]|^--?\w|\w\.\w|\w\(")
_BRACKETS = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")
_ARTICLE = re.compile(r"^(?:the|our|your|this)\s+", re.IGNORECASE)
_IS_A = r"{name}\s+(?:is|are)\s+(?:an?|our|the|your)\s+(?P<kind>[a-z][a-z -]*[a-z])"
_KIND_ENDS = re.compile(
    r"\b(?:for|with|that|of|which|to|in|from|on|and|by|made|at|who|when|as|designed|without|used)\b"
)
_MAX_KIND_WORDS = 3
_MAX_NAME_WORDS = 7
NOUN_AFTER_A_NAME = re.compile(
    r"^(?:plan|tier|edition|package|tariff|subscription|room|suite|course|class|workshop|tour|trip|"
    r"version|office|branch|department|store|museum|library|line|route|connector|membership|pass|"
    r"ticket|programme|program|menu)$"
)
"""What is no product, though it has a price."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_SEASON = re.compile(
    rf"{_MONTH}(?: ?[\u2013-] ?| to | and ){_MONTH}|(?:spring|summer|autumn|winter)(?: season)?"
    r"|(?:low|high|main|peak|off)[ -]season",
    re.IGNORECASE,
)
"""A column of a table that names no thing, but when its cells hold."""

_PEOPLE = re.compile(
    r"adult|child|student|senior|pensioner|family|group|member|guest|concession|reduced|standard",
    re.IGNORECASE,
)
PLACES = re.compile(
    r"\b(?:hotel|hostel|inn|restaurant|caf\u00e9|cafe|museum|gallery|campsite|camping|clinic|"
    r"hospital|school|library|gym|spa|pool|theatre|cinema|shop|store|bakery|farm|club|centre"
    r"|sauna|reception|box office|workshop|car park|playground)\b",
    re.IGNORECASE,
)
_NAMES_OF_ALL = re.compile(
    r"^(?:products?|items?|names?|models?|articles?|types?|devices?|title|thing|features?|property|"
    r"parts?|description|options?|settings?|parameters?|variants?|)$",
    re.IGNORECASE,
)
_CONTAINER = re.compile(
    r"^(?:set|pair|kit|type|kind|line|range|family|series|piece|sort|brand)s? of (?P<what>.+)$"
)
_WORD_OR_NUMBER = re.compile(r"^(?:[a-z][a-z-]*,?|\d+)$")
_NO_PLURALS = ("ss", "us", "is", "'s", "ics", "ens", "ings")


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that has a name and facts."""

    name: str
    """As people call it, without an article, such as "Marlow 20"."""

    other_names: tuple[str, ...] = ()
    """Longer and shorter ones, such as "Tarnwell Marlow 20"."""

    kind: str = ""
    """What it is, in lower case and the singular, such as "dehumidifier"; "": unknown."""

    has_article: bool = False
    is_plural: bool = False
    remark: str = ""
    """What a table adds to its name in brackets: "aged 5 to 15"; answers repeat it."""

    whole: str = ""
    """What it is a part of, with its article, such as "the T-7"; "": nothing that is known."""

    @property
    def bare_names(self) -> tuple[str, ...]:
        """The names without an article, the usual one first."""
        whole = _ARTICLE.sub("", self.whole)
        names = (self.name, *self.other_names)
        return tuple(f"{whole} {name}" for name in names) if whole else names

    def is_named_in(self, text: str) -> bool:
        """Whether a text names it."""
        return any(name.casefold() in text.casefold() for name in self.bare_names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names as they stand within a sentence, the usual one first."""
        article = "the " if self.has_article else ""
        of = f" of {self.whole}" if self.whole else ""
        return tuple(f"{article}{name}{of}" for name in (self.name, *self.other_names))


NO_THING = Thing(name="")
"""Of facts whose document does not say what they belong to."""

_DAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")
_NO_ARTICLE = re.compile(
    r"(?:Own|Under|Over|Up to|From|Between|Outside|Within|Without|Until|Before|After|Other) [a-z\d]"
    r"|[A-Z][a-z]+ing (?:for|an?|the|your|house|home|to|with|at|in|on|from)\b"
    rf"|{_DAY.pattern}|[A-Z][a-z]+(?: [a-z]+)*, [a-z]"
)
"""Names of rows that are no nouns: "Own car", "Moving house", "Neutering, female cat"."""


def thing_of_document(document: Document, *, is_sold: bool = True) -> Thing | None:
    """The thing that a document's title names; None if it names none."""
    title = re.split(r"\s+[|\u2013\u2014]\s+|\s+-\s+", without_kind_of_document(document.title))[0]
    if NAMES_SEVERAL.search(title):
        return None
    return named_thing(title, document=document, is_sold=is_sold)


def named_thing(name: str, *, document: Document, is_sold: bool, noun: str = "") -> Thing | None:
    """A thing of that name, with what the document's prose tells of it; None: it is no name.

    Args:
        name: as a title, a heading or a cell has it.
        document: whose prose shows how the thing is called for short, and what it is.
        is_sold: whether it is a thing that is made or sold, such as a pump.
        noun: heading of the column of names, such as "Plan".
    """
    name = _ARTICLE.sub("", " ".join(_BRACKETS.sub("", name).split())).rstrip(".:,;")
    is_long = len(name.split()) > _MAX_NAME_WORDS
    is_season = _SEASON.fullmatch(name)
    if not name or is_long or is_season or not any(map(str.isalpha, name)) or "?" in name:
        return None
    prose = prose_of(document)
    if _CODE_LIKE.search(name) or (len(name.split()) == 1 and name.islower()):
        return Thing(name=name)
    if _NO_ARTICLE.match(name) and not NOUN_AFTER_A_NAME.match(singular(noun.casefold())):
        return _without_article(name)
    short = _short_name(name, prose=prose)
    usual = short or name
    kind, is_plural = _kind(usual, text=prose.about(usual))
    before_code, kind_in_name = _split_at_code(name)
    kind = kind or kind_in_name
    others = [name if short else "", "" if short else before_code, *_codes(name)]
    word = "" if _NAMES_OF_ALL.match(noun) else singular(noun.casefold())
    if PLACES.fullmatch(usual) and noun in ("hours", "times"):
        usual, has_article = usual.lower(), True
    elif NOUN_AFTER_A_NAME.match(word) and not _is_kind_in(name, word):
        is_plain = is_common_noun(usual) or _PEOPLE.fullmatch(usual)
        usual = f"{usual[0].lower()}{usual[1:]}" if is_plain else usual
        others, usual, kind = [], f"{usual} {word}", kind or word
        has_article = True
    else:
        has_article = _has_article(usual, text=prose.about(usual), is_sold=is_sold)
        word_of_kind = kind.split()[-1] if kind else ""
        if has_article and word_of_kind and word_of_kind not in name.casefold():
            others.append(f"{usual} {word_of_kind}")
        if _is_description(usual, prose=prose):
            usual, has_article = f"{usual[0].lower()}{usual[1:]}", True
    others = [each for each in dict.fromkeys(others) if each and each != usual]
    kind = kind or (word if word.isalpha() else "")
    return Thing(
        name=usual,
        other_names=tuple(others),
        kind=kind,
        has_article=has_article,
        is_plural=is_plural or _looks_plural(usual),
    )


def _without_article(name: str) -> Thing:
    """A thing whose name is no noun: "Own car", "Moving house"."""
    is_name = _DAY.match(name) or name.split()[0][1:] != name.split()[0][1:].lower()
    return Thing(name=name if is_name else f"{name[0].lower()}{name[1:]}")


def _is_kind_in(name: str, word: str) -> bool:
    """Whether a name has its kind in it: "Spin class"."""
    words = name.split()
    return word in name.casefold().split() or bool(NOUN_AFTER_A_NAME.match(words[-1]))


def without_brackets(name: str) -> str:
    """A name without what stands in brackets at its end."""
    return _BRACKETS.sub("", name)


def bracketed(name: str) -> str:
    """What stands in brackets at the end of a name; "" if there are none."""
    match = _BRACKETS.search(name)
    return match[0].strip(" ()[]") if match else ""


def part(name: str, *, whole: Thing | None) -> Thing:
    """A part of a thing, such as the motor of the T-7; None: of which one is unknown."""
    words = name.split()
    is_common = all(word[1:] == word[1:].lower() for word in words)
    noun = name[0].lower() + name[1:] if is_common else name
    return Thing(
        name=noun,
        has_article=True,
        is_plural=_looks_plural(name),
        whole=whole.names[0] if whole else "",
    )


def singular(noun: str) -> str:
    """A noun in the plural as one in the singular, by its ending."""
    if noun.endswith("ies") and len(noun) > 4:
        return f"{noun[:-3]}y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    is_plural = noun.endswith("s") and not noun.endswith(_NO_PLURALS)
    return noun[:-1] if is_plural else noun


def is_common_noun(name: str) -> bool:
    """Whether a name reads like a common noun, such as "Filter basket", not like "Marlow 20"."""
    others = name.split()[1:]
    return bool(others) and all(word.islower() and word.isalpha() for word in others)


def _is_description(name: str, *, prose: Prose) -> bool:
    """Whether a name only describes something, such as "Rowing boat" in a list of prices."""
    first, *others = name.split()
    if not others or others[0] in ("to", "for", "from", "with", "within", "in", "at"):
        return first[1:].islower() and prose.cased(first) == first.lower()
    text = prose.about(name)
    is_common = bool(others) and first[1:].islower() and others[0].isalpha()
    is_common = is_common and all(map(_WORD_OR_NUMBER.match, others))
    return is_common and not re.search(rf"[a-z,] {re.escape(name)}\b", text)


def _short_name(name: str, *, prose: Prose) -> str:
    """The shorter form of a name that the prose uses; "": none."""
    words = name.split()
    for size in range(len(words) - 1, 0, -1):
        for start in range(len(words) - size, -1, -1):
            part_of = " ".join(words[start : start + size])
            is_name = any(map(_HAS_DIGIT.search, part_of.split())) or size > 1
            is_end = start + size == len(words)
            if is_name and prose.has_the(part_of, without=name, as_written=not is_end):
                return part_of
    return ""


def _kind(name: str, *, text: str) -> tuple[str, bool]:
    """What the prose says that a thing is, and whether its name is a plural."""
    match = re.search(_IS_A.format(name=re.escape(name)), text)
    if not match:
        return "", bool(re.search(rf"{re.escape(name)} are\b", text))
    description = match["kind"]
    if container := _CONTAINER.match(description):
        description = container["what"]
    words = _KIND_ENDS.split(description)[0].split()
    is_plural = match[0][len(name) :].split()[0] == "are"
    return singular(" ".join(words[-_MAX_KIND_WORDS:])), is_plural


def _split_at_code(name: str) -> tuple[str, str]:
    """A name up to its number, and the common noun behind it: "Aquila 200", "garden pump"."""
    words = name.split()
    number = next((at for at, word in enumerate(words) if _HAS_DIGIT.search(word)), None)
    if number is None or number + 1 == len(words):
        return "", ""
    before = " ".join(words[: number + 1]).rstrip(",;")
    behind = words[number + 1 :]
    is_noun = all(word.isalpha() for word in behind) and len(behind) <= _MAX_KIND_WORDS
    is_noun &= not unit_in_words(f"1 {behind[-1]}")
    return (before if number else ""), " ".join(behind).lower() if is_noun else ""


def _codes(name: str) -> Sequence[str]:
    """Codes in a longer name that stand for it, such as BK-17."""
    words = name.split()
    codes = [word for word in words if _CODE.match(word)]
    return codes if len(codes) == 1 and len(words) > 1 else ()


def _has_article(name: str, *, text: str, is_sold: bool) -> bool:
    with_article = len(re.findall(rf"\b[Tt]he {re.escape(name)}\b", text))
    mentions = len(re.findall(rf"\b{re.escape(name)}\b", text))
    if mentions:
        return with_article * 2 >= mentions
    if re.match(r"(?:[A-Z]\w+ )?[A-Z]\w+['\u2019]s [A-Z]|\w+ ['\u2018][A-Z]", name):
        return False  # "Grandma Ilse's Plum Cake", "Lavender 'Hidcote Blue'"
    is_common = is_common_noun(name) or name.split()[-1].islower()
    return is_sold or is_common or bool(_HAS_DIGIT.search(name))


def _looks_plural(name: str) -> bool:
    last = re.split(r" (?:of|for|with|in|on|at|from|to) ", name)[0].split()[-1].casefold()
    return (
        last.isalpha() and len(last) > 3 and last.endswith("s") and not last.endswith(_NO_PLURALS)
    )
