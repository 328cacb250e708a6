"""Other forms of questions that are answered with yes or no."""

from ftdist.library.synthesis.paraphrase_rules import (
    TAIL,
    Rule,
    Slots,
    noun_slots,
    rule,
    subject_slots,
    verb_slots,
)
from ftdist.library.synthesis.verb_forms import is_plural


def _yes_no_form(slots: Slots) -> Slots | None:
    """Of "does the pump float": the sentence that may be true."""
    more = subject_slots(slots)
    if not more or "said" not in more:
        return None
    able = more.get("able", "")
    return {**more, "one": "" if is_plural(able) else able}


YES_NO_RULES: tuple[Rule, ...] = (
    rule(
        r"(?:Can|Could) (?:I|we|you(?! (?:give|tell|show|send|explain))) (?P<x>.+?)",
        "Am I able to {x}?",
        "Is {ger} possible?",
        "Is there a way to {x}?",
        "Would it be possible to {x}?",
        "I want to {x}. Is that possible?",
        "I wonder whether I can {x}.",
        "Can {obj} be {done}?",
        "Tell me whether I can {x}.",
        "~{ger} possible",
        derive=verb_slots,
    ),
    rule(
        r"(?:May I|Am I allowed to|Are we allowed to) (?P<x>.+?)",
        "Am I allowed to {x}?",
        "Is {ger} allowed?",
        "Do I have permission to {x}?",
        "I would like to {x}. Am I permitted to?",
        "Is it permitted to {x}?",
        "May {obj} be {done}?",
        "I wonder whether I may {x}.",
        "Tell me whether I may {x}.",
        "~{ger} allowed",
        derive=verb_slots,
    ),
    rule(
        r"(?:Must I|Do I (?:need|have) to|Do we (?:need|have) to) (?P<x>.+?)",
        "Do I have to {x}?",
        "Must I {x}?",
        "Am I required to {x}?",
        "Is {ger} required?",
        "Must {obj} be {done}?",
        "I wonder whether I need to {x}.",
        "Is it mandatory to {x}?",
        "Tell me whether I need to {x}.",
        "~{ger} required",
        derive=verb_slots,
    ),
    rule(
        r"Do (?:I|we) need (?P<x>.+?)" + TAIL,
        "{Be} {x} needed{t}?",
        "{Be} {x} required{t}?",
        "{Be} {x} necessary{t}?",
        "Must I have {x}{t}?",
        "I wonder whether I need {x}{t}.",
        "Tell me whether {x} {be} needed{t}.",
        "~{x} needed{t}",
        derive=lambda slots: (
            (more := noun_slots(slots)) and {**more, "Be": more["be"].capitalize()}
        ),
    ),
    rule(
        r"Should (?:I|we) (?P<x>.+?)",
        "Is {ger} recommended?",
        "Do you advise me to {x}?",
        "Is it advisable to {x}?",
        "Ought I to {x}?",
        "Would you recommend {ger}?",
        "I wonder whether I should {x}.",
        "Should {obj} be {done}?",
        "Does it make sense to {x}?",
        "~{ger} recommended",
        derive=verb_slots,
    ),
    rule(
        r"Is there (?P<x>(?:an?|any|some) .+?)" + TAIL,
        "Does {x} exist{t}?",
        "Can I find {x}{t}?",
        "I need {x}. Is there one{t}?",
        "Tell me whether there is {x}{t}.",
        "I wonder whether there is {x}{t}.",
        "Do you know of {x}{t}?",
        "~{x}{t}",
    ),
    rule(
        r"(?P<aux>Is|Are|Can|Does|Do|Will|Must|Should|May) (?P<x>.+?)",
        "Is it true that {said}?",
        "Is it the case that {said}?",
        "Tell me whether {said}.",
        "Can you tell me whether {said}?",
        "I wonder whether {said}.",
        "I am not sure whether {said}.",
        "I want to find out if {said}.",
        "Would you say that {said}?",
        "{said}: yes or no?",
        "{said}. Is that so?",
        "Is it correct that {said}?",
        "Is {one} able to {base}?",
        "Is it possible for {one} to {base}?",
        "~whether {said}",
        derive=_yes_no_form,
    ),
)
