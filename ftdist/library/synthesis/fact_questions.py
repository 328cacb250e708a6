"""Questions of customers about a fact, each in wordings that differ in words and structure."""

import re
from collections.abc import Sequence

from ftdist.library.synthesis.facts import Fact
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.things import singular
from ftdist.library.synthesis.units import unit_in_words
from ftdist.library.synthesis.verb_forms import base_form
from ftdist.library.synthesis.yes_no import yes_no_forms, yes_or_no

MAX_WORDINGS = 12
"""Of one question, the question itself included."""

_GENERAL = (
    "What is the {a} of {x}?",
    "{n} {a}",
    "What {a} does {x} have?",
    "A question about {x}: what is the {a}?",
    "Can you tell me the {a} of {x}?",
    "For {x}, what is the {a}?",
    "{a} of {n}?",
    "I would like to know the {a} of {x}.",
    "{X}: what {a}?",
    "Do you know the {a} of {x}?",
)
_IN_UNITS = "What is the {a} of {x} in {units}?"
_WITHOUT_A_NOUN = ("{n} {a}?", "{X}: {a} what?", "{n} {a}", "About {x}: {a}?", "{a}: {n}?")
_WITHOUT_A_THING = (
    "What is the {a}?",
    "Can you tell me the {a}?",
    "{a}",
    "I would like to know the {a}.",
    "Do you know the {a}?",
    "A question: what is the {a}?",
)
_COUNT = (
    "How many {a} does {x} have?",
    "What is the number of {a} of {x}?",
    "{n} how many {a}",
    "A question about {x}: how many {a} are there?",
    "Can you tell me how many {a} {x} has?",
    "For {x}, what is the number of {a}?",
    "How many {a} are there with {x}?",
    "{X}: how many {a}?",
)
_NEUTRAL = ("{n}: {A}?", "{A} {n}?", "{n} {A}", "{A}, {n}?", "{n}, {A}?", "{A} \u2013 {n}?")
_QUANTITY = re.compile(
    r"^(?:(?:about|approx\.?|approximately|ca\.?|up to|max\.?|from|over|under|at least|at most|"
    r"around|roughly|only|[~\u2248<>\u2264\u2265\u00b1+-])\s*)?[$\u20ac\u00a3\u00a5]?\s?[+-]?\d",
    re.IGNORECASE,
)
_NUMBER_WORDS = re.compile(
    r"^(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half an?|an?)\s+[a-z]+s?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^\d[\d.,]*$")
_ONE = ("ss", "us", "is", "ics", "lens", "gas", "canvas", "atlas", "bias")
_NO_NOUN = re.compile(
    r"^(?:included|includes|supplied|comes|compatible|fits|suitable|works|requires|contains|made|"
    r"written|published|released|founded|established|built|launched|opened|since|starts|begins|"
    r"ends|open|available|delivered|keeps|sleeps|operated|powered|produced|manufactured|in stock|"
    r"notes?$|remarks?$|comments?$|for|with|what|heat resistant|from|until|up|"
    r"(?:min|max)\.?$)(?![\w-])(?!\s(?:date|year|time))",
    re.IGNORECASE,
)


def fact_pair(fact: Fact, *, is_english: bool) -> QAPair:
    """A question about a fact in several wordings, with an answer that holds the value.

    A document in another language than English gets forms without grammar, in its own words.
    """
    attribute = fact.known
    value = fact_value(fact)
    is_yes = yes_or_no(fact.value)
    fill: dict[str, str] = {}
    forms: Sequence[str]
    if not is_english:
        forms, answer = _NEUTRAL, "{n}, {A}: {v}"
    elif not fact.thing.name:
        forms, answer = _in_number(fact, _WITHOUT_A_THING), _general_answer(fact)
    elif is_yes is not None:
        forms, answer, fill = yes_no_forms(said_attribute(fact.attribute), is_yes=is_yes)
        if remark := fact.value.partition(",")[2].strip():
            answer, fill = f"{answer[:-1]}, {{remark}}.", fill | {"remark": remark}
    elif _is_count(fact):
        forms, answer = _COUNT, "{X} has {v} {one}." if fact.value == "1" else "{X} has {v} {a}."
    else:
        forms, answer = _forms(fact), ""
        if attribute.answers and (not attribute.quantity or is_quantity(value)):
            answer = attribute.answers[0]
        answer = answer or _general_answer(fact)
    unique: dict[str, str] = {}
    for at, form in enumerate(forms):
        text = _filled(fact, form, at, fill)
        unique.setdefault(text.casefold().rstrip("?"), text)
    question, *wordings = unique.values()
    return QAPair(
        question=question,
        answer=_sentence(_filled(fact, answer, 0, fill)),
        made_by=fact.made_by,
        section=fact.section,
        page=fact.page,
        value=fact.value if is_yes is None else ("Yes" if is_yes else "No"),
        evidence=fact.evidence,
        wordings=tuple(wordings[: MAX_WORDINGS - 1]),
    )


def fact_value(fact: Fact) -> str:
    """The value with its unit, without a full stop."""
    value = f"{fact.value} {fact.unit}".strip()
    return value[:-1] if value.endswith(".") and not value.endswith("..") else value


def said_attribute(name: str) -> str:
    """An attribute within a sentence: "battery life" for "Battery Life", but "IP rating"."""
    words = name.split()
    is_title = all(word[:1].isupper() or not word[:1].isalpha() for word in words)
    count = len(words) if is_title and len(words) > 1 else 1
    return " ".join([*map(_lower, words[:count]), *words[count:]])


def is_quantity(value: str) -> bool:
    """Whether a value is a number, usually with a unit."""
    return bool(_QUANTITY.match(value) or _NUMBER_WORDS.match(value))


def is_noun(attribute: str) -> bool:
    """Whether the name of an attribute reads like a noun, unlike "Included" or "Works with"."""
    ends_open = re.search(r"\b(?:with|for|by|in|to|from|up to|on|at)$", attribute, re.IGNORECASE)
    return not _NO_NOUN.match(attribute) and not ends_open


def _lower(word: str) -> str:
    is_name = word[1:] != word[1:].lower() or len(word) == 1 or word in ("Bluetooth", "Ethernet")
    return word if is_name or any(map(str.isdigit, word)) else word.lower()


def _forms(fact: Fact) -> Sequence[str]:
    """The attribute's own forms that suit the value, then those of every attribute."""
    has_noun = is_noun(fact.attribute)
    units = unit_in_words(fact_value(fact))
    own = [
        form
        for form in fact.known.questions
        if (units or "{units}" not in form) and (has_noun or "{a}" not in form)
    ]
    if not has_noun:
        return (*own, *_WITHOUT_A_NOUN)[: max(len(own), len(_WITHOUT_A_NOUN))]
    in_units = (_IN_UNITS,) if units else ()
    general = _in_number(fact, (*_GENERAL[:3], *in_units, *_GENERAL[3:]))
    return (*own, *general)[:MAX_WORDINGS]


def _in_number(fact: Fact, forms: Sequence[str]) -> tuple[str, ...]:
    """Forms whose verb agrees with the attribute."""
    if not _is_plural(said_attribute(fact.attribute)):
        return tuple(forms)
    return tuple(re.sub(r"\b([Ww]hat) is the \{a\}", r"\1 are the {a}", form) for form in forms)


def _is_count(fact: Fact) -> bool:
    return (
        bool(_NUMBER.match(fact.value))
        and not fact.unit
        and not fact.known.questions
        and (_is_plural(fact.attribute) or fact.attribute.lower().startswith("number of "))
    )


def _is_plural(attribute: str) -> bool:
    head = re.split(r"\s+(?:in|for|with|of|on|per|to|at|from)\s+", attribute)[0]
    return head.endswith("s") and not head.casefold().endswith(_ONE)


def _general_answer(fact: Fact) -> str:
    value = fact_value(fact)
    is_long = len(value.split()) > 12 or re.search(r"[.:;!?](?:\s|$)", value)
    if is_long or (value[:1].isupper() and len(value.split()) > 4):
        return "{X}, {a}: {v}" if fact.thing.name else "{A}: {v}"
    if not is_noun(fact.attribute):
        return "{X}, {a}: {v}" if fact.thing.name else "{A}: {v}"
    are = "are" if _is_plural(said_attribute(fact.attribute)) else "is"
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
        "n": bare.lower() if number % 2 and form.startswith("{n} ") else bare,
        "a": attribute,
        "A": fact.attribute,
        "one": singular(attribute),
        "units": unit_in_words(fact_value(fact)),
        "v": fact_value(fact),
        "s": "" if thing.is_plural else "s",
    }
    form = in_plural(form) if thing.is_plural else form
    return form.format(**places | more)


def in_plural(form: str) -> str:
    """A form whose verbs and pronouns agree with a thing in the plural."""
    form = re.sub(r"\b([Ii])s (?=\{[xX]\}|it\b)", lambda m: "Are " if m[1] == "I" else "are ", form)
    form = re.sub(r"\b([Dd])oes (?=\{[xX]\}|it\b)", lambda m: f"{m[1]}o ", form)
    form = re.sub(r"(?<!of )(\{[xX]\}|\bit) is\b", r"\1 are", form)
    form = re.sub(r"(\{[xX]\}|\bit) (?:has)\b", r"\1 have", form)
    form = re.sub(r"(\{[xX]\}|\bit) was\b", r"\1 were", form)
    form = re.sub(r"\bwas (?=\{x\})", "were ", form)
    form = re.sub(r"\bits\b", "their", form)
    form = re.sub(r"(?<=are )it\b|(?<=do )it\b|\bit(?= (?:are|have|were|last|still))", "they", form)
    return re.sub(r"\bit\b", "them", form)


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
