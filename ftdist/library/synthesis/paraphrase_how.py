"""Other forms of questions that begin with "how"."""

import re

from ftdist.library.synthesis.paraphrase_rules import (
    TAIL,
    UNITS,
    Rule,
    Slots,
    noun_slots,
    rule,
    subject_slots,
    verb_slots,
)
from ftdist.library.synthesis.verb_forms import is_plural, third_person

_I = r"(?:I|you|we|one)"
_NOUNS = {
    "long": "length",
    "heavy": "weight",
    "loud": "noise level",
    "wide": "width",
    "deep": "depth",
    "high": "height",
    "tall": "height",
    "thick": "thickness",
    "fast": "speed",
    "old": "age",
    "far": "distance",
    "hot": "temperature",
    "large": "size",
    "big": "size",
    "expensive": "price",
}
_AMOUNTS = re.compile(
    r"\b(?:fees?|discount|deposit|charges?|costs?|price|tax|fine|interest|rate|refund|voltage"
    r"|current|power|energy|memory|space|weight|pressure)$",
    re.IGNORECASE,
)


def _size(slots: Slots) -> Slots | None:
    """Of "how heavy is the pump": the noun "weight"."""
    more = noun_slots(slots)
    adjective = slots["adj"].lower()
    if more is None or re.search(r"\w(?:ed|ing)\b", slots["x"]):
        return None
    return {**more, "adj": adjective, "noun": _NOUNS.get(adjective, "")}


def _price(slots: Slots) -> Slots | None:
    """Of "how much is the pump": not for a fee, which has no price."""
    is_noun = not (
        _AMOUNTS.search(slots["x"])
        or re.search(r"\w(?:ed|en) (?:per|at|for|by|late)\b|\bcharged\b", slots["x"])
    )
    return noun_slots(slots) if is_noun else None


def _lasting(slots: Slots) -> Slots | None:
    if re.fullmatch(r"(?i:i|you|we|they)\b.*", slots["x"]):
        return None
    verb = slots["verb"].lower()
    they = is_plural(slots["x"])
    return {
        **slots,
        "verb": verb,
        "verbs": verb if they else third_person(verb),
        "do": "do" if they else "does",
        "it": "they" if they else "it",
        "rest": slots.get("rest", ""),
    }


def _frequency(slots: Slots) -> Slots | None:
    """Of "how often do I clean the filter": aux, and the forms of the verb."""
    more = dict(verb_slots(slots) or {})
    aux = slots["aux"].lower()
    if "obj" in more:
        be = {"do": more["be"]}.get(aux, aux)
        more |= {"lead": be, "done": more["done"] if aux == "do" else f"be {more['done']}"}
    more["modal"] = "" if aux == "do" else f"{aux} "
    return {**more, "aux": aux}


HOW_RULES: tuple[Rule, ...] = (
    rule(
        r"How much (?:does|do|will|would) (?P<x>.+?) cost" + TAIL,
        "What is the price of {x}{t}?",
        "What {does} {x} cost{t}?",
        "How expensive {be} {x}{t}?",
        "How much do I pay for {x}{t}?",
        "How much money do I need for {x}{t}?",
        "What is the cost of {x}{t}?",
        "I want to know the price of {x}{t}.",
        "Can you give me the price of {x}{t}?",
        "{x}: what is the price{t}?",
        "~price of {x}{t}",
        derive=noun_slots,
    ),
    rule(
        r"How much (?:is|are) (?P<x>.+?)" + TAIL,
        "What is the price of {x}{t}?",
        "What {does} {x} cost{t}?",
        "How expensive {be} {x}{t}?",
        "How much {does} {x} cost{t}?",
        "How much do I pay for {x}{t}?",
        "I want to know what {x} {be} sold for{t}.",
        "Can you tell me the price of {x}{t}?",
        "~price of {x}{t}",
        derive=_price,
    ),
    rule(
        r"How long (?:does|will|would) it take (?:me |us |you )?to (?P<x>.+?)",
        "How much time does it take to {x}?",
        "How much time is needed to {x}?",
        "What time should I allow for {ger}?",
        "How many minutes, hours or days does {ger} take?",
        "How long does {ger} take?",
        "I want to {x}. How much time will I need?",
        "How much time does {ger} require?",
        "Within what time is it possible to {x}?",
        "What is the duration of {ger}?",
        "~{ger} time needed",
        derive=verb_slots,
    ),
    rule(
        r"How long (?:does|do|will|can) (?P<x>.+?) "
        r"(?P<verb>last|take|hold|keep|stay|live|run|remain)"
        r"(?P<rest>(?: (?:in|on|at|for|with|without|after|when|if|under|from|to|fresh)\b.+?)?)",
        "For how much time {do} {x} {verb} {rest}?",
        "What length of time {do} {x} {verb} {rest}?",
        "I want to know how long {x} {verbs} {rest}.",
        "Can you tell me how many hours, days or years {x} {verbs} {rest}?",
        "{x}: how long {do} {it} {verb} {rest}?",
        "How many hours, days or years {do} {x} {verb} {rest}?",
        "Tell me the time that {x} {verbs} {rest}.",
        "~how long {x} {verbs} {rest}",
        derive=_lasting,
    ),
    rule(
        rf"How (?:often|frequently) (?P<aux>do|should|must|can|may) {_I} "
        r"(?:(?:need|have) to )?(?P<x>.+?)",
        "How frequently {aux} I {x}?",
        "How often do I {short}?",
        "At what intervals {aux} I {x}?",
        "How often {lead} {obj} {done}?",
        "At what intervals {lead} {obj} {done}?",
        "How frequently is {ger} due?",
        "I {modal}{x}. At what intervals?",
        "What is the interval for {ger}?",
        "How much time may pass before I {x} again?",
        "Every how many hours, days or months {aux} I {x}?",
        "Can you tell me how often to {x}?",
        "~{ger} how often",
        derive=_frequency,
    ),
    rule(
        r"How (?:often|frequently) (?P<aux>must|should|can|may|is|are) "
        r"(?P<x>.+? (?:be )?\w+(?:ed|en|t|n|ne|un))",
        "How frequently {aux} {x}?",
        "At what intervals {aux} {x}?",
        "Every how many hours, days or months {aux} {x}?",
        "After how much time {aux} {x} again?",
        "~how often {aux} {x}",
    ),
    rule(
        r"How many (?P<n>.+?) (?:does|do) (?P<x>.+?) (?P<verb>have|support|hold|need|use|take"
        r"|contain|allow|offer|provide|include|accept|require)" + TAIL,
        "What is the number of {n} that {x} {verbs}{t}?",
        "{x}: how many {n} {do} {it} {verb}{t}?",
        "Can you tell me how many {n} {x} {verbs}{t}?",
        "I want to know how many {n} {x} {verbs}{t}.",
        "Tell me the number of {n} that {x} {verbs}{t}.",
        "How large is the number of {n} that {x} {verbs}{t}?",
        "~number of {n} {x} {verbs}{t}",
        derive=_lasting,
    ),
    rule(
        rf"How many (?!{UNITS}\b)(?P<n>.+?) (?P<aux>is|are|can|may|must|should|do|does|will) "
        r"(?P<x>.+?)",
        "Exactly how many {n} {aux} {x}?",
        "Tell me how many {n} {said}.",
        "I want to know how many {n} {said}.",
        "Can you tell me the number of {n} that {said}?",
        "~number of {n} {aux} {x}",
        derive=subject_slots,
    ),
    rule(
        rf"How much (?P<n>.+?) (?P<aux>do|can|should|must|may) {_I} (?P<x>.+?)",
        "What amount of {n} {aux} I {x}?",
        "Which quantity of {n} {aux} I {x}?",
        "What is the amount of {n}: how much {aux} I {x}?",
        "~how much {n} {aux} I {x}",
    ),
    rule(
        r"How (?P<adj>long|heavy|loud|wide|deep|high|tall|thick|fast|old|far|hot|large|big"
        r"|expensive) (?P<were>is|are) (?P<x>.+?)" + TAIL,
        "What is the {noun} of {x}{t}?",
        "I want to know how {adj} {x} {be}{t}.",
        "Can you tell me the {noun} of {x}{t}?",
        "{x}: how {adj} {be} {it}{t}?",
        "Which {noun} {does} {x} have{t}?",
        "Tell me the {noun} of {x}{t}.",
        "What {noun} {does} {x} have{t}?",
        "I need the {noun} of {x}{t}.",
        "~{noun} of {x}{t}",
        derive=_size,
    ),
    rule(
        rf"How (?:do|can) {_I} (?:know|tell|see) "
        r"(?P<x>(?:if|whether|when|what|which|that|how) .+?)",
        "How can I tell {x}?",
        "How do I find out {x}?",
        "What shows me {x}?",
        "What is the way to tell {x}?",
        "Is there a sign that tells me {x}, and which?",
        "I want to know {x}. How do I check?",
        "By what can one recognise {x}?",
        "Which sign tells me {x}?",
        "~how to tell {x}",
    ),
    rule(
        rf"How (?P<aux>do|can|should|could|must) {_I} (?P<x>.+?)",
        "How can I {x}?",
        "What is the way to {x}?",
        "What are the steps for {ger}?",
        "What is the procedure for {ger}?",
        "How {be} {obj} {done}?",
        "I want to {act}. What do I do?",
        "I can't {act}. How is it done?",
        "I need to {x}. How?",
        "What do I have to do to {x}?",
        "Which steps does it take to {act}?",
        "Can you explain how to {x}?",
        "Show me how to {act}.",
        "In what way can {obj} be {done}?",
        "~{ger} instructions",
        "~how to {x}",
        derive=verb_slots,
    ),
    rule(
        r"How (?P<aux>does|do|is|are|can) (?P<x>.+?)",
        "In what way {aux} {x}?",
        "Can you explain how {said}?",
        "I want to know how {said}.",
        "Tell me how {said}.",
        "I would like to understand how {said}.",
        "What is the way in which {said}?",
        "By what means {aux} {x}?",
        "~how {said}",
        derive=subject_slots,
    ),
)  # fmt: skip
