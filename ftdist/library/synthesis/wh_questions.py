"""Wh-questions: what asks for a part of a clause comes first, its auxiliary before the subject.

"The hatch closes at 6.20 pm." is asked for as "What time does the hatch close?", and the step
"Wait for two beeps." as "How many beeps should I wait for?".
"""

import re
from collections.abc import Iterator

from ftdist.library.synthesis.question_clauses import (
    BE,
    GAP,
    QuestionClause,
    WhQuestion,
    first_clause,
    parse_command,
    parse_statement,
)

NEGATION = re.compile(
    r"\b(?:not|never|no|cannot|nothing|nobody|none|neither|nor|unless|except|apart|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
PREPOSITIONS = (
    "about|above|across|after|against|along|around|at|before|behind|below|beneath|beside|between|by"
    "|down|during|for|from|in|inside|into|near|of|off|on|onto|over|past|than|through|to|towards"
    "|under|until|up|upon|via|with|within|without|beyond|outside|since|as"
)
_PREPOSITION = re.compile(rf"(?:^|(?<=\s))(?P<word>{PREPOSITIONS})$", re.IGNORECASE)
_ATTACHED = frozenset(["of", "than", "as", "between"])
"""Prepositions that cannot be taken from their noun."""

_PARTICLES = frozenset(["about", "over", "up", "down", "off", "out", "on", "in"])
_PHRASAL_WORDS = """
put fill plug turn switch take screw log hand clip pop pull push press write type
sift stir fold mix rub"""
_PHRASAL = frozenset(_PHRASAL_WORDS.split())
"""Verbs with which these are no prepositions: "put on", "fill in"."""

_OF_NO_NOUN = re.compile(
    r"(?:on|in|at|by|between|until|with|from|to|into) (?:which|what|when)"
    r"|(?:when|where|why|how|how often)$"
)
"""Words that ask for more than a noun: a preposition before them is none of theirs."""

_ONLY = re.compile(r"(?:^|(?<=\s))(?:only|just|about|also|roughly)$", re.IGNORECASE)
OTHER_CLAUSE = r"(?:where|which|who|whose|that)\b"
BORDER = re.compile(
    rf"\b{OTHER_CLAUSE}|\b(?:when|if|because|although|while|so|whether|how|what|why)\b"
    r"|\b(?:unless|until|before|after|since|though|except|provided|than)\b"
    r"|[,;:(]| (?:and|or|but)(?: |$)",
)
"""What a part cannot be brought before: it would leave another clause or a list."""

_LIST = re.compile(r"^(?:of|-)\b|(?:^| )(?:and|or|but|unless|except)(?: |$)")
_MEASURED = re.compile(
    r"^(?:high|tall|wide|long|deep|thick|old|away|apart|off|in advance|ahead|early|late|each"
    r"|per \w+|a (?:day|night|week|month|year|person|head|piece|time)|and (?:over|under)"
    r"|or (?:more|over|older|under|longer))\b"
)
"""What belongs to an amount before it: "2.3 metres high"."""

_OF_AMOUNT = re.compile(
    r"^(?:(?:of|before|after) (?:the |an? |my |your )?"
    r"(?!(?:up|about|at|that|this|which)\b)[a-z][\w-]*\b)+"
)
"""What belongs to an amount before it, whatever stands before that: "days of the expense"."""

_NOUN_OF = re.compile(
    r"(?:^|(?<= ))(?:an?|the) (?P<noun>(?:[a-z][\w-]* ){0,2}"
    r"(?:discount|fee|deposit|charge|surcharge"
    r"|fine|supplement|excess|penalty|rate|limit|pressure|speed|power|capacity|temperature|distance"
    r"|weight|height|length|width|depth|diameter|age|range|volume|allowance|refund|minimum|maximum"
    r"|share|level|price|premium)) of$"
)
"""What an amount is of: "a discount of"."""

_NEXT_AMOUNT = re.compile(r",? and (?=(?:at|after|within|until|before|by|from|for) |\d)")
"""Before another amount of the same kind: "at 19.40 in summer and at 16.30 in winter"."""

_TIMES = frozenset(["before", "after", "until"])
"""Prepositions that are also conjunctions."""

_DETERMINER_END = re.compile(r"\b(?:the|an?|every|each|your|my|our|first|last|next)$")
_NOUN_LEFT = re.compile(r"\b(?:for|of|to|with|on|in|at|from) [a-z][\w-]*$")
"""A noun that an amount behind it belongs to: "journeys over three hours"."""

_RANGE = re.compile(r"\d\S*(?: \w+)? (?:to|and|or)$")
"""The beginning of a range, of which the gap is the end: "5 July to"."""

_WITH_TIME = re.compile(
    r"\b(?:within|for|until|every)\b|(?:minute|hour|day|week|month|year)s?$", re.IGNORECASE
)
_AFTER_NOUN = re.compile(
    r"\b(?:in|on|at|from|to|of|into|under|behind|beside|near) (?:an?|the|our|your|my|its) [\w-]+"
    r"(?: with| of| for)?$"
)
"""A place before what may belong to it: "in the bucket with"."""

_STARTS_NOUN = re.compile(
    rf"^(?!(?:{PREPOSITIONS}|a|an|the|my|your|me|you|it|them|back|again|once|twice|every|each|when"
    r"|if|while|daily|together|first|straight|ahead|away|free|clear)\b)[a-z]"
)
"""What would be left of a noun whose first part is asked for."""

_NOUN_PHRASE = re.compile(r"^(?:an?|the|our|your|my|its|their) \w", re.IGNORECASE)
_PERIODS_WORDS = """
second minute hour day night week month year seconds minutes hours days nights weeks weekends months
quarters years seasons"""
_PERIODS = frozenset(_PERIODS_WORDS.split())
NO_SUBJECT = re.compile(r"^(?:whoever|whatever|those|anyone|everyone)\b", re.IGNORECASE)


def wh_questions(clause: str, words: str, *, is_command: bool) -> list[WhQuestion]:
    """Questions for the gap of a clause, the most natural first.

    Args:
        clause: as the customer says it, with `GAP` in place of what is asked for; its first word
            is in lower case unless it is a name.
        words: that ask for it, such as "how many degrees".
        is_command: whether the clause is what to do.

    Returns:
        empty where the subject is not clear or the gap cannot be moved.
    """
    clause, words = " ".join(clause.split()), words.strip()
    parts = parse_command(clause) if is_command else parse_statement(clause)
    if parts is None or GAP in parts.subject or NO_SUBJECT.match(parts.subject):
        return []
    parts = parts.last_verb().without_only()
    before, _, after = (part.strip() for part in parts.rest.partition(GAP))
    before = _ONLY.sub("", before).strip()
    is_amount = words.startswith("how ") or words == "what percentage"
    owned = _NOUN_OF.search(before) if is_amount and not after else None
    if owned:
        words, before = f"what {owned['noun']}", before[: owned.start()].strip()
    preposition = None if _OF_NO_NOUN.match(words) else _PREPOSITION.search(before)
    lead = preposition["word"].lower() if preposition else ""
    if _is_fixed(parts, before, words=words, lead=lead):
        return []
    is_particle = lead in _PARTICLES and before == lead
    before = before[: preposition.start()].strip() if preposition else before
    measured = (_MEASURED.match(after) if not lead else None) or (
        _OF_AMOUNT.match(after) if is_amount else None
    )
    if measured:
        words, after = f"{words} {measured[0]}", after[measured.end() :].strip()
        after = re.sub("^of (?:up to|about|at) .*", "", after)
    has_time = parts.verb in ("have", "take", "need") and not before
    further = _remainder(after, words=words, may_begin_with_to=has_time)
    if further is None:
        return []
    found = []
    is_last = not (further or measured or lead in _TIMES)
    for opening, end in _openings(words, lead, is_last=is_last, is_particle=is_particle):
        rest = " ".join(f"{before} {further} {end}".split())
        found.append(WhQuestion(opening, parts.aux, parts.subject, parts.verb, rest))
    return list(dict.fromkeys(found))


def _is_fixed(parts: QuestionClause, before: str, *, words: str, lead: str) -> bool:
    """Whether the gap cannot be moved before its clause.

    Args:
        parts: of the clause.
        before: what stands between its verb and the gap.
        words: that ask for the gap.
        lead: the preposition before it.
    """
    if lead in _TIMES:
        before = before[: -len(lead)].strip()
    is_denied = NEGATION.search(before) or (parts.is_negated and words != "why")
    is_complement = parts.aux in BE and not parts.verb and _NOUN_PHRASE.match(before)
    is_of_noun = lead in _ATTACHED or _DETERMINER_END.search(before) or _RANGE.search(before)
    is_period = lead == "for" and words.removeprefix("how many ") in _PERIODS
    may_be_of_noun = (
        not is_period
        and re.match(r"(?:with|of|for)\b", lead or words)
        and _AFTER_NOUN.search(before)
    )
    is_second_time = words == "when" and _WITH_TIME.search(before)
    is_particle = not before or (before == lead and lead in _PARTICLES)
    is_phrasal = parts.verb in _PHRASAL and is_particle and not words.startswith("how ")
    is_beside_noun = words.startswith("how many ") and not lead and _NOUN_LEFT.search(before)
    reasons = (
        is_beside_noun,
        is_denied,
        is_complement,
        is_of_noun,
        may_be_of_noun,
        is_second_time,
        is_phrasal,
    )
    return bool(BORDER.search(before)) or any(reasons)


def _remainder(after: str, *, words: str, may_begin_with_to: bool) -> str | None:
    """What a question keeps of what follows its gap; None: the gap is a part of that."""
    if re.match(OTHER_CLAUSE, after):
        return ""
    after = _NEXT_AMOUNT.split(first_clause(f" {after}").strip())[0]
    is_amount = words.startswith("how ")
    is_list = after.startswith((",", "(")) or _LIST.search(after)
    is_before = is_amount and re.match(r"(?:before|after)\b", after)
    is_purpose = re.match(r"to\b", after) and not may_begin_with_to
    if is_list or is_before or is_purpose or (is_amount and _STARTS_NOUN.match(after)):
        return None
    return "" if not is_amount and re.match(r"(?:with|of)\b", after) else after


def _openings(
    words: str, lead: str, *, is_last: bool, is_particle: bool
) -> Iterator[tuple[str, str]]:
    """What a question begins with, and what is left at its end: the preposition, or nothing."""
    opening = f"{words[0].upper()}{words[1:]}"
    own, _, further = words.partition(" ")
    if words == "what time":
        before = "" if lead in ("at", "") else f"{lead} "
        yield from ((f"{before}{each}".capitalize(), "") for each in ("what time", "when"))
    elif lead == "for" and words.removeprefix("how many ") in _PERIODS:
        yield from (("How long", ""), (f"For {words}", ""))
    elif words == "how long" and lead in ("for", ""):
        yield ("How long", "")
    elif lead:
        if is_last or is_particle:
            yield (opening, lead)
        if not is_particle:
            yield (f"{lead.capitalize()} {words}", "")
    elif further == "what":
        if is_last:
            yield ("What", own)
        yield (opening, "")
    elif not lead:
        yield (opening, "")
