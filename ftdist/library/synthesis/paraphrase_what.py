"""Other forms of questions that begin with "what" and "which"."""

import re

from ftdist.library.synthesis.paraphrase_rules import (
    TAIL,
    Rule,
    Slots,
    noun_slots,
    rule,
    subject_slots,
)
from ftdist.library.synthesis.verb_forms import is_plural, participle, third_person

_I = r"(?:I|you|we|one)"
_NO_ATTRIBUTE = re.compile(
    r"^(?:first|second|third|next|last|rest|most|best|worst|part|one|kind|type|sort|reason|way"
    r"|difference|point|result|same|only|other)\b",
    re.IGNORECASE,
)

_PREPOSITION_LAST = re.compile(
    r" (?:on|in|at|with|to|from|through|for)(?=$| (?:if|when|after|before)\b)"
)


def _attribute(slots: Slots) -> Slots | None:
    """Of "what is the weight of the pump": whether the pump "has" it."""
    more = noun_slots(slots)
    name = slots["n"]
    if more is None or re.search(r"\b(?:that|which|to|and)\b|[,;:]", name):
        return None
    be = slots["were"].lower()
    owns = "" if _NO_ATTRIBUTE.match(name) or be == "are" else more["does"]
    return {**more, "be": be, "does": owns}


def _topic(slots: Slots) -> Slots | None:
    """Of "what is the default port": not with a verb or a preposition at its end."""
    text = slots["x"]
    if re.match(r"(?!the\b)\w{3,}ed\b", text):
        return None
    if re.search(r"\b(?:called|for|about|like|with|from|of|to|in|on|than|happening|wrong)$", text):
        return None
    more = noun_slots(slots)
    if more is None or re.search(r"\w{3}(?:ed|ing)\b(?! \w)", text):
        return None
    be = slots["were"].lower()
    is_value = bool(re.match(r"(?:the|my|your|its) (?-i:[a-z])", text, re.IGNORECASE))
    them = "they" if be == "are" else "it"
    kind = {"value": text} if is_value else {"thing": text}
    return {**more, **kind, "be": be, "it": them}


def _acting(slots: Slots) -> Slots | None:
    """Of "what does the feature support": its verb in other forms."""
    text, verb = slots["x"], slots["verb"].lower()
    if re.search(r"\b(?:that|which|who|to|and|or)\b", text):
        return None
    third = not is_plural(text)
    return {
        **slots,
        "verb": verb,
        "verbs": third_person(verb) if third else verb,
        "done": participle(verb),
        "do": "does" if third else "do",
        "it": "it" if third else "they",
    }


WHAT_RULES: tuple[Rule, ...] = (
    rule(
        r"What (?:happens|will happen|would happen) (?P<w>if|when|after) (?P<x>.+?)",
        "{w} {x}, what happens?",
        "What is the result {w} {x}?",
        "What should I expect {w} {x}?",
        "What does it lead to {w} {x}?",
        "What are the consequences {w} {x}?",
        "I want to know what happens {w} {x}.",
        "What follows {w} {x}?",
        "{w} {x}, what will the effect be?",
        "~what happens {w} {x}",
    ),
    rule(
        r"What (?:should|can|must|do) I do "
        r"(?P<w>if|when|after|before|once(?! an?\b| every\b| per\b)|as soon as) "
        r"(?P<x>.+?)",
        "{w} {x}, what should I do?",
        "{w} {x}, which steps do I take?",
        "How should I react {w} {x}?",
        "What is the right thing to do {w} {x}?",
        "What is the best response {w} {x}?",
        "Which action do you advise {w} {x}?",
        "What is to be done {w} {x}?",
        "I need advice for what to do {w} {x}.",
        "~what to do {w} {x}",
    ),
    rule(
        r"What should I do about (?P<x>.+?)",
        "How do I fix {x}?",
        "What is the remedy for {x}?",
        "What helps against {x}?",
        "I have this: {x}. What do I do now?",
        "How can {x} be fixed?",
        "Which steps solve {x}?",
        "What is the right response to {x}?",
        "~fix {x}",
    ),
    rule(
        r"What should I know about (?P<x>.+?)",
        "Tell me about {x}.",
        "What can you tell me about {x}?",
        "What is there to know about {x}?",
        "Please give me information on {x}.",
        "I would like to learn about {x}.",
        "Which things do I have to know about {x}?",
        "What does the manual say about {x}?",
        "Explain {x} to me.",
        "~{x} information",
    ),
    rule(
        r"What (?P<do>does|do) (?P<x>.+?) (?:mean|stand for)(?P<on>(?: (?:on|in|for|of) .+?)?)",
        "What is the meaning of {x}{gap}{on}?",
        "How should I read {x}{gap}{on}?",
        "I see {x}{gap}{on}. What is that?",
        "Please explain {x}{gap}{on}.",
        "What is meant by {x}{gap}{on}?",
        "{x}{gap}{on}: what is the meaning?",
        "What {do} {x} tell me{gap}{on}?",
        "Which meaning {do} {x} have{gap}{on}?",
        "~{x} meaning{gap}{on}",
        derive=lambda slots: {"on": "", **slots, "gap": " " if slots.get("on") else ""},
    ),
    rule(
        r"What does (?P<x>.+?) do(?P<on>(?: (?:on|in|for) .+?)?)",
        "What is the purpose of {x}{on}?",
        "What is the function of {x}{on}?",
        "Which effect does {x} have{on}?",
        "What is {x} for{on}?",
        "Can you explain {x}{on}?",
        "What happens when {x} is used{on}?",
        "I want to know what {x} does{on}.",
        "Why would I use {x}{on}?",
        "~{x} purpose{on}",
        derive=lambda slots: {**slots, "on": f" {slots['on']}" if slots.get("on") else " "},
    ),
    rule(
        r"What (?:does|do) (?P<x>.+?) (?P<verb>support|contain|include|require|need|provide|offer"
        r"|use|show|store|describe|define|display|allow|return|produce|control|indicate)" + TAIL,
        "What is {done} by {x}{t}?",
        "Which things {do} {x} {verb}{t}?",
        "I want to know what {x} {verbs}{t}.",
        "Can you tell me what {x} {verbs}{t}?",
        "{x}: what {do} {it} {verb}{t}?",
        "What is it that {x} {verbs}{t}?",
        "Tell me what {x} {verbs}{t}.",
        "~what {x} {verbs}{t}",
        derive=_acting,
    ),
    rule(
        r"What (?P<were>is|are) the (?P<n>[^,;?]{2,60}?) (?:of|for) (?P<x>.+?)" + TAIL,
        "Tell me the {n} of {x}{t}.",
        "{x}: what {be} the {n}{t}?",
        "What {n} {does} {x} have{t}?",
        "I need the {n} of {x}{t}.",
        "Can you give me the {n} of {x}{t}?",
        "For {x}, what {be} the {n}{t}?",
        "Could you look up the {n} of {x}{t}?",
        "I want to know the {n} of {x}{t}.",
        "The {n} of {x}{t}: what {be} {it}?",
        "~{n} {x}{t}",
        derive=lambda slots: (more := _attribute(slots))
        and {**more, "it": "they" if more["be"] == "are" else "it"},
    ),
    rule(
        r"What (?P<were>is|are) (?P<x>.+?)" + TAIL,
        "Tell me {value}{t}.",
        "I need to know {value}{t}.",
        "Can you give me {value}{t}?",
        "{value}: what {be} {it}{t}?",
        "Could you look up {value}{t}?",
        "I would like to learn {value}{t}.",
        "Please explain {thing}{t}.",
        "What is meant by {thing}{t}?",
        "{thing}: what {be} {it}{t}?",
        "Can you describe {thing}{t}?",
        "How would you define {thing}{t}?",
        "I do not know {thing}. What {be} {it}{t}?",
        "I want to know what {x} {be}{t}.",
        "~{x}{t}",
        derive=_topic,
    ),
    rule(
        rf"(?P<q>What|Which) (?P<n>[\w-]+(?: [\w-]+){{0,3}}?) "
        rf"(?P<aux>do|should|can|must|may) {_I} (?P<x>.+?)",
        "{other} {n} {aux} I {x}?",
        "Tell me which {n} {how}{x}.",
        "Can you tell me which {n} {how}{x}?",
        "I want to know which {n} {how}{x}.",
        "Which is the {n} that {how_that}{x}?",
        "I have to {act}. Which {n} is the right one?",
        "~which {n} {how}{x}",
        derive=lambda slots: _choice(slots),
    ),
    rule(
        r"Which (?P<n>[\w-]+(?: [\w-]+){0,2}?) "
        r"(?P<x>(?:\w+s|is|are|has|have|can|must|should|will) .+?)",
        "What {n} {x}?",
        "What is the {n} that {x}?",
        "Tell me which {n} {x}.",
        "Can you name the {n} that {x}?",
        "I am looking for the {n} that {x}.",
        "What is the name of the {n} that {x}?",
        "Give me the {n} that {x}.",
        "~{n} that {x}",
        derive=lambda slots: None if is_plural(slots["n"]) or re.match(
            r"(?:is|are|has|have|can|must|should|will) (?:I|you|we|the|it|my|an?)\b", slots["x"]
        ) else slots,
    ),

    rule(
        r"(?P<q>What|Which) (?P<n>[\w-]+(?: [\w-]+){0,3}?) "
        r"(?P<aux>does|do|is|are|can|must|should|will) (?P<x>.+?)",
        "{other} {n} {aux} {x}?",
        "Tell me which {n} {said}.",
        "Can you tell me which {n} {said}?",
        "I want to know which {n} {said}.",
        "Which is the {n} that {said}?",
        "What exactly is the {n} that {said}?",
        "~which {n} {said}",
        derive=lambda slots: {**(subject_slots(slots) or {}), **_choice(slots)},
    ),
)  # fmt: skip


def _choice(slots: Slots) -> Slots:
    """Of "which driver should I use": both question words, and "I should" or "to"."""
    aux = slots["aux"].lower()
    other = "What" if slots["q"].lower() == "which" else "Which"
    how = "to " if aux == "do" else f"I {aux} "
    is_whole = len(slots["x"].split()) > 2 and not _PREPOSITION_LAST.search(slots["x"])
    act = slots["x"] if is_whole else ""
    that = "I " if aux == "do" else how
    return {**slots, "other": other, "aux": aux, "how": how, "how_that": that, "act": act}
