"""Questions of what a sentence says of a case: whether it is allowed, free, or for whom."""

import re

from ftdist.library.synthesis.command_questions import is_command
from ftdist.library.synthesis.question_clauses import parse_statement
from ftdist.library.synthesis.sentence_parts import in_sentence
from ftdist.library.synthesis.verb_forms import is_plural

_FORBIDDEN = ("forbidden", "prohibited", "banned")
_STATE = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<aux>is|are|will be)(?: (?:also|only|always|generally|usually))?"
    rf" (?P<state>allowed|permitted|welcome|admitted|accepted|{'|'.join(_FORBIDDEN)}|possible"
    r"|free of charge|free(?! (?:of|from)\b)|included|refundable|covered|available|compulsory"
    r"|optional|required|needed|necessary)\b"
)
_CONDITION = re.compile(
    r"^(?P<main>[^,;:]+?)(?<! or)(?<! and),? (?:only )?"
    r"(?:if|unless|provided(?: that)?|as long as|except) [^;:]+$"
)
_HAPPENS = re.compile(r"^If (?P<case>[^,;:]{5,80}), (?P<then>(?!please\b|do\b|never\b)[^;:]+)")
_CAN_BE = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<modal>can|may|must|has to|have to) be (?P<done>[a-z]+ed|made|paid"
    r"|sent|given|bought|taken|brought)(?: [a-z]+ly)? (?:with|by|in writing|via|through|online"
    r"|using)\b"
)
_SELECTED = (
    r"(?:Residents|Customers|Members|Guests|Visitors|Families|Pupils|Students|People|Children"
    r"|Employees|Staff|Parents|Pensioners|Households|Drivers|Users|Tenants|Owners|Participants"
    r"|Patients|Passengers|Teachers|Subscribers|Businesses|Companies|Adults|Readers)"
)
_FOR_WHOM = re.compile(
    rf"^{_SELECTED} (?:who|with|without|receiving|under|over|aged|in|from|on|of|living|whose)"
    r" [^,;:]*? (?P<does>(?:can|may|must) (?:apply|use|get|borrow|book|claim|join|enter|ask|request"
    r"|order)\b[^,;:]*|pay half|travel free)"
)
_GUARANTEE = re.compile(
    r"^(?P<subject>[^,;:]+?) (?:carr(?:y|ies)|ha(?:s|ve)|comes? with|(?:is|are) covered by|gets?)"
    r" an? [\w-]+[ -](?:day|week|month|year) (?P<what>guarantee|warranty)\b"
)
_MEANS = re.compile(
    r"^(?P<subject>[^,;:]+?)(?: (?:usually|often|always|normally))? means? (?:that )?(?!to\b)"
)
_NEEDS = re.compile(
    r"^(?P<subject>[^,;:]+?) (?:needs?|requires?) (?P<what>an? [a-z][a-z -]*?)"
    r"(?=,|$| (?:for|to|from|if|which|that|when|at|in)\b)"
)
_AGE_TO = re.compile(
    r"^(?:You (?:can|may) (?P<do>[a-z][^,;:]*?) if you are (?:at least |over |aged )?\d{1,2}\b"
    r"|You must be (?:at least |over |aged )?\d{1,2}(?: years old| or over)? to (?P<to>[^,;:]+))"
)
_OFTEN = re.compile(
    r"^(?:(?:Once|Twice|Three times|Four times) (?:an?|every|each|per|in)|Every)\b[^,;:]{2,30}, "
    r"(?P<do>[a-z][^,;:]+)$"
)
_LEANING = re.compile(
    r"^(?:this|that|these|those|it|they|there|he|she|you|here|such|then|others?|one|some|all|both"
    r"|each"
    r"|everything|nothing|if|when|for|in|on|at|after|before|with|only)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"\b(?:if|when|because|while|but|is|are|can|may|must|will)\b")
_MAX_SUBJECT_WORDS = 9


def status_questions(text: str) -> list[str]:
    """Questions of a sentence without its full stop, in lower case, without marks, as we say it."""
    found: list[str] = []
    for rule in _RULES:
        found += rule(text)
    return found


def _subject(text: str) -> str:
    """A subject within a question; "" if it is not clear."""
    is_clear = len(text.split()) <= _MAX_SUBJECT_WORDS and not _CLAUSE.search(text)
    if _LEANING.match(text) or not is_clear:
        return ""
    return in_sentence(text)


def _of_state(text: str) -> list[str]:
    match = _STATE.match(text)
    subject = _subject(match["subject"]) if match else ""
    if not match or not subject:
        return []
    state = "allowed" if match["state"] in _FORBIDDEN else match["state"]
    aux, _, be = match["aux"].partition(" ")
    return [f"{aux} {subject} {be} {state}"]


def _of_condition(text: str) -> list[str]:
    """Whether something is so that holds on a condition, and what happens in a case."""
    if match := _HAPPENS.match(text):
        return [f"what happens if {match['case']}"]
    if _AGE_TO.match(text) or _STATE.match(text) or not (match := _CONDITION.match(text)):
        return []
    parts = parse_statement(match["main"])
    if parts is None or parts.is_negated or parts.subject.lower() in ("it", "they", "there"):
        return []
    subject = parts.subject if parts.subject in ("I", "you", "we") else _subject(parts.subject)
    return [f"{parts.aux} {subject} {parts.verb} {parts.rest}"] if subject else []


def _of_manner(text: str) -> list[str]:
    match = _CAN_BE.match(text)
    subject = _subject(match["subject"]) if match else ""
    if not match or not subject:
        return []
    modal, _, to = match["modal"].partition(" ")
    if to:
        modal, subject = ("do" if modal == "have" else "does"), f"{subject} have to"
    return [f"how {modal} {subject} be {match['done']}"]


def _for_whom(text: str) -> list[str]:
    match = _FOR_WHOM.match(text)
    if match is None:
        return []
    does = re.sub("^(pay|travel)", r"\1s", match["does"])
    return [f"who {does}"]


def _of_guarantee(text: str) -> list[str]:
    match = _GUARANTEE.match(text)
    subject = _subject(match["subject"]) if match else ""
    return [f"how long is the {match['what']} on {subject}"] if match and subject else []


def _of_meaning(text: str) -> list[str]:
    match = _MEANS.match(text)
    subject = _subject(match["subject"]) if match else ""
    does = "do" if subject and is_plural(subject) else "does"
    return [f"what {does} {subject} mean"] if subject else []


def _of_need(text: str) -> list[str]:
    match = _NEEDS.match(text)
    subject = _subject(match["subject"]) if match else ""
    if not match or not subject:
        return []
    is_several = is_plural(subject) or " and " in subject or subject in ("you", "we")
    return [f"{'do' if is_several else 'does'} {subject} need {match['what']}"]


def _of_interval(text: str) -> list[str]:
    match = _OFTEN.match(text)
    is_known = match is not None and is_command(match["do"], is_step=True)
    return [f"how often should I {match['do']}"] if match and is_known else []


def _of_age(text: str) -> list[str]:
    match = _AGE_TO.match(text)
    return [f"how old must you be to {match['do'] or match['to']}"] if match else []


_RULES = (
    _of_age, _of_state, _of_condition, _of_manner, _for_whom, _of_guarantee, _of_meaning, _of_need,
    _of_interval,
)  # fmt: skip
