"""Questions of customers about a fact, each in wordings that differ in words and structure."""

import re
from collections.abc import Sequence
from functools import lru_cache

from ftdist.library.synthesis.column_names import days_within
from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.general_questions import (
    COUNT,
    IN_ANOTHER_LANGUAGE,
    WITHOUT_A_NOUN,
    WITHOUT_A_THING,
    general_forms,
    in_number,
    is_plural_attribute,
    word_forms,
)
from ftdist.library.synthesis.plural_forms import in_plural
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.schedule_facts import schedule_of
from ftdist.library.synthesis.things import singular
from ftdist.library.synthesis.units import unit_in_words
from ftdist.library.synthesis.verb_forms import base_form
from ftdist.library.synthesis.yes_no import yes_no_forms, yes_or_no

MAX_WORDINGS = 16
"""Of one question, the question itself included."""

_ENOUGH = 10
"""Wordings of a listed attribute above which forms of every attribute add none."""

_IN_OTHER_WORDS = 4
"""Wordings at least that call an attribute as people do, if the lexicon knows such words."""

_QUANTITY = re.compile(
    r"^(?:(?:about|approx\.?|approximately|ca\.?|up to|max\.?|from|over|under|at least|at most|"
    r"around|roughly|only|[~\u2248<>\u2264\u2265\u00b1+-])\s*)?[$\u20ac\u00a3\u00a5]?\s?[+-]?\d",
    re.IGNORECASE,
)
_NUMBER_WORDS = re.compile(
    r"^(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half an?|an?)\s+[a-z]+s?$",
    re.IGNORECASE,
)
_PROPER = re.compile(r"Bluetooth$|Ethernet$|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")
_NUMBER = re.compile(r"^\d[\d.,]*$")
_LIMIT = re.compile(r"\([a-z][a-z -]{3,}\)$")
"""What an attribute is limited to: "(without battery)"."""

_DIRECT = re.compile(
    r"(?:What|How|Which|Where|When)\b[^.?{]*(?:\{(?:a|units)\}[^.?{]*)?\{x\}[^.?{]*\?"
)
_AS_SUBJECT = re.compile(r"\b(?:is|does|can|will|may) \{x\}")
_NO_NOUN = re.compile(
    r"^(?:included|includes|supplied|comes|compatible|fits|suitable|works|requires|contains|made|"
    r"written|published|released|founded|established|built|launched|opened|since|starts|begins|"
    r"ends|open|available|delivered|keeps|sleeps|operated|powered|produced|manufactured|in stock|"
    r"serves|goes|pairs|hosted|depends|replaced|apply|submit|approved|authori[sz]ed|how|who|"
    r"eligible|entitled|toxic|poisonous|hardy|due$|notes?$|remarks?$|comments?$|for|with|what|"
    r"heat resistant|from|until|up|lasts|"
    r"(?:min|max)\.?$)(?![\w-])(?!\s(?:date|year|time))",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def fact_pair(fact: Fact, *, is_english: bool) -> QAPair:
    """A question about a fact in several wordings, with an answer that holds the value.

    A document in another language than English gets forms without grammar, in its own words.
    """
    is_yes = yes_or_no(fact.value)
    fill: dict[str, str] = {}
    forms: Sequence[str]
    if not is_english:
        forms, answer = IN_ANOTHER_LANGUAGE, "{n}, {A}: {v}"
    elif not fact.thing.name:
        name = said_attribute(fact.attribute)
        forms = [in_number(form, name) for form in WITHOUT_A_THING]
        answer = _general_answer(fact)
    elif is_yes is not None:
        forms, answer, fill = yes_no_forms(said_attribute(fact.attribute), is_yes=is_yes)
        if remark := fact.value.partition(",")[2].strip():
            answer, fill = f"{answer[:-1]}, {{remark}}.", fill | {"remark": remark}
    elif schedule := schedule_of(said_attribute(fact.attribute), fact.value):
        forms, answer, fill = schedule
    elif _is_count(fact):
        forms = (*_own_forms(fact), *COUNT)
        answer = "{X} has {v} {one}." if fact.value == "1" else "{X} has {v} {a}."
    else:
        forms, answer = _forms(fact), _own_answer(fact) or _general_answer(fact)
    if days := days_within(fact.attribute):
        forms = [_of_days(form, days, at) for at, form in enumerate(forms)]
        answer = answer.replace("On {A}", "From {A}")
    unique: dict[str, str] = {}
    for at, form in enumerate(forms):
        text = _filled(fact, form, at, fill)
        unique.setdefault(text.casefold().rstrip("?"), text)
    question, *wordings = unique.values()
    return QAPair(
        question=question,
        answer=_sentence(_filled(fact, _with_remark(answer), 0, fill)),
        made_by=fact.made_by,
        section=fact.section,
        page=fact.page,
        value=fact.value if is_yes is None else ("Yes" if is_yes else "No"),
        evidence=fact.evidence,
        wordings=tuple(wordings[: MAX_WORDINGS - 1]),
    )


def _with_remark(answer: str) -> str:
    """An answer with what the document adds to the name of its thing."""
    return re.sub(r"\{([xXn])\}", r"{\1}{remark_of_x}", answer, count=1)


def _of_days(form: str, days: Sequence[str], at: int) -> str:
    """A form for several days: for one of them, or from the first to the last."""
    if at % 2 == 0:
        return form.replace("{A}", days[(at // 2) % len(days)])
    return form.replace("on {A}", "from {A}")


def direct_questions(fact: Fact) -> list[str]:
    """Questions of one sentence for a fact whose attribute is a noun, the most natural first."""
    return [_filled(fact, form, 0, {}) for form in _direct_forms(fact)]


def pronoun_questions(fact: Fact) -> list[str]:
    """The same after the thing was named: "how heavy is it?"; begins in lower case."""
    forms = [form for form in _direct_forms(fact) if _AS_SUBJECT.search(form)]
    are = (
        "are"
        if is_plural_attribute(said_attribute(fact.attribute)) and not _is_count(fact)
        else "is"
    )
    forms = forms or [f"What {are} its {{a}}?"]
    texts = [_filled(fact, form.replace("{x}", "it"), 0, {}) for form in forms]
    return [text[0].lower() + text[1:] for text in texts]


def named_attribute(fact: Fact) -> str:
    """The attribute as a noun after "the": "weight", "number of gears"."""
    name = said_attribute(fact.attribute)
    return f"number of {name.removeprefix('number of ')}" if _is_count(fact) else name


def fact_value(fact: Fact) -> str:
    """The value with its unit, without a full stop."""
    value = f"{fact.value} {fact.unit}".strip()
    is_ended = value.endswith(".") and not re.search(r"\.\.$|\b[ap]\.m\.$", value)
    return value[:-1] if is_ended else value


@lru_cache(maxsize=4096)
def said_attribute(name: str) -> str:
    """An attribute within a sentence: "battery life" for "Battery Life", but "IP rating"."""
    words = re.sub(r"^(max|min)(?:\.|(?= ))", r"\1imum", name, flags=re.IGNORECASE).split()
    is_title = all(word[:1].isupper() or not word[:1].isalpha() for word in words)
    count = len(words) if is_title and len(words) > 1 else 1
    return " ".join([*map(_lower, words[:count]), *words[count:]])


def is_quantity(value: str) -> bool:
    """Whether a value is a number, usually with a unit."""
    return bool(_QUANTITY.match(value) or _NUMBER_WORDS.match(value))


def is_noun(attribute: str) -> bool:
    """Whether the name of an attribute reads like a noun, unlike "Included" or "Works with"."""
    ends_open = re.search(
        r"\b(?:with|for|by|in|to|from|up to|on|at|after)$", attribute, re.IGNORECASE
    )
    return not _NO_NOUN.match(attribute) and not ends_open


def _lower(word: str) -> str:
    is_name = word[1:] != word[1:].lower() or len(word) == 1 or _PROPER.match(word)
    return word if is_name or any(map(str.isdigit, word)) else word.lower()


def _forms(fact: Fact) -> Sequence[str]:
    """The attribute's own forms that suit the value, then those of every attribute."""
    own = _own_forms(fact)
    if not is_noun(fact.attribute):
        is_open = re.search(r"\b(?:with|for|by|in|to|from|on|at)$", fact.attribute, re.IGNORECASE)
        general = [form for form in WITHOUT_A_NOUN if is_open or " what?" not in form]
        return (*own, *general)[: max(len(own), len(WITHOUT_A_NOUN))]
    name, value = said_attribute(fact.attribute), fact_value(fact)
    in_words = [] if fact.is_one_of_several else word_forms(fact.known.words, attribute=name)
    own = [*own[: MAX_WORDINGS - len(in_words[:_IN_OTHER_WORDS])], *in_words]
    known = {form.replace("{a}", name).casefold() for form in own}
    general = [
        form
        for form in general_forms(name, value, units=unit_in_words(value))
        if form.replace("{a}", name).casefold() not in known
    ]
    return [*own, *general[: max(0, _ENOUGH - len(own)) if own else None]]


def _own_forms(fact: Fact) -> list[str]:
    """The attribute's own forms that suit the value and ask for no other fact of the thing."""
    has_noun, units = is_noun(fact.attribute), unit_in_words(fact_value(fact))
    return [
        in_number(form, said_attribute(fact.attribute))
        for form in fact.known.questions
        if (units or "{units}" not in form)
        and (has_noun or "{a}" not in form)
        and (not fact.is_one_of_several or re.search(r"\{[aA]\}", form))
    ]


def _direct_forms(fact: Fact) -> list[str]:
    forms = COUNT if _is_count(fact) else _own_forms(fact)
    general = in_number("What is the {a} of {x}?", said_attribute(fact.attribute))
    return [form for form in forms if _DIRECT.fullmatch(form)] or [general]


def _is_count(fact: Fact) -> bool:
    return (
        bool(_NUMBER.match(fact.value))
        and not fact.unit
        and not fact.known.answers
        and (is_plural_attribute(fact.attribute) or fact.attribute.lower().startswith("number of "))
    )


def _own_answer(fact: Fact) -> str:
    """The attribute's own sentence, if it suits the value and fits no other fact of the thing."""
    for form in fact.known.answers[:1]:
        is_amount = not fact.known.quantity or is_quantity(fact_value(fact))
        if is_amount and (not fact.is_one_of_several or re.search(r"\{[aA]\}", form)):
            limit = _LIMIT.search(fact.attribute)
            return f"{form[:-1]} {limit[0]}." if limit and "{a}" not in form else form
    return ""


def _general_answer(fact: Fact) -> str:
    value = fact_value(fact)
    is_long = len(value.split()) > 12 or re.search(r"[.:;!?](?:\s|$)", value)
    if is_long or (value[:1].isupper() and len(value.split()) > 4):
        return "{X}, {a}: {v}" if fact.thing.name else "{A}: {v}"
    if not is_noun(fact.attribute):
        return "{X}, {a}: {v}" if fact.thing.name else "{A}: {v}"
    are = "are" if is_plural_attribute(said_attribute(fact.attribute)) else "is"
    if is_third_person(value):
        return "The {a} of {x} {v}." if fact.thing.name else "The {a} {v}."
    if not fact.thing.name:
        return f"The {{a}} {are} {{v}}."
    return f"The {{a}} of {{x}} {are} {{v}}."


def is_third_person(value: str) -> bool:
    """Whether a value is what something does, such as "turns by 180 degrees"."""
    first, _, rest = value.partition(" ")
    return bool(rest) and first.islower() and first.endswith("s") and bool(base_form(first))


def _filled(fact: Fact, form: str, number: int, more: dict[str, str]) -> str:
    """A form with its places filled; the names of the thing take turns."""
    thing = fact.thing
    at = number % len(thing.names) if number else 0
    name, bare = thing.names[at], thing.bare_names[at]
    attribute = said_attribute(fact.attribute)
    if _is_count(fact):
        attribute = attribute.removeprefix("number of ")
    places = {
        "x": name,
        "X": name[:1].upper() + name[1:],
        "remark_of_x": f" ({thing.remark})" if thing.remark else "",
        "n": bare.lower() if number % 2 and form.startswith("{n} ") else bare,
        "a": attribute,
        "A": fact.attribute,
        "one": singular(attribute),
        "units": unit_in_words(fact_value(fact)),
        "v": fact_value(fact),
        "s": "" if thing.is_plural else "s",
        "do": "do" if thing.is_plural else "does",
    }
    form = in_plural(form) if thing.is_plural else form
    return form.format(**places | more)


def _sentence(text: str) -> str:
    text = text[0].upper() + re.sub(r"(?<=[ap]\.m\.)\.$", "", text[1:])
    return text if text.endswith((".", "!", "?")) else f"{text}."
