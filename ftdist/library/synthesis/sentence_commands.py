"""Rules for sentences that tell what to do, and for those that tell what must be done.

They return what those of `sentence_rules` return.
"""

import re
from collections.abc import Sequence

from ftdist.library.synthesis.sentence_parts import NUMBER, SUBJECT, action_of, mine, subject_of
from ftdist.library.synthesis.verb_forms import VERBS, is_plural

Found = Sequence[str] | None

_OFTEN = (
    r"(?:every (?:\w+ )?(?:day|week|month|year|hour|minute|second|morning|evening)s?|once an? \w+"
    r"|twice an? \w+|daily|weekly|monthly|yearly|once a day|(?:two|three|four|\d+) times an? \w+)"
)
_COMPOUND = re.compile(
    r"\b(?:unless|but|and (?:is|are|has|have|does|do|can|may|must|will|should))\b"
)
_AT_ONCE = "(?:(?:right|shortly|directly|immediately|just|only) )?"


def how_often(text: str) -> Found:
    """The question of "Boil the mouthpiece for 5 minutes once a week"."""
    match = re.match(rf"^(?P<x>[A-Z][a-z]+ [^,;:]+?) (?P<v>{_OFTEN}.*)$", text)
    action = _action(match["x"]) if match else ""
    return (f"How often should I {action}", match["v"]) if match and action else None


def when_to(text: str) -> Found:
    """The question of "Oil the blade after every use"."""
    match = re.match(
        rf"^(?P<x>[A-Z][a-z]+ [^,;:]+?) (?P<v>{_AT_ONCE}(?:after|before) [^,;:]+)$", text
    )
    action = _action(match["x"]) if match else ""
    return (f"When should I {action}", match["v"]) if match and action else None


def how_with(text: str) -> Found:
    """The question of "Descale the kettle with citric acid, never with vinegar"."""
    match = re.match(r"^(?P<x>[A-Z][a-z]+ [^,;:]+?) (?P<v>(?:with|using) .+)$", text)
    action = _action(match["x"]) if match else ""
    if not match or not action:
        return None
    if action.startswith(("replace ", "fill ")) and match["v"].startswith("with "):
        return f"What should I {action} with", match["v"].removeprefix("with ")
    return f"How should I {action}", match["v"]


def may(text: str) -> Found:
    """The question of "Managers may not approve their own trips"; the sentence answers it."""
    match = re.match(
        r"^(?P<s>(?:[A-Z][\w-]*|The [\w-]+)(?: [a-z][\w-]+){0,3}?)"
        r" (?P<m>must not|may not|cannot|must|may|can|should) (?P<x>[a-z]+(?: [^,;:]+)?)$",
        text,
    )
    if not match or not (subject := _statement(match["s"])) or len(text.split()) > 20:
        return None
    if _COMPOUND.search(match["x"].partition(" unless ")[0]):
        return None
    if match["x"].split()[0] not in VERBS | {"be"} or re.match(r"be \w+ing\b", match["x"]):
        return None
    until = re.match(r"^(?P<x>.+?) (?P<v>(?:within|before|by) .*\d.*)$", match["x"])
    until = until or re.match(
        r"^(?P<x>.+?) (?P<v>at least \w+ (?:\w+ )?(?:in advance|before)\b.*)$", match["x"]
    )
    if until and match["m"] in ("must", "should"):
        return f"When {match['m']} {subject} {mine(until['x'])}", until["v"]
    modal = match["m"].removesuffix(" not").replace("cannot", "can").capitalize()
    modal = "May" if match["m"] == "must not" else modal
    if modal == "May" and re.match(r"(?:the|an?) ", subject) and not match["x"].startswith("be "):
        modal = "Can"  # "The cuff may cause bruises"
    action, _, _ = match["x"].partition(" unless ")
    return f"{modal} {subject} {mine(action)}", ""


def is_denied(text: str) -> Found:
    """The question of "Alcohol is not reimbursed"; the sentence answers it."""
    match = re.match(rf"^{SUBJECT} (?P<be>is|are) not (?P<x>[a-z][^,;:]+)$", text)
    if (
        not match
        or _COMPOUND.search(text)
        or not (subject := _statement(match["s"]))
        or len(text.split()) > 16
    ):
        return None
    return f"{match['be'].capitalize()} {subject} {mine(match['x'])}", ""


def does_deny(text: str) -> Found:
    """The question of "The projector does not support 3D"; the sentence answers it."""
    match = re.match(rf"^{SUBJECT} (?P<do>does|do) not (?P<x>[a-z][^,;:]+)$", text)
    if (
        not match
        or _COMPOUND.search(text)
        or not (subject := _statement(match["s"]))
        or len(text.split()) > 16
    ):
        return None
    return f"{match['do'].capitalize()} {subject} {mine(match['x'])}", ""


def how_many(text: str) -> Found:
    """The question of "Every employee has 27 days of leave"."""
    match = re.match(
        rf"^{SUBJECT} (?P<v>has|have|gets?|receives?|pays?|contributes?)"
        rf" (?P<n>(?:up to |at least |about )?(?:{NUMBER})) (?P<u>[a-z]+s)(?P<of> of [a-z][\w ]+?)?"
        r"(?P<rest>(?: (?:per|a|for|to|in|on|each) .+)?)$",
        text,
    )
    if not match or match["u"] in ("times",):
        return None
    first, _, others = match["s"].partition(" ")
    subject = f"every {others}" if first in ("Every", "Each") else _statement(match["s"])
    if not subject:
        return None
    verb = match["v"].removesuffix("s") if match["v"] != "has" else "have"
    do = "do" if is_plural(subject) else "does"
    value = f"{match['n']} {match['u']}"
    return f"How many {match['u']}{match['of'] or ''} {do} {subject} {verb}{match['rest']}", value


def _statement(text: str) -> str:
    """A subject within a question: "Sick days" at the start of a sentence is "sick days" there."""
    first, *others = subject_of(text).split() or [""]
    if re.search(r"\b(?:you|I|we)\b", text):
        return ""
    is_plain = bool(others) and others[0].islower() and is_plural(text) and first[1:].islower()
    return " ".join([first.lower() if is_plain else first, *others])


def _action(text: str) -> str:
    """What a command tells to do, in a question; "" if it is none or leans on what is before."""
    words = text.split()
    is_open = (
        re.search(r"\b(?:and|or|then|not|it|them|if|you\W*re|that)\b", text)
        or words[0].lower() == "use"
        or words[1:2] in (["is"], ["are"], ["was"], ["can"], ["must"], ["may"], ["will"], ["has"])
    )
    return "" if is_open else action_of(text[0].lower() + text[1:])


COMMANDS = (how_often, when_to, how_with, how_many, does_deny, is_denied, may)
