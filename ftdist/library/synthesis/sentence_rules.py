"""Rules from a sentence, without its full stop, to the question that it answers.

Each returns the question without its mark, the part that says it, and "reverse" if it asks from
the value to the thing; None if it does not fit. They are tried in their order.
"""

import re
from collections.abc import Callable, Sequence

from ftdist.library.synthesis.sentence_parts import (
    KINDS,
    NAMED,
    NO_NAMES,
    NUMBER,
    SIZES,
    SUBJECT,
    UNIT,
    VAGUE,
    action_of,
    is_vague,
    mine,
    subject_of,
)
from ftdist.library.synthesis.verb_forms import VERBS, base_form, is_plural

Found = Sequence[str] | None
_PERSON = re.compile(r"\b(?:maintainer|author|owner|director|founder|manager|chef|editor)s?$")
_SIZE = re.compile(rf"\d \S+ (?:{SIZES})\b| is an? (?:\S+[ -])?(?:minutes?|hours?)[' -]")


def _how_to(text: str) -> Found:
    match = re.match(
        r"^(?:If you want to|If you need to|In order to|To) (?P<x>[^,:]+), \S.+$", text
    )
    action = action_of(match["x"]) if match else ""
    return (f"How do I {action}",) if action else None


def _condition(text: str) -> Found:
    match = re.match(
        r"^(?P<w>If|When|Whenever|After|Before) (?P<c>[^,:]{8,110}), (?P<m>\S.+)$", text
    )
    if not match or re.search(r"\b(?:want|wish|would like|need) to\b|^unsure\b", match["c"]):
        return None
    if match["c"].split()[0].lower() in NO_NAMES - {"your", "you", "i", "we", "there", "no"}:
        return None
    instruction = re.match(
        r"(?:you (?:should|must|can|need|have|may)|please|make sure|do not|don't|never"
        r"|always|ensure|consider|prefer|simply)\b",
        match["m"],
        re.IGNORECASE,
    )
    first = match["m"].split()[0].lower()
    is_asked = bool(instruction) or (
        first in VERBS
        and not re.search(r"^\S+ (?:is|are|must|should|can|may|will|has|have)\b", match["m"])
    )
    if not is_asked and match["w"] in ("After", "Before"):
        return None
    word = match["w"].lower().replace("whenever", "when")
    opening = "What should I do" if is_asked else "What happens"
    return f"{opening} {word} {mine(match['c'])}", match["m"]


def _attribute(text: str) -> Found:
    match = re.match(
        r"^The (?P<n>[\w-]+(?: [\w-]+){0,3}?)(?P<of> (?:of|for|in|on|at|between) .{3,60}?)?"
        r" (?P<be>is|are) (?P<v>(?:(?:about|around|up to|at least|at most|between)\s)?"
        rf"(?:(?:{NUMBER})\b|[A-Z/\"-]|an?\s|the\s).*)$",
        text,
    )
    if not match or is_vague(match["n"].split()) or _SIZE.search(text):
        return None
    name = match["n"]
    if len(name.split()) == 1 and not match["of"] and not re.match(NUMBER, match["v"]):
        return None
    asks = "Who" if _PERSON.search(name) else "What"
    return f"{asks} {match['be']} the {name}{match['of'] or ''}", match["v"]


def _definition(text: str) -> Found:
    match = re.match(rf"^(?P<s>{NAMED}) (?P<be>is|are) (?P<v>(?:an?|the) .+)$", text)
    if not match or not (subject := subject_of(match["s"])) or _SIZE.search(text):
        return None
    return f"What {match['be']} {subject}", match["v"]


def _place(text: str) -> Found:
    match = re.match(
        rf"^{SUBJECT} (?P<be>is|are) (?:(?:usually|normally|always|automatically) )?"
        r"(?P<done>stored|located|installed|saved|kept|placed|found|written|logged|mounted|defined"
        r"|configured) (?:by default )?"
        r"(?P<v>(?:in|at|under|on|inside|behind|below|near|to|beneath) .+)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])):
        return None
    return f"Where {match['be']} {subject} {match['done']}", match["v"]


def _quantity(text: str) -> Found:
    """How long something takes, how much it weighs."""
    match = re.match(
        rf"^{SUBJECT} (?:will |usually |normally )?"
        r"(?P<v>lasts?|takes?|weighs?|costs?|holds?|measures?)"
        rf" (?P<rest>(?:about |around |up to |at least |at most )?(?:{NUMBER})\b.*)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])):
        return None
    verb = match["v"].rstrip("s") if match["v"] != "measures" else "measure"
    is_time = re.search(UNIT, match["rest"])
    asks = "How long" if verb in ("last", "take") and is_time else "How much"
    do = "do" if is_plural(subject) else "does"
    done = re.match(rf"(?P<v>.*{UNIT})(?P<to> to [a-z]+\b.*)$", match["rest"])
    value, to = done.groups() if done else (match["rest"], "")
    return f"{asks} {do} {subject} {verb}{to}", re.split(r" and (?=\w+s\b)", value)[0]


def _count(text: str) -> Found:
    match = re.match(
        rf"^{SUBJECT} (?:has|have|contains|provides|comes with) (?P<v>(?:{NUMBER})\w*"
        r" (?P<n>[a-z][\w-]*(?: [a-z][\w-]+)?s))\b(?!-).*$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])) or re.match(UNIT, match["n"]):
        return None
    return f"How many {match['n']} {'do' if is_plural(subject) else 'does'} {subject} have", match[
        "v"
    ]


_NO_OBJECT = re.compile(r"(?:is|are|was|of|must|should|can|may|will|ha(?:ve|s)|do|does|it|them)\b")
_ASKED_WHAT_VERBS = """
support require need contain include provide use accept allow display show store indicate mean
return specify define describe control measure"""
_ASKED_WHAT = frozenset(_ASKED_WHAT_VERBS.split())


def _doing(text: str) -> Found:
    """What something supports or does."""
    match = re.match(rf"^{SUBJECT} (?:also |only |always )?(?P<v>[a-z]+s) (?P<o>\S.+)$", text)
    if not match or not (subject := subject_of(match["s"])) or is_plural(subject):
        return None
    verb = base_form(match["v"])
    if not verb or verb in ("be", "have", "do", "come") or _NO_OBJECT.match(match["o"]):
        return None
    if verb in _ASKED_WHAT:
        return f"What does {subject} {verb}", match["o"]
    words = subject.split()
    if words[0] in ("the", "a", "an", "my"):
        if not re.search(KINDS, subject):
            return None
    elif match["s"][0].isupper() and subject[1:].islower() and not re.search(KINDS, subject):
        return None  # "Printed labels last": the verb is a noun; or "Full pay continues"
    return f"What does {subject} do", f"{match['v']} {match['o']}"


def _which(text: str) -> Found:
    """From what it does to the thing: "Which option enables the log?"."""
    match = re.match(
        r"^The (?P<name>[\w./-]+(?: [\w./-]+)?) (?P<kind>[a-z]+) (?P<v>[a-z]+s) (?P<o>\S.+)$", text
    )
    if not match or not re.search(KINDS, f" {match['kind']}") or not base_form(match["v"]):
        return None
    if base_form(match["v"]) in ("be", "have") or len(match["o"].split()) > 14:
        return None
    if match["name"].lower().split()[0] in VAGUE or not re.search(r"[^a-z ]", match["name"]):
        return None  # there may be another "red lamp" that blinks
    return f"Which {match['kind']} {match['v']} {mine(match['o'])}", match["name"], "reverse"


def _when(text: str) -> Found:
    """When something happens, or how often."""
    match = re.match(
        rf"^{SUBJECT} (?P<v>[a-z]+s)(?P<o>(?: [^,;]{{1,60}}?)?)"
        r" (?P<t>(?P<w>when|if|after|as soon as|every|once) \S.+)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])) or is_plural(subject):
        return None
    verb = base_form(match["v"])
    if not verb or verb in ("be", "have", "do") or match["o"].strip().startswith(("is", "are")):
        return None
    if re.search(r"\b(?:but|and|or|that)\b", match["o"]):
        return None
    asks = "How often" if match["w"] == "every" else "When"
    return f"{asks} does {subject} {verb}{match['o']}", match["t"]


def _history(text: str) -> Found:
    match = re.match(
        rf"^{SUBJECT} (?P<be>was|were) (?:first )?(?P<done>released|introduced|founded|written"
        r"|created|developed|built|designed|added|published|invented|removed|renamed|deprecated"
        r"|started) (?P<v>.+)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])):
        return None
    rest = match["v"]
    if re.match(r"by [A-Z]", rest):
        return f"Who {match['be']} {subject} {match['done']} by", rest
    if re.match(r"(?:in|with|since) (?:version|release|v?\d+\.\d)", rest):
        return f"In which version {match['be']} {subject} {match['done']}", rest
    if re.search(r"\b(?:19|20)\d\d\b", rest):
        return f"When {match['be']} {subject} {match['done']}", rest
    return None


def _passive(text: str) -> Found:
    """What must or can be done, and when, how often, how or where."""
    match = re.match(
        rf"^{SUBJECT} (?P<m>must be|should be|can be|may be|cannot be|must not be|should not be"
        r"|is|are) (?P<done>\w+(?:ed|en|[a-z]t|wn|ne|un))"
        r"(?P<rest>(?: .+)?)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])):
        return None
    if re.search(r"\band\b.*\b(?:is|are|was|will|has|have)\b|\b(?:but|unless)\b", match["rest"]):
        return None
    modal, done, rest = match["m"].removesuffix(" be"), match["done"], match["rest"].strip()
    done = done if modal in ("is", "are") else f"be {done}"
    if re.search(r"\b(?:every|once an?|twice|times an?)\b|\b(?:dai|week|month|year)ly$", rest):
        return f"How often {modal} {subject} {done}", rest
    for words, asks in ((r"before|after|when|as soon as", "When"), ("by|with|using|via", "How")):
        if re.match(rf"(?:{words})\b", rest):
            return (
                None
                if " not" in modal or modal == "cannot"
                else (f"{asks} {modal} {subject} {done}", rest)
            )
    verb = modal.replace("cannot", "can").replace("must not", "may").replace(" not", "").title()
    if modal in ("can", "may", "cannot", "must not", "should not") and len(rest.split()) <= 10:
        return f"{verb} {subject} {done} {mine(rest)}", ""
    return None


def _second_person(text: str) -> Found:
    match = re.match(r"^You (?P<m>can|may|must|should|need to|have to) (?P<x>.+)$", text)
    if not match:
        return None
    modal, action = match["m"], match["x"]
    if modal in ("can", "may"):
        parts = re.match(r"^(?P<x>.+?) (?P<v>(?:by|with|using|via) .+)$", action)
        verb_phrase = action_of(parts["x"]) if parts else action_of(action)
        if not verb_phrase:
            return None
        return (
            (f"How {modal} I {verb_phrase}", parts["v"])
            if parts
            else (f"{modal.capitalize()} I {verb_phrase}",)
        )
    parts = re.match(r"^(?P<v>.+?) (?P<w>before|after|when|if|until) (?P<c>.{6,80})$", action)
    if not parts:
        return None
    asks = "What should I do" if modal == "should" else "What do I have to do"
    return f"{asks} {parts['w']} {mine(parts['c'])}", parts["v"]


def _imperative(text: str) -> Found:
    match = re.match(r"^(?P<m>[A-Z][a-z]+ \S.*?) (?:in order )?to (?P<x>[a-z]+ [^,;:]+)$", text)
    if (
        not match
        or match["m"].split()[0].lower() not in VERBS - {"make", "try", "need"}
        or re.search(r"[,;]|\b(?:this|these|those|it|them)\b", match["m"])
    ):
        return None
    action = action_of(match["x"])
    ends = match["m"].split()[-1].lower()
    if not action or ends in ("able", "want", "need", "have", "up", "due", "how", "used", "prior"):
        return None
    return f"How do I {action}", match["m"]


def _forbidden(text: str) -> Found:
    match = re.match(
        r"^(?:Never|Do not|Don't) (?P<x>[a-z]+ [^,;:]+?)(?: (?:because|as|since) .+)?$", text
    )
    action = action_of(match["x"]) if match else ""
    return (f"May I {action}",) if action else None


def _because(text: str) -> Found:
    match = re.match(
        rf"^{SUBJECT} (?P<aux>is|are|can|cannot|must|should|will) (?P<r>[^,;]+?),? because "
        r"(?P<v>.+)$",
        text,
    )
    if not match or not (subject := subject_of(match["s"])):
        return None
    aux = "can't" if match["aux"] == "cannot" else match["aux"]
    return f"Why {aux} {subject} {match['r']}", match["v"]


RULES: tuple[Callable[[str], Found], ...] = (
    _how_to, _because, _condition, _place,
    _attribute, _definition, _quantity, _count, _when, _history, _passive,
    _second_person, _forbidden, _imperative, _doing, _which,
)  # fmt: skip
