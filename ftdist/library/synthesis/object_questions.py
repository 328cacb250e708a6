"""Questions for the object of a command, and for the object or subject of a statement."""

import re

from ftdist.library.synthesis.answer_spans import PERSON, without_values
from ftdist.library.synthesis.question_clauses import QuestionClause, first_clause, parse_statement
from ftdist.library.synthesis.verb_forms import VERBS, is_plural
from ftdist.library.synthesis.wh_questions import (
    BORDER,
    NEGATION,
    NO_SUBJECT,
    OTHER_CLAUSE,
    PREPOSITIONS,
)

_OBJECT = re.compile(
    r"^(?P<verb>[a-z]+)(?P<particle> (?:on|off|up|down|out|in|away|back))? "
    r"(?P<object>(?:the|an?|your|our|my|all|both|any) [a-z][\w-]*(?: (?!(?:and|or|to|in|on|at|for"
    r"|with|from|by|into|onto|under|until|before|after|when|while|if|as|so|is|are|has|that|which|of"
    r"|off|out|up|down|back|away|again|first|over|through|once|twice|straight|against|below|above"
    r"|behind|beneath|beside|near|inside|during|every|each|within|without|your|our|my|the|an?|you|we|they)\b)[a-z][\w-]*){0,3}"
    r"(?: of (?:the|an?|your|our) [a-z-]+)?)(?P<rest> .*|)$"
)
_SUBJECT = re.compile(
    r"^(?:the|our|your|an?|each|every) (?:[a-z][\w-]* ?)+$|^[A-Z][a-z]+(?: [a-z][\w-]*)+$",
    re.IGNORECASE,
)
_TRANSITIVE_WORDS = """
accept take need require include contain supply reach offer sell use cover mean cause protect hold
provide recommend lend rent hire allow serve"""
_TRANSITIVE = frozenset(_TRANSITIVE_WORDS.split())
_NO_OBJECT = re.compile(
    rf"^(?:{PREPOSITIONS}|it|its|them|you|me|only|an? quarter|half|place|less|more|fewer|no"
    r"|neither|little)\b"
    rf"|.*(?:\d|[,;:(]|\b{OTHER_CLAUSE})",
    re.IGNORECASE,
)
_MAX_OBJECT_WORDS, _MIN_PREDICATE_WORDS, _MAX_SUBJECT_WORDS = 6, 3, 6


def command_questions(command: str) -> list[str]:
    """What a command acts on, asked for: "Unplug the cable first" as "What should I ... first".

    Args:
        command: in lower case, as the customer says it.
    """
    match = _OBJECT.match(first_clause(command))
    if not match or match["verb"] not in VERBS or match["verb"] in ("let", "make", "be"):
        return []
    rest = match["rest"]
    is_brought = match["verb"] in ("bring", "wear", "pack")
    if BORDER.search(rest) or not (rest or match["particle"] or is_brought):
        return []
    return [f"What should I {match['verb']}{match['particle'] or ''}{rest}"]


def statement_questions(clause: str) -> list[str]:
    """What somebody takes or has, or what does something: "What goes back to the boathouse".

    Args:
        clause: as the customer says it.
    """
    clause = first_clause(" ".join(clause.split()))
    parts = parse_statement(clause)
    is_duty = parts is not None and parts.verb == "have" and parts.rest.startswith("to ")
    if parts is None or is_duty or NEGATION.search(clause):
        return []
    if _has_object(parts):
        return [f"What {parts.aux} {parts.subject} {parts.verb}"]
    predicate = f"{parts.verb} {parts.rest}".strip()
    is_person = re.search(r"\b(?:me|you)\b", predicate)
    is_long = len(parts.subject.split()) > _MAX_SUBJECT_WORDS or BORDER.search(parts.rest)
    is_short = len(without_values(predicate).split()) < _MIN_PREDICATE_WORDS
    is_thing = _SUBJECT.match(parts.subject) and not is_plural(parts.subject)
    if not is_thing or is_person or is_long or is_short:
        return []
    what = "Who" if PERSON.search(parts.subject) else "What"
    if parts.aux == "does":
        finite = clause[clause.find(parts.subject) + len(parts.subject) :].strip()
        return [f"{what} {finite}"]
    return [f"{what} {parts.aux} {predicate}"]


def _has_object(parts: QuestionClause) -> bool:
    """Whether all that follows a verb is a short object, which can be asked for."""
    is_pronoun = parts.subject in ("it", "they", "he", "she") or NO_SUBJECT.match(parts.subject)
    is_short = 0 < len(parts.rest.split()) <= _MAX_OBJECT_WORDS
    has_object = parts.verb in _TRANSITIVE and is_short and not _NO_OBJECT.match(parts.rest)
    return has_object and not is_pronoun
