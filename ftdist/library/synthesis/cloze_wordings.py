"""Other wordings of the questions of a sentence, each naming what it is about."""

import re

from ftdist.library.synthesis.naming import preposition
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.question_draft import worded
from ftdist.library.synthesis.span_questions import SpanQuestion, lower_unless_name
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.verb_forms import VerbPhrase, verb_of

DANGLES = re.compile(r"(?:\S+ ){0,4}(?:it|its|they|their|them)\b", re.IGNORECASE)
"""A question about something that it does not name."""

_FRAMES = (
    "Can you tell me this? {0}",
    "I would like to know: {1}",
    "Hello, I have a question. {0}",
    "Could you help me? {0}",
)
"""How people put a question to somebody; filled with it, and with it in lower case."""

_EMBEDDING = (
    "Can you tell me {0}?",
    "I need to know {0}.",
    "Do you know {0}?",
    "I would like to know {0}.",
)
"""The same around a question in the order of a statement."""

_REWORDED = re.compile(
    r"(?:For|In|At|After|Within|Until|By|Under|On|To|With|Into|Through|From|Between) "
    r"(?:how|which|when|what (?:time|date|day|age|temperature))|With what should I "
    r"|How|When|Where|Why|Who|Which|What (?!(?:is|are) an? )"
    r"|(?:Do|Does|Can|May|Must|Is|Are|Should|Will) ",
    re.IGNORECASE,
)
"""A question that is worth other wordings: not "From what should I buy logs"."""

_STANDS_FOR = re.compile(r"\b(?:it|its|them|they|their|a new one)\b", re.IGNORECASE)
_STRANDED = re.compile(r" (?:in|out|up|down|off|at|through|from|to|with) (?:on|at|in|of|with) the ")
_ASKS_COMPANY = re.compile(r"\b(?:do|can|will|may|should|must) you\b", re.IGNORECASE)
_NAMES_COMPANY = re.compile(r"\byour?\b(?! (?:tell|help|give|name|explain|look)\b)", re.IGNORECASE)
_FRAMED = re.compile(r"A question about |I have a question ")
_OBJECT = r"(?:the|an?|it|your|my)\b"
_MAX_WHILE = 2
_MAX_FORMS = 12


def other_wordings(
    asking: SpanQuestion, thing: Thing | None, heading: str, number: int
) -> list[str]:
    """Other wordings of a question as a customer asks it, each naming what it is about."""
    question = asking.question
    if not _REWORDED.match(question) or _leans_on_other(question):
        return []
    asks_company = _ASKS_COMPANY.search(question)
    if thing is not None:
        forms = [each for each in worded(question.rstrip("?"), thing) if each[-1] in "?."]
        forms = [each for each in forms if not _FRAMED.match(each)]
    else:
        forms = paraphrases(question, count=_MAX_FORMS, seed=0)[1:]
        forms = [each for each in forms if each[-1] in "?." and question not in each]
        forms = [
            named_question(each, None, heading, number + at) for at, each in enumerate(forms, 1)
        ]
    turn = (len(question) + number) % len(_FRAMES)
    if asking.embedded and (thing is None or thing.is_named_in(question)):
        framed = _EMBEDDING[turn].format(asking.embedded)
    else:
        named = named_question(question, thing, heading, 0)
        framed = _FRAMES[turn].format(named, lower_unless_name(named))
    forms = [each for each in forms if not asks_company or _NAMES_COMPANY.search(each)]
    forms = [each for each in forms if not _STRANDED.search(each)]
    within = _while_doing(question, thing, heading, number) if number < _MAX_WHILE else ""
    return [*forms[:1], within, *forms[1:2], framed, *forms[2:]]


def _leans_on_other(question: str) -> bool:
    """Whether a question has a pronoun for something that it does not name before it."""
    pronoun = _STANDS_FOR.search(question)
    return pronoun is not None and not re.search(
        r"\b(?:the|an?|my|your) [a-z]", question[: pronoun.start()]
    )


def _while_doing(question: str, thing: Thing | None, heading: str, number: int) -> str:
    """A question of somebody who is doing what a heading names; "" if it names nothing done."""
    doing = _doing(heading)
    if not doing or question.casefold().startswith(doing.casefold()):
        return ""
    if thing is None and " " not in doing:
        return ""
    if thing is not None and not thing.is_named_in(question):
        verb, _, rest = doing.partition(" ")
        if not rest:
            doing = f"{verb} {thing.names[0]}"
        elif re.match(r"it\b", rest):
            doing = f"{verb} {thing.names[0]}{rest[2:]}"
        elif re.fullmatch(r"\w+ [\w-]+(?: [\w-]+)?", rest):
            doing = f"{doing} of {thing.names[0]}"
        else:
            return ""
    if number % 2:
        return f"I am {doing}. {question}"
    return f"When {doing}, {lower_unless_name(question)}"


def _doing(heading: str) -> str:
    """Such as "descaling" or "cleaning the burrs" of a heading; "" if it names nothing done."""
    lower = heading.lower()
    verb, _, rest = lower.partition(" ")
    if verb_of(verb) and re.match(rf"(?:$|{_OBJECT})", rest):
        return lower
    phrase = VerbPhrase.parse(lower.removeprefix("how to "))
    return phrase.gerund if phrase and re.match(_OBJECT, phrase.rest) else ""


def named_question(question: str, thing: Thing | None, heading: str, number: int) -> str:
    """A question that names what it is about: before it, or as a heading with a colon."""
    if thing is None:
        needs_heading = bool(DANGLES.match(question)) or number % 2
        if not heading or not needs_heading or heading.casefold() in question.casefold():
            return question
        return f"{heading}: {lower_unless_name(question)}"
    if thing.is_named_in(question):
        return question
    if number % 2:
        return f"{thing.bare_names[0]}: {lower_unless_name(question)}"
    return f"{preposition(thing).capitalize()} {thing.names[0]}, {lower_unless_name(question)}"
