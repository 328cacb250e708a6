"""Rules that put a question in other words: a pattern, and the forms that it may take.

A form is used only if the question gives all its slots, so that a form which needs the gerund is
left out where the verb is not known.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ftdist.library.synthesis.verb_forms import (
    VERBS,
    VerbPhrase,
    conjugated,
    is_plural,
    split_subject,
)

Slots = Mapping[str, str]

TAIL = (
    r"(?P<t>,? (?:if|when|while|after|before|unless|once|until|because|during|without|since)"
    r" [^?]+?)?"
)
"""A condition at the end, which stays there."""

PERIODS = "seconds|minutes|hours|days|nights|weeks|months|years"
UNITS = (
    r"(?:(?:milli|centi|kilo)?(?:grams?|litres?|liters?|metres?|meters?)|degrees|euros|pounds"
    rf"|dollars|per cent|percent|cups|spoons|tablespoons|teaspoons|drops|pieces|slices|{PERIODS})"
)
"""What amounts are counted in."""


@dataclass(frozen=True)
class Rule:
    """Questions of one construction.

    Attributes:
        pattern: of the whole question, without its mark.
        forms: other constructions; one that begins with "~" is typed into a search box.
        derive: more slots from those of the pattern; None: the rule does not fit.
    """

    pattern: re.Pattern[str]
    forms: tuple[str, ...]
    derive: Callable[[Slots], Slots | None] = dict

    def apply(self, question: str) -> list[str] | None:
        """The other forms of a question; None: the rule does not fit."""
        match = self.pattern.match(question)
        if not match:
            return None
        given = {name: text.strip() for name, text in match.groupdict().items() if text}
        slots = self.derive(given)
        if slots is None:
            return None
        tail = slots.get("t", "")
        space = "" if not tail or tail.startswith(",") else " "
        return list(_filled(self.forms, {**slots, "t": f"{space}{tail}"}))


_OPTIONAL = frozenset(("t", "on", "gap", "rest", "modal"))


def _filled(forms: tuple[str, ...], slots: Slots) -> Iterator[str]:
    for form in forms:
        needed = set(re.findall(r"\{(\w+)\}", form))
        if all(name in slots and (slots[name] or name in _OPTIONAL) for name in needed):
            text = " ".join(form.lstrip("~").format(**slots).split())
            text = re.sub(r" (?=[?:,.](?:\s|$))", "", text)
            if form.startswith("~"):
                text = _ARTICLES.sub("", text)
            yield text if form.startswith("~") else sentence_case(text)


def rule(pattern: str, *forms: str, derive: Callable[[Slots], Slots | None] = dict) -> Rule:
    """A rule for questions of a pattern."""
    return Rule(re.compile(rf"^{pattern}$", re.IGNORECASE | re.DOTALL), forms, derive)


def sentence_case(text: str) -> str:
    """A text that begins with a capital, unless it begins with a name such as upsmon."""
    first = text.split(" ", 1)[0]
    is_common = first.endswith("ing") or first.rstrip(",:;?").lower() in _OPENINGS
    return text[0].upper() + text[1:] if is_common else text


_ARTICLES = re.compile(r"\b(?:the|an?|my|your) ", re.IGNORECASE)
_OPENING_WORDS = """
the a an my your our his her its this that these those i you we they it if when after before
in on at for with what why how where who which is are do does can may must should there steps
procedure reason to by while unless once until during without within under into through over from
about against upon"""
_OPENINGS = frozenset(_OPENING_WORDS.split())


def inner(text: str) -> str:
    """A sentence as it stands within another one: "The pump" as "the pump"."""
    first = text.split(" ", 1)[0]
    return text[0].lower() + text[1:] if first.lower() in _OPENINGS - {"i"} else text


def verb_slots(slots: Slots) -> Slots | None:
    """Slots of "x", which begins with a verb: the gerund, the passive, whether it is a step."""
    phrase = VerbPhrase.parse(slots["x"])
    joined = re.findall(r"\b(?:and|or) (\w+)", slots["x"])
    if phrase is None or VERBS & set(joined) or re.search(r"[.;]\s", slots["x"]):
        return dict(slots)
    more = {"known": phrase.verb}
    if phrase.verb not in _NO_STEP:
        more |= {"ger": phrase.gerund, "act": slots["x"]}
        if passive := phrase.passive:
            more |= dict(zip(("obj", "be", "done"), passive, strict=True))
    if short := _DETAIL.match(slots["x"]):
        more["short"] = short["x"]
    return {**slots, **more}


_DETAIL = re.compile(
    r"(?P<x>[a-z]+ (?:(?:on|off|up|out|down) )?(?:the|my|your|an?) [a-z-]+"
    r"(?: (?!with\b|from\b|for\b|of\b)[a-z-]+)?) (?:with|from|for) .+"
)
"""What to do, without how: "backflush the brew group with the blind filter"."""

_NO_STEP_VERBS = """
know tell have happen see hear get let mean need look smell sound try"""
_NO_STEP = frozenset(_NO_STEP_VERBS.split())


def subject_slots(slots: Slots) -> Slots | None:
    """Slots of "aux" and "x", where subject and predicate are clear.

    "does", "the pump stop" gives: said = "the pump stops".
    """
    aux, text = slots["aux"].lower().replace("\u2019", "'"), slots["x"]
    if aux in _TO_BE:
        parts = _split_be(text)
        return {**slots, "aux": aux, **_statement(parts, aux)} if parts else {**slots, "aux": aux}
    numbers = {"does": True, "doesn't": True, "do": False, "don't": False}
    parts = split_subject(text, is_singular=numbers.get(aux))
    if not parts:
        return {**slots, "aux": aux}
    subject, predicate = parts
    more: dict[str, str] = {}
    if aux in ("do", "does"):
        third = aux == "does"
        statement = f"{subject} {conjugated(predicate, is_third=third)}"
        more = {"said": statement, "subject": subject, "base": predicate}
        if subject.lower() == "i":
            more["mine"] = predicate
    elif aux != "did":
        more = _statement(parts, aux)
        if aux == "can":
            more |= {"able": subject, "base": predicate}
    return {**slots, "aux": aux, **more}


_TO_BE = frozenset(("is", "are", "was", "were", "isn't", "aren't"))


def _statement(parts: tuple[str, str], aux: str) -> dict[str, str]:
    subject, predicate = parts
    return {"said": f"{subject} {aux} {predicate}"}


_PREDICATE = re.compile(
    r"^(?P<subject>(?:(?:the|my|your|our|an?|this|its)\s(?:(?!(?:in|on|at|of|for|to|from)\b)[\w.'/-]+\s)"
    r"{1,4}?|[\w.'/-]*(?:[A-Z]|\d)[\w.'/-]*\s(?=\w+(?:ed|ing|ble)\b)|(?:it|there|they|you|I|we)\s))"
    r"(?P<rest>(?:not\s|still\s|always\s|also\s|so\s|too\s|no\s)?"
    r"(?:\w{3,}(?:ed|ing|ble|ous|ful)|(?:in|on|at|under|behind|inside|near|for|from|out|off|full"
    r"|empty|red|green|yellow|blue|hot|cold|warm|dry|wet|loud|slow|dark|black|open"
    r"|closed|necessary|dirty|low|high|broken|stuck|built|made|set|kept"
    r"|sold|sent|shown|written|lost|an?)\b).*)$"
)
_NOUNS_ED = re.compile(
    r"^(?:speed|feed|need|seed|bed|string|ring|thing|spring|bearing|setting"
    r"|housing|warning|cable|table|variable|heating|cooling|wiring|casing)\b"
)


def _split_be(text: str) -> tuple[str, str] | None:
    """Subject and predicate of what follows "is"; None: the border is not clear."""
    match = _PREDICATE.match(text)
    if not match or _NOUNS_ED.match(match["rest"]) or text.lower().startswith("there "):
        return None
    return match["subject"].strip(), match["rest"]


def noun_slots(slots: Slots) -> Slots | None:
    """Slots of "x", a noun phrase: its verb forms; not one that contains a verb of its own."""
    text = slots["x"]
    if re.search(r"\b(?:that|which|who|to|used|called|able|going|supposed)\b", text):
        return None
    plural = is_plural(text)
    has, does, them = ("have", "do", "they") if plural else ("has", "does", "it")
    return {**slots, "has": has, "does": does, "it": them, "be": "are" if plural else "is"}
