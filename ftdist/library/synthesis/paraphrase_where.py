"""Other forms of questions that begin with "where", "when", "who" and "why"."""

import re

from ftdist.library.synthesis.paraphrase_rules import (
    TAIL,
    Rule,
    Slots,
    rule,
    subject_slots,
    verb_slots,
)

_I = r"(?:I|you|we|one)"
_ERRAND_WORDS = "buy get pay park find book order rent return register collect"
_ERRANDS = frozenset(_ERRAND_WORDS.split())
_PREDICATE = re.compile(
    r"\w (?:an? .+|(?!garden|kitchen|oven|screen|linen|children|women|hundred)\w{3,}(?:ed|en)"
    r"|open|closed|available|on sale)$"
)

WHERE_RULES: tuple[Rule, ...] = (
    rule(
        rf"Where (?P<aux>do|can|should|must|may) {_I} (?P<x>.+?)",
        "What is the right place to {x}?",
        "Which place do I go to if I want to {go}?",
        "I want to {x}. Where?",
        "Tell me where to {x}.",
        "Can you tell me where to {x}?",
        "In what location {lead} {obj} {done}?",
        "I am looking for the place to {go}.",
        "~where to {x}",
        derive=lambda slots: _placed(slots),
    ),
    rule(
        r"Where (?P<were>is|are) (?P<x>.+? (?P<v>stored|saved|located|kept|installed|found|placed"
        r"|written|mounted|defined|configured|set))(?P<on>(?: (?:on|in|for|of|by) .+?)?)",
        "In what location {were} {x} {on}?",
        "What is the place where {y} {were} {v} {on}?",
        "Where can I find {y} {on}?",
        "I can't find {y}. Where {were} {it} {v} {on}?",
        "I want to know where {y} {were} {v} {on}.",
        "At which location {were} {x} {on}?",
        "Tell me where {y} {were} {v} {on}.",
        "~{y} location {on}",
        derive=lambda slots: {
            **slots, "were": slots["were"].lower(), "on": slots.get("on", " "),
            "y": slots["x"][: -len(slots["v"])].strip(),
            "it": "they" if slots["were"].lower() == "are" else "it",
        },
    ),
    rule(
        r"Where (?P<were>is|are) (?P<x>.+?)" + TAIL,
        "What is the location of {x}{t}?",
        "Where can I find {x}{t}?",
        "Where {be} {x} located{t}?",
        "I am looking for {x}. Where {be} {it}{t}?",
        "I can't find {x}{t}. Where do I look?",
        "Tell me the location of {x}{t}.",
        "{x}: where {be} {it}{t}?",
        "Where do I look for {x}{t}?",
        "~{x} location{t}",
        derive=lambda slots: _located(slots),
    ),
    rule(
        rf"When (?P<aux>can|may) {_I} (?P<x>.+?)",
        "At which point {aux} I {x}?",
        "From when on {aux} I {x}?",
        "I want to know when I {aux} {x}.",
        "When {aux} {obj} be {done}?",
        "Tell me when {ger} is possible.",
        "When is {ger} possible?",
        "I want to {x}. When is that possible?",
        "~when {ger} possible",
        derive=lambda slots: _lower_aux(verb_slots(slots)),
    ),
    rule(
        rf"When (?P<aux>should|must) {_I} (?P<x>.+?)",
        "What is the right time to {x}?",
        "When is it time to {x}?",
        "At which point {aux} I {x}?",
        "Tell me when to {x}.",
        "I want to know when I {aux} {x}.",
        "When {aux} {obj} be {done}?",
        "When is {ger} due?",
        "~when to {x}",
        derive=lambda slots: _lower_aux(verb_slots(slots)),
    ),
    rule(
        r"When (?P<aux>do|does|is|are|was|were|did|can|will|must|should|may) (?P<x>.+?)",
        "At which point {aux} {x}?",
        "Tell me when {said}.",
        "I want to know when {said}.",
        "Can you tell me when {said}?",
        "What is the time when {said}?",
        "When exactly {aux} {x}?",
        "~when {said}",
        derive=subject_slots,
    ),
    rule(
        rf"Who (?P<aux>do|can|should|must|may) {_I} (?P<x>.+?)",
        "Who is the right person to {x}?",
        "Tell me who to {x}.",
        "Whom {aux} I {x}?",
        "I want to know who to {x}.",
        "Can you tell me who to {x}?",
        "~who to {x}",
        derive=lambda slots: {**slots, "aux": slots["aux"].lower()},
    ),
    rule(
        r"Who (?P<x>(?!is\b|are\b|was\b).+?)",
        "What is the name of the one who {x}?",
        "Tell me who {x}.",
        "Can you tell me who {x}?",
        "I want to know who {x}.",
        "Who is it that {x}?",
        "~who {x}",
    ),
    rule(
        r"Why (?P<aux>(?:is|are|does|do|should)(?:n['\u2019]t)?|can|can['\u2019]t|must|will"
        r"|won['\u2019]t) (?P<x>.+?)",
        "What is the reason that {said}?",
        "How come {said}?",
        "{said}. Why?",
        "{said}. What is the cause?",
        "Can you explain why {said}?",
        "I do not understand why {said}.",
        "What makes {subject} {base}?",
        "What causes {subject} to {base}?",
        "Tell me why {said}.",
        "~why {said}",
        derive=lambda slots: (more := subject_slots(slots)) and {
            name: text for name, text in more.items()
            if name != "subject" or text.lower() not in ("i", "we", "they", "he", "she")
        },
    ),
)  # fmt: skip


def _placed(slots: Slots) -> Slots | None:
    more = _lower_aux(verb_slots(slots))
    if more and slots["x"].split()[0].lower() in _ERRANDS:
        more = {**more, "go": slots["x"]}
    if more is None or "obj" not in more:
        return more
    aux = more["aux"]
    lead, done = (more["be"], more["done"]) if aux == "do" else (aux, f"be {more['done']}")
    return {**more, "lead": lead, "done": done}


def _located(slots: Slots) -> Slots | None:
    """Of "where is the fuse box": not with a predicate, as in "where are dogs allowed"."""
    if _PREDICATE.search(slots["x"]):
        return None
    be = slots["were"].lower()
    return {**slots, "be": be, "it": "they" if be == "are" else "it"}


def _lower_aux(slots: Slots | None) -> Slots | None:
    return slots and {**slots, "aux": slots["aux"].lower()}
