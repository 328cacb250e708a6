"""Other forms of questions for a part of a sentence: "For how many seconds should I hold it".

Their opening asks for the part; what follows is what to do, or a statement.
"""

import re

from ftdist.library.synthesis.paraphrase_rules import (
    PERIODS,
    UNITS,
    Rule,
    Slots,
    rule,
    subject_slots,
    verb_slots,
)

_BEFORE = "for|within|after|in|at|on|to|with|from|under|into|through|by|until|before|up to|over"
_OPENING = (
    rf"(?P<w>(?:(?:{_BEFORE}) )?(?:how (?:long|often|far|much time|much)"
    r"|how many [a-z]+(?: [a-z]+){0,2}?|what(?: [a-z]+)?|which [a-z]+|when|where))"
)
_OTHER_OPENINGS = (
    (r"for how long", "how long"),
    (r"how long", "for how long"),
    (rf"(?:for )?how many (?:{PERIODS})", "how long"),
    (rf"(?P<b>within|after) how many (?:{PERIODS})", r"\g<b> how long"),
    (r"at how many degrees(?: \w+)?", "at what temperature"),
    (rf"how many (?:{UNITS}) of (?P<n>[a-z ]+)", r"what amount of \g<n>"),
    (r"how many degrees(?: \w+)?", "what temperature"),
    (r"how many (?:euros|pounds|dollars)", "how much"),
    (r"until when", "for how long"),
    (r"how often", "at what intervals"),
    (r"how frequently", "how often"),
    (r"when", "at what point"),
    (r"where", "in which place"),
    (r"with what", "using what"),
    (r"how far", "at what distance"),
)
_OBJECT = re.compile(rf"what$|which |how (?:much|many)(?! (?:{PERIODS})$)")
"""What a question asks for is the object of its verb."""


def _opening_slots(slots: Slots) -> dict[str, str]:
    """The slots "w" and "W", in both cases, and "other", an opening that asks for the same."""
    opening = f"{slots['w'][0].lower()}{slots['w'][1:]}"
    more = {"w": opening, "W": f"{opening[0].upper()}{opening[1:]}"}
    for pattern, other in _OTHER_OPENINGS:
        found = re.fullmatch(pattern, opening)
        is_there = other == "how long" and slots["x"].startswith("there ")
        if found and not is_there and (other != "what temperature" or slots["x"].endswith(" at")):
            more["other"] = found.expand(other)
            break
    return more


def _command(slots: Slots) -> Slots | None:
    """Of "how long should I hold the switch": the verb in other forms."""
    more = dict(verb_slots(slots) or slots) | _opening_slots(slots)
    if _OBJECT.match(more["w"]):
        for name in ("act", "ger", "obj"):
            more.pop(name, None)
    return more


def _statement(slots: Slots) -> Slots | None:
    """Of "how long does the pump run": the statement within another sentence."""
    if re.match(r"(?:I|you|we) ", slots["x"]) and slots["aux"].lower() in ("can", "may"):
        return None
    return {**(subject_slots(slots) or slots), **_opening_slots(slots)}


WH_RULES: tuple[Rule, ...] = (
    rule(
        rf"{_OPENING} should I (?P<x>.+?)",
        "{w} do I have to {x}?",
        "{w} do I have to {short}?",
        "{w} must I {x}?",
        "{other} do I {x}?",
        "{w} must {obj} be {done}?",
        "I want to {act}. {W}?",
        "{other} should {obj} be {done}?",
        "I don't know {w} to {x}.",
        "Tell me {w} to {x}.",
        "{ger}: {w}?",
        "{w} am I supposed to {x}?",
        "~{w} to {x}",
        derive=_command,
    ),
    rule(
        rf"{_OPENING} (?P<aux>does|do|is|are|can|may|must|will) (?P<x>.+?)",
        "{other} {aux} {x}?",
        "Can you tell me {w} {said}?",
        "I want to know {w} {said}.",
        "Do you know {w} {said}?",
        "Tell me {w} {said}.",
        "~{w} {said}",
        derive=_statement,
    ),
)  # fmt: skip
