"""Questions for a gap whose clause `wh_questions` cannot parse: by the first auxiliary or verb.

Subjects may be long and have "and" in them: "Groups of ten or more pay 7 euros per person." gives
"How much do groups of ten or more pay per person?".
"""

import re

from ftdist.library.synthesis.clauses import STATEMENT_VERBS, base_in_statement
from ftdist.library.synthesis.question_clauses import BE, GAP, QuestionClause, WhQuestion
from ftdist.library.synthesis.verb_forms import is_participle, is_plural
from ftdist.library.synthesis.wh_questions import PREPOSITIONS

_AUXILIARY = "is|are|was|were|can|may|must|should|will"
_WITH_AUXILIARY = re.compile(
    rf"^(?P<subject>(?:(?!\b(?:{_AUXILIARY})\b)[^;:()])+?) (?P<aux>{_AUXILIARY})(?: (?P<rest>.*))?$"
)
_SUBORDINATE = re.compile(
    r"\b(?:if|because|when|which|who|whose|that|unless|whether|while|once|although|as|so)\b"
    r"|[;:()]|\b(?:not|never|no|nothing|nobody|neither)\b",
    re.IGNORECASE,
)
_LEANING = re.compile(
    r"^(?:this|that|these|those|it|they|there|he|she|here|such|please|also|then|others?|only|both|we"
    r"|one|some|all of)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?P<lead>(?i:after|before|during|in|on|with|without|for|at|from|until|within) [^,]{3,40}?)"
    r",? "
    r"(?=(?:the|an?|your|my|our|each|every) )"
)
_PREPOSITION = re.compile(rf"(?:^| )(?P<word>{PREPOSITIONS})$", re.IGNORECASE)
_NOUN_OF = re.compile(
    rf"(?:(?:^| )(?P<before>{PREPOSITIONS}))? ?\b(?:an?|the) (?P<noun>(?:[a-z][\w-]* ){{0,2}}"
    r"[a-z][\w-]*) of$"
)
_AMOUNT_IN_SUBJECT = re.compile(
    r"^(?:an?|the|your|my) (?P<noun>(?:[a-z][\w-]* ){0,3}[a-z][\w-]*) of$"
)
_NEXT_PREDICATE = re.compile(
    rf"^.*? and (?:(?P<aux>{_AUXILIARY}) )?(?P<verb>[a-z]+)(?P<rest>(?: .*)?)$"
)
_NOUN_BEFORE = re.compile(
    r"\b(?:for|of|to|with|on|in|at|from) [a-z][\w-]*s$|\b(?:the|an?|first|last|next|every|each)$"
)
"""What an amount behind it belongs to: "for journeys over three hours", "the first 10 miles"."""

_EXCEPTION = re.compile(r"\b(?:unless|except)\b")
_MEASURES = frozenset(["of", "over", "under", "above", "below", "beyond", "than"])
"""Prepositions that belong to an amount behind them."""

_END = re.compile(
    r",(?!\d)|[;:(]|(?:^| )(?:and|or|but|plus|which|who|so|because|usually|unless|except)\b"
)
_MEASURED = re.compile(
    r"^(?:(?:ahead|in advance|in length|each|high|wide|long|deep|old|away|apart)\b"
    r"|(?:wider|longer|higher|larger|smaller|deeper|shorter|before|after) (?:than )?\w[^,]*)"
)
_MAY_FOLLOW = re.compile(
    rf"^(?:(?:{PREPOSITIONS}|per|an?|each|every|when|if) |(?:daily|weekly|monthly)\b|$)"
)
_MAY_FOLLOW_VERB = re.compile(
    rf"^(?:(?:{PREPOSITIONS}|the|an?|your|my|our|every|each|all|you|me|us|them|only|about"
    r"|up|\d\S*|two|three|four|five|six|seven|eight|nine|ten|twelve)(?: |$)|$)"
)
_NO_VERB_AFTER = re.compile(
    rf"^(?:{PREPOSITIONS}|the|an?|your|my|our|every|each|all|no|to|and|or)$", re.IGNORECASE
)
_AFTER_PREPOSITION = re.compile(rf"(?!up to )(?:{PREPOSITIONS}) ")
_PERIODS = re.compile(r"^how many (?:minute|hour|day|night|week|month|year)s$")
_MAX_SUBJECT_WORDS, _MAX_WORDS = 14, 24


def fronted_questions(clause: str, words: str, *, is_command: bool) -> list[WhQuestion]:
    """The question for the gap of a clause; empty if its parts are not clear.

    Args:
        clause: as the customer says it, with `GAP` in place of what is asked for.
        words: that ask for it, such as "how many degrees".
        is_command: whether the clause is what to do.
    """
    before, _, after = (part.strip() for part in " ".join(clause.split()).partition(GAP))
    words = words.strip()
    if _SUBORDINATE.search(before):
        return []
    owned = _AMOUNT_IN_SUBJECT.match(before)
    if owned and words == "how much":
        return [WhQuestion("How much", "is", f"the {owned['noun']}", "", "")]
    if re.fullmatch(PREPOSITIONS, before) and not _SUBORDINATE.search(after.removeprefix("no ")):
        main = _predicate(_END.split(after)[0].strip())
        return [_joined(f"{before} {words}", main, main.rest)] if main else []
    lead = _LEAD.match(before) if not is_command else None
    main = _command(before) if is_command else _predicate(before[lead.end() :] if lead else before)
    further = _further(after, words)
    opening, rest = _opening(words, main.rest) if main else ("", "")
    if main is None or further is None or not opening or _EXCEPTION.search(after):
        return []
    measured = _MEASURED.match(further)
    if measured:
        opening, further = f"{opening} {measured[0]}", further[measured.end() :]
    if main.aux in BE and not rest and _PERIODS.match(opening):
        opening = "how long"
    if re.search(r"(?:^| )(?:and|or)$|,$", rest) or (
        not is_command and re.search(r"(?:^| )(?:and|or) |,", rest)
    ):
        return []
    end = f"{further} {lead['lead'][0].lower()}{lead['lead'][1:]}" if lead else further
    question = _joined(opening, main, f"{rest} {end}")
    return [question] if len(question.direct.split()) <= _MAX_WORDS else []


def _joined(opening: str, main: QuestionClause, rest: str) -> WhQuestion:
    opening = opening[0].upper() + opening[1:]
    return WhQuestion(opening, main.aux, main.subject, main.verb, " ".join(rest.split()))


def _opening(words: str, rest: str) -> tuple[str, str]:
    """What a question begins with, a preposition before its words, and what is left of the rest."""
    rest = re.sub(r"(?:^| )(?:only|currently|usually|normally|about|just)$", "", rest)
    found = _PREPOSITION.search(rest)
    if words == "at what" or (words.startswith("how many ") and _NOUN_BEFORE.search(rest)):
        return "", ""
    if found is None:
        return words, rest
    if found["word"] in _MEASURES - {"of"}:
        return "", ""
    if found["word"].lower() == "of":
        noun = _NOUN_OF.search(rest)
        if noun is None or not words.startswith(("how much", "how many", "what percentage")):
            return "", ""
        return f"{noun['before'] or ''} what {noun['noun']}".strip(), rest[: noun.start()].strip()
    if re.match(r"(?:on|in|at|by|between|until|with|from|to|when|where|how$|why)\b", words):
        return ("", "")
    if found["word"].lower() == "for" and _PERIODS.match(words):
        return "how long", rest[: found.start()].strip()
    return f"{found['word'].lower()} {words}", rest[: found.start()].strip()


def _further(after: str, words: str) -> str | None:
    """What a question keeps of what follows the gap; None: the gap is a part of it."""
    text = _END.split(after)[0].strip()
    is_whole = _MAY_FOLLOW.match(text) or _MEASURED.match(text)
    return text if is_whole or not words.startswith("how ") else None


def _command(text: str) -> QuestionClause | None:
    """What to do, as one asks for it; None if it is more than one thing."""
    verbs = re.findall(r"\b(?:and|or) (?:then )?([a-z]+)", text)
    is_one = not any(verb in STATEMENT_VERBS for verb in verbs)
    return QuestionClause("I", "should", "", text) if is_one and len(text.split()) > 2 else None


def _predicate(text: str) -> QuestionClause | None:
    """The parts of what stands before a gap; None if they are not clear."""
    match = _WITH_AUXILIARY.match(text)
    found = (
        QuestionClause(match["subject"], match["aux"], "", match["rest"] or "")
        if match
        else _with_verb(text)
    )
    if found is None or _LEANING.match(found.subject) or _AFTER_PREPOSITION.match(found.subject):
        return None
    if len(found.subject.split()) > _MAX_SUBJECT_WORDS or found.subject.endswith(","):
        return None
    return _last(found)


def _last(found: QuestionClause) -> QuestionClause:
    """The last of several predicates of a subject: "may be carried over and must be taken by"."""
    match = _NEXT_PREDICATE.match(f" {found.rest}")
    if match is None:
        return found
    if match["aux"]:
        return QuestionClause(found.subject, match["aux"], "", f"{match['verb']}{match['rest']}")
    if found.aux in ("are", "were") and match["verb"] in STATEMENT_VERBS:
        return QuestionClause(found.subject, "do", match["verb"], match["rest"].strip())
    if found.aux in BE and is_participle(match["verb"]):
        return QuestionClause(found.subject, found.aux, "", f"{match['verb']}{match['rest']}")
    base = base_in_statement(match["verb"]) if found.aux == "does" else match["verb"]
    if found.aux in ("do", "does") and base in STATEMENT_VERBS:
        return QuestionClause(found.subject, found.aux, base, match["rest"].strip())
    return found


def _with_verb(text: str) -> QuestionClause | None:
    """Subject, "do" or "does", verb and rest of a clause without an auxiliary."""
    words = text.split()
    for at in range(1, len(words)):
        word, subject, rest = words[at], " ".join(words[:at]), " ".join(words[at + 1 :])
        third = base_in_statement(word)
        if not (third or word in STATEMENT_VERBS) or not _MAY_FOLLOW_VERB.match(rest):
            continue
        if _NO_VERB_AFTER.search(words[at - 1]) or words[at - 1].endswith(","):
            continue
        is_several = is_plural(subject) or bool(re.search(r" and ", subject)) or subject == "I"
        is_several |= subject in ("you", "most", "many", "some")
        if is_several == bool(third):
            continue
        return QuestionClause(subject, "does" if third else "do", third or word, rest)
    return None
