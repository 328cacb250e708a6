"""Questions for the answer spans of a sentence, and for what it says as a whole."""

import re
from dataclasses import dataclass
from itertools import chain

from ftdist.library.synthesis.answer_spans import AnswerSpan, answer_spans
from ftdist.library.synthesis.clauses import base_in_statement, parse
from ftdist.library.synthesis.command_questions import is_command
from ftdist.library.synthesis.customer_voice import as_customer
from ftdist.library.synthesis.fronted_questions import fronted_questions
from ftdist.library.synthesis.object_questions import command_questions, statement_questions
from ftdist.library.synthesis.question_clauses import GAP, first_clause, parse_statement
from ftdist.library.synthesis.wh_questions import wh_questions
from ftdist.library.synthesis.whole_sentence_questions import whole_sentence_questions

LINE = re.compile(r"^(?P<name>[A-Z][^:.,;]{2,50}): (?P<value>\S.*)$")
"""A name, and what a page says of it."""

_MIN_QUESTION_WORDS, _MIN_CLAUSE_WORDS = 4, 5
_CLAUSE = re.compile(
    r"[;:]\s|,? \u2013 |, (?:and|but|or|so|whereas|while)\s"
    r"|, (?:where|when) (?=(?:the|an?|our|your|it|we|you)\b)"
)
_NEXT_COMMAND = re.compile(r",? and (?:then )?(?=[a-z])|, (?:then )?(?=[a-z])")
_LEAD = re.compile(
    r"^(?:(?i:After|Before|During|In|On|With|Without|For|At|From|Until|Once|When|If|To|Every"
    r"|Twice|While|As soon as)\b[^,]{2,60}), (?=[a-z])"
    r"|^(?:After|Before|During|In|On|At|From|Until) (?:[\w'-]+ ){1,4}(?=(?:we|you|they|your|our) )"
    r"|^(?:Today|Currently|Now|At present) (?=(?:we|you|they) )"
)
_TIME_LEAD = re.compile(
    r"^(?:From|After|Until|On|At|During|Between) (?:the )?(?:\d|first|second|third|fourth|fifth"
    r"|sixth|seventh|eighth|ninth|tenth|last|noon|midnight|two|three|four|five|six|seven|eight|nine|ten"
    r"|twelve|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May\b|June|July"
    r"|August|September|October|November|December)"
)
_ADMONITION = re.compile(
    r"^(?:note|tip|hint|important|warning|caution|attention|example|ps|nb)$", re.I
)
_FINITE = re.compile(r"\b(?:is|are|was|were|has|have|can|must|may|will|should|does|do)\b")
_OPENING_WORDS = """
The A An Our Your We If When It You Can Why What How Where Which Who Does Do Is Are"""
_OPENINGS = frozenset(_OPENING_WORDS.split())
"""Words that begin no name, whatever follows."""

_PLEASE = re.compile(r"^(?:Please|Kindly) ([a-z])")
_FORBIDS = re.compile(r"^(?:Never|Do(?: not|n['\u2019]t)) (?=[a-z])")
_LEANING = re.compile(
    r"(?:this|that|these|those|it|they|yours|ours|after that|before that|with this)\b",
    re.IGNORECASE,
)
_WHOEVER = re.compile(
    r"^(?:Whoever|Anyone who|Anybody who|Everyone who|Those who|People who|Customers who|Guests who"
    r"|Members who|Visitors who) (?P<do>(?!(?:would|could|can|may|must|is|are|was|were|has"
    r"|have|had|do|does|will)\b)[a-z]+)(?P<what> [^,;:]*?)(?<! to),? (?P<then>gets?|receives?|pays?"
    r"|may|can|must|need|needs|have|has) (?=[a-z\d])"
)
_ASKS = re.compile(r"(?:\w+ )?(?:how|what|which|when|where)\b", re.IGNORECASE)
_REASON = re.compile(r",? (?:because|so that|as|or|otherwise) ")
_CASE_BEHIND = re.compile(r"^[^,;:]* (?:where|when|if|while) [^,;:]*$")
_MAX_CASE_WORDS = 16
_ENSURES = re.compile(r"^(?:make|be) sure |^remember ", re.IGNORECASE)
_NOUN_BEFORE = re.compile(
    r"\b(?:an?|the|every|each|no|your|our|first|second|third|last|line|bus|tram|room|platform|side"
    r"|step) $",
    re.IGNORECASE,
)
"""What stands before a number that belongs to a noun: "a 12-pound fee", "line 4"."""

_INGREDIENT = re.compile(r"^ (?!of\b)[a-z-]+(?: [a-z-]+){0,2}(?:,|$)")
"""What follows an amount in a list of ingredients."""

_CONDITION = re.compile(
    r"^(?P<first>(?:If|When|Once|As soon as|For|To) [^,;]+), (?P<then>[^;]+)$"
    r"|^(?P<command>[A-Z][^,;]+?) (?P<last>(?:if|when) [^,;]+)$"
)


@dataclass(frozen=True)
class SpanQuestion:
    """A question, the part of the sentence that it asks for, and the words that do."""

    question: str
    part: str = ""
    """"" if it asks for another part than an answer span."""

    words: str = ""
    is_in_place: bool = False
    """Whether the words stand in the place of the part."""

    embedded: str = ""
    """The question within another sentence: "how much groups pay"; "" if that is not clear."""


def span_questions(text: str, *, is_step: bool) -> list[SpanQuestion]:
    """Questions of a sentence, as a customer asks them.

    Args:
        text: without its full stop.
        is_step: whether it is a numbered step.
    """
    is_step |= bool(_PLEASE.match(text))
    text = _WHOEVER.sub(_if_you, _PLEASE.sub(lambda match: match[1].upper(), text))
    if GAP in text or _ENSURES.match(text):
        return []
    forbids = _FORBIDS.match(text)
    if forbids:
        return _of_forbidden(text[forbids.end() :])
    spans = answer_spans(text)
    found = [SpanQuestion(each) for each in whole_sentence_questions(text)]
    found += [SpanQuestion(each, "", "what to do") for each in _whole(text, is_step=is_step)]
    found += chain.from_iterable(_of_part(text, part, is_step=is_step) for part in spans)
    found += [SpanQuestion(each) for each in _further(text, is_step=is_step)]
    found = found or list(
        chain.from_iterable(_in_place(text, part, is_step=is_step) for part in spans)
    )
    found = [each for each in found if not (each.is_in_place and _LEANING.match(each.question))]
    natural = [each for each in found if not each.is_in_place or _ASKS.match(each.question)]
    return sorted(natural or found, key=lambda each: each.is_in_place)


def _of_forbidden(action: str) -> list[SpanQuestion]:
    """Whether one may do what a sentence forbids, and why not."""
    reason = _REASON.search(action)
    whole = action[: reason.start()].rstrip(" ,") if reason else action
    is_case = _CASE_BEHIND.search(whole) and len(whole.split()) <= _MAX_CASE_WORDS
    first = whole if is_case else first_clause(whole)
    action = as_customer(lower_unless_name(first))
    found = [SpanQuestion(f"Can I {action}?")]
    return [SpanQuestion(f"Why should I not {action}?"), *found] if reason else found


def lower_unless_name(text: str) -> str:
    """A text within another: its first word in lower case, unless it is a name."""
    first, _, rest = text.partition(" ")
    if first in _OPENINGS:
        return _lower(text)
    is_name = (
        first == "I"
        or first.endswith(":")
        or first[1:] != first[1:].lower()
        or re.match(r"[A-Z&\d]", rest)
    )
    return text if is_name else _lower(text)


def _if_you(match: re.Match[str]) -> str:
    """From "Whoever pays in advance gets" the words "If you pay in advance, you get"."""
    do, then = (
        each if each in ("may", "can", "must") else base_in_statement(each) or each
        for each in (match["do"], match["then"])
    )
    return f"If you {do}{match['what']}, you {then} "


def _whole(text: str, *, is_step: bool) -> list[str]:
    """What to do in a case, and what a line says of its name."""
    line = LINE.match(text)
    is_name = line and not (
        _ADMONITION.match(line["name"]) or _FINITE.search(line["name"]) or parse(line["name"])
    )
    if line and is_name and not is_command(text, is_step=is_step):
        name = line["name"]
        head = re.split(r" (?:for|of|in|to|on|at|with) ", name)[0]
        is_person = len(name.split()) == 2 and name.istitle()
        is_noun = not is_person and not re.search(r"(?:ed|ing)$", head)
        be = "are" if head.endswith("s") and not head.endswith("ss") else "is"
        return [f"What {be} the {lower_unless_name(name)}?", f"{name}?"] if is_noun else []
    case = _CONDITION.match(text)
    if case and case["first"] and is_command(case["then"], is_step=True):
        return [as_customer(f"What should I do {_lower(case['first'])}?")]
    if case and case["last"] and is_command(case["command"], is_step=is_step):
        return [as_customer(f"What should I do {case['last']}?")]
    return []


def _of_part(text: str, part: AnswerSpan, *, is_step: bool) -> list[SpanQuestion]:
    """Wh-questions for a part; for a value that has none, the sentence with it asked for."""
    start, end = _clause_around(text, part)
    lead, first = _lead(text, start, min(end, part.start))
    is_order = is_command(text[first:end], is_step=is_step or bool(lead))
    if is_order:
        first, end = _command_around(text, part, start=first, end=end)
    clause = f"{text[first : part.start]}{GAP}{text[part.end : end]}"
    clause = _lower(clause) if is_order and first == 0 else lower_unless_name(clause)
    found = wh_questions(as_customer(clause), part.words, is_command=is_order)
    found = found or fronted_questions(as_customer(clause), part.words, is_command=is_order)
    if not found and not part.is_adverbial:
        return _in_place(text, part, is_step=is_step)
    value, words = text[part.start : part.end], part.words.strip()
    return [
        SpanQuestion(
            _closed(each.direct, lead), value, words, embedded=_closed(each.embedded, lead)[:-1]
        )
        for each in found
    ]


def _further(text: str, *, is_step: bool) -> list[str]:
    """What a step acts on, or what does what a sentence says."""
    lead, start = _lead(text, 0, len(text))
    if _TIME_LEAD.match(lead) and (parts := parse_statement(first_clause(text[start:]))):
        question = f"When {parts.aux} {parts.subject} {parts.verb} {parts.rest}?"
        return [as_customer(" ".join(question.split()).replace(" ?", "?"))]
    clause = as_customer(lower_unless_name(text[start:]))
    is_order = is_command(clause, is_step=is_step or bool(lead))
    found = command_questions(clause) if is_order else statement_questions(clause)
    return [_closed(each, lead) for each in found]


def _lead(text: str, start: int, end: int) -> tuple[str, int]:
    """What leads to a clause, such as "During that time", and where the clause starts."""
    match = _LEAD.match(text[start:])
    is_before = match is not None and start + match.end() <= end
    return (match[0].rstrip(" ,"), start + match.end()) if match and is_before else ("", start)


def _closed(question: str, lead: str) -> str:
    """A question with what led to its sentence at the end."""
    return f"{question} {as_customer(lower_unless_name(lead))}".strip() + "?"


def _in_place(text: str, part: AnswerSpan, *, is_step: bool) -> list[SpanQuestion]:
    """A sentence with one of its parts asked for; none if little else is left of it."""
    if part.words == " why" or text.startswith("No ") or _NOUN_BEFORE.search(text[: part.start]):
        return []
    start, end = _clause_around(text, part)
    lead, behind = _lead(text, start, end)
    if lead and part.end <= behind and is_command(text[behind:end], is_step=True):
        # "Once a week, wash it"
        question = f"{text[start : part.start]}{part.words} should I {text[behind:end]}"
    else:
        lead, start = (lead, behind) if behind <= part.start else ("", start)
        if is_command(text[start:end], is_step=is_step):
            question = _question_of_command(text, part, lead, start=start, end=end)
        else:
            opening = f"{lead}, " if lead else ""
            question = f"{opening}{text[start : part.start]}{part.words}{text[part.end : end]}"
    if part.start == 0 and _INGREDIENT.match(text[part.end :]) and not _FINITE.search(text):
        question = f"{part.words} of {text[part.end :].split(',')[0].strip()} do I need"
    question = as_customer(" ".join(question.split()))
    question = re.sub(r" (?=,)", "", question).strip(" ,;")
    is_whole = question.count("(") == question.count(")")
    if not is_whole or len(question.split()) < _MIN_QUESTION_WORDS:
        return []
    question = f"{question[0].upper()}{question[1:]}?"
    value, words = text[part.start : part.end], part.words.strip()
    return [SpanQuestion(question, value, words, is_in_place=True)]


def _clause_around(text: str, part: AnswerSpan) -> tuple[int, int]:
    """Start and end of the clause that a part stands in; of more, if it is short."""
    end = next((cut.start() for cut in _CLAUSE.finditer(text, part.end)), len(text))
    starts = [cut.end() for cut in _CLAUSE.finditer(text, 0, part.start)]
    is_clause = bool(starts) and len(text[starts[-1] : end].split()) >= _MIN_CLAUSE_WORDS
    return starts[-1] if is_clause else 0, end


def _question_of_command(text: str, part: AnswerSpan, lead: str, *, start: int, end: int) -> str:
    """A command between start and end with a part asked for, behind what led to it."""
    start, end = _command_around(text, part, start=start, end=end)
    before, after = _lower(text[start : part.start]), text[part.end : end]
    if part.is_adverbial:
        return f"{part.words} should I {before} {after.strip(' ,')} {_lower(lead)}"
    return f"{f'{lead}, ' if lead else ''}I should {before}{part.words}{after}"


def _command_around(text: str, part: AnswerSpan, *, start: int, end: int) -> tuple[int, int]:
    """The command among several of a sentence that a part belongs to."""
    for cut in _NEXT_COMMAND.finditer(text, start, end):
        if not is_command(text[cut.end() : end], is_step=False):
            continue
        if cut.end() <= part.start:
            start = cut.end()
        elif cut.start() >= part.end:
            return start, cut.start()
    return start, end


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
