"""Cloze questions: a sentence with one of its parts asked for, and queries of its keywords.

"Steam leaves the wand at 135 degrees." answers "Steam leaves the wand at how many degrees?" and the
query "steam leaves wand". They ask for what no rule of `qa_sentences` can put into a question, so
that every sentence of a short document has some.
"""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.schema import Document
from ftdist.library.synthesis.answer_spans import AnswerSpan, answer_spans
from ftdist.library.synthesis.clauses import parse
from ftdist.library.synthesis.command_questions import is_command
from ftdist.library.synthesis.customer_voice import as_customer
from ftdist.library.synthesis.keyword_queries import KeywordQueries, keywords
from ftdist.library.synthesis.naming import preposition
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.query_synonyms import with_query_synonyms
from ftdist.library.synthesis.sections import Section, sections
from ftdist.library.synthesis.statements import LEANS, Statement, statements
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.wh_questions import (
    GAP,
    command_questions,
    statement_questions,
    wh_questions,
)

MAX_WORDINGS = 8
"""Of a sentence of a short document."""

MAX_FURTHER_WORDINGS = 4
"""Of a sentence that answers a question already."""

MAX_LONG_WORDINGS = 2
"""Of a sentence of a long document, whose many sentences would make the questions most of it."""

_MIN_KEYWORDS, _MAX_WORDS, _MAX_CHARACTERS = 2, 60, 600
_MIN_QUESTION_WORDS, _MIN_CLAUSE_WORDS, _MAX_HEADING_WORDS = 4, 5, 4
_CLAUSE = re.compile(
    r"[;:]\s|,? \u2013 |, (?:and|but|or|so|whereas|while)\s"
    r"|, (?:where|when) (?=(?:the|an?|our|your|it|we|you)\b)"
)
_NEXT_COMMAND = re.compile(r",? and (?:then )?(?=[a-z])|, (?:then )?(?=[a-z])")
_FRAMES = (
    "Can you tell me this? {0}",
    "I would like to know: {1}",
    "Hello, I have a question. {0}",
    "Could you help me? {0}",
)
"""How people put a question to somebody; filled with it, and with it in lower case."""

_MAX_FRAMED = 2
_BARE_QUERY, _MIN_BARE_WORDS = 2, 3
"""Which query of a page about several things has no name before it, and its fewest words."""

_WHOLE_FACTS = ("faq", "symptom", "table", "list", "definition")
_REFERS = re.compile(
    r"\b(?:[Ss]ee (?:also|the|chapter|section|page)|[Rr]efer to|(?:described|documented|explained"
    r"|listed|found) (?:in|here|below|above|on page))\b"
)
"""A sentence that only says where something else stands."""

_LEAD = re.compile(
    r"^(?:(?i:After|Before|During|In|On|With|Without|For|At|From|Until|Once|When|If|To|Every"
    r"|Twice|While|As soon as)\b[^,]{2,60}), (?=[a-z])"
    r"|^(?:After|Before|During|In|On|At|From|Until) (?:[\w'-]+ ){1,4}(?=(?:we|you|they) )"
)
_LINE = re.compile(r"^(?P<name>[A-Z][^:.,;]{2,50}): (?P<value>\S.*)$")
_NO_NAME = re.compile(
    r"^(?:note|tip|hint|important|warning|caution|attention|example|ps|nb)$", re.I
)
_FINITE = re.compile(r"\b(?:is|are|was|were|has|have|can|must|may|will|should|does|do)\b")
_DETERMINERS = frozenset(["The", "A", "An", "Our", "Your", "We", "If", "When", "It", "You"])
_CONDITION = re.compile(
    r"^(?P<first>(?:If|When|Once|As soon as|For|To) [^,;]+), (?P<then>[^;]+)$"
    r"|^(?P<command>[A-Z][^,;]+?) (?P<last>(?:if|when) [^,;]+)$"
)
_ALWAYS_LEANS = re.compile(
    r"\b(?:this|these|those|former|latter|(?:the|an?) (?:new |other )?ones?)\b"
    r"|\b(?:if|when|after|before) that\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|they|their|them|he|she|his|her)\b", re.IGNORECASE)
_BOUND_AFTER = 3
"""Words before a pronoun, among which is what it stands for."""


def cloze_pairs(document: Document, *, found: Sequence[QAPair]) -> list[QAPair]:
    """Questions and queries of a document's sentences, each with its sentence as the answer.

    Args:
        document: of which only what is in English is asked for.
        found: its other questions; a sentence that is all of a short answer has enough of them.
    """
    each_section = [
        (section, [each for each in statements(section, document) if _is_short(each)])
        for section in sections(document)
    ]
    texts = (statement.text for _, listed in each_section for statement in listed)
    queries = KeywordQueries(texts)
    whole = "\n".join(pair.answer for pair in found if pair.made_by in _WHOLE_FACTS)
    with_question = "\n".join(pair.answer for pair in found if pair.made_by == "sentence")
    values = {pair.value for pair in found if pair.value}
    pairs: list[QAPair] = []
    for section, listed in each_section:
        for statement in listed:
            is_known = statement.text in whole or statement.text.partition(": ")[2] in values
            answer = "" if is_known else _answer(statement)
            words = list(_wordings(statement, section, document, queries)) if answer else []
            words = [each for each in dict.fromkeys(words) if each]
            limit = MAX_WORDINGS if statement.is_short else MAX_LONG_WORDINGS
            limit = min(limit, MAX_FURTHER_WORDINGS) if statement.text in with_question else limit
            if words:
                pairs.append(
                    QAPair(
                        question=words[0],
                        answer=answer,
                        made_by="cloze",
                        section=section.name,
                        page=statement.block.page,
                        evidence=statement.block.text,
                        wordings=tuple(words[1:limit]),
                    )
                )
    return pairs


def _is_short(statement: Statement) -> bool:
    """Whether a sentence is one that somebody may ask for, and no list of thousands of words."""
    return len(statement.text) <= _MAX_CHARACTERS


def _answer(statement: Statement) -> str:
    """A sentence as an answer, behind the one that it leans on; "" if it makes none."""
    text = statement.text
    is_asking = text.endswith("?") or _REFERS.search(text)
    min_keywords = 1 if answer_spans(text) else _MIN_KEYWORDS
    if not statement.answer or is_asking or len(keywords(text)) < min_keywords:
        return ""
    whole = f"{statement.before} {statement.answer}" if _leans(text) else statement.answer
    return whole.strip() if len(whole.split()) <= _MAX_WORDS else ""


def _leans(text: str) -> bool:
    """Whether a sentence needs the one before it."""
    pronoun = _PRONOUN.search(text)
    is_free = pronoun is not None and len(text[: pronoun.start()].split()) < _BOUND_AFTER
    return bool(LEANS.match(text) or is_free or _ALWAYS_LEANS.search(text))


def _wordings(
    statement: Statement, section: Section, document: Document, queries: KeywordQueries
) -> Iterator[str]:
    """Questions and queries of a sentence, by turns."""
    thing = statement.topic.thing if statement.topic else None
    is_step = bool(statement.block.marker)
    text = statement.text.rstrip(".!: ")
    whole = [(each, "", "what to do") for each in _questions_of_all(text, is_step=is_step)]
    spans = answer_spans(text)
    of_parts = [
        (question, text[part.start : part.end], part.words.strip())
        for part in spans
        for question in _questions(text, part, is_step=is_step)
    ]
    others = [(each, "", "") for each in _further_questions(text, is_step=is_step)]
    asking = [*whole, *of_parts, *others] or [
        (_in_place(text, part, is_step=is_step), text[part.start : part.end], part.words.strip())
        for part in spans
    ]
    asking = [each for each in asking if each[0]]
    is_title = section.heading.casefold() == document.title.casefold()
    heading = "" if is_title or thing else section.heading
    name = thing.bare_names[0] if thing else " ".join(keywords(heading)[:_MAX_HEADING_WORDS])
    line = _LINE.match(text)
    is_line = line is not None and len(keywords(line["name"])) >= _MIN_KEYWORDS
    typed = queries.queries(line["name"] if line and is_line else statement.text)
    for at in range(max(len(asking), len(typed))):
        if at < len(asking):
            yield _named(asking[at][0], thing, heading, at)
        if at < len(typed):
            has_end = at % 2 == 0 and at // 2 < len(asking) and not is_line
            _, value, end = asking[at // 2] if has_end else ("", "", "")
            is_bare = thing is None and at == _BARE_QUERY and len(typed[at]) >= _MIN_BARE_WORDS
            words = with_query_synonyms(typed[at], key=text) if at else typed[at]
            yield _query(words, name="" if is_bare else name, value=value, end=end)
    for at, (question, _, _) in enumerate(asking[:_MAX_FRAMED]):
        named = _named(question, thing, heading, at + 1)
        yield _FRAMES[(len(text) + at) % len(_FRAMES)].format(named, _lower_word(named))


def _query(words: Sequence[str], *, name: str, value: str, end: str) -> str:
    """Words of a sentence behind what it is about, and before what is asked for."""
    known = {*name.casefold().split(), *(word.casefold() for word in keywords(value))}
    own = [word for word in words if word.casefold() not in known]
    return " ".join([*name.lower().split(), *own, *end.lower().split()])


def _questions_of_all(text: str, *, is_step: bool) -> list[str]:
    """What to do in a case, and what a line says of its name."""
    line = _LINE.match(text)
    is_name = line and not (
        _NO_NAME.match(line["name"]) or _FINITE.search(line["name"]) or parse(line["name"])
    )
    if line and is_name and not is_command(text, is_step=is_step):
        name = line["name"]
        head = re.split(r" (?:for|of|in|to|on|at|with) ", name)[0]
        is_person = len(name.split()) == 2 and name.istitle()
        is_noun = not is_person and not re.search(r"(?:ed|ing)$", head)
        be = "are" if head.endswith("s") and not head.endswith("ss") else "is"
        return [f"What {be} the {_lower_word(name)}?", f"{name}?"] if is_noun else []
    case = _CONDITION.match(text)
    if case and case["first"] and is_command(case["then"], is_step=True):
        return [as_customer(f"What should I do {_lower(case['first'])}?")]
    if case and case["last"] and is_command(case["command"], is_step=is_step):
        return [as_customer(f"What should I do {case['last']}?")]
    return []


def _questions(text: str, part: AnswerSpan, *, is_step: bool) -> list[str]:
    """Questions for a part of a sentence: wh-questions, or else the sentence with it asked for."""
    start, end = _clause_around(text, part)
    lead, end_of_lead = "", start
    match = _LEAD.match(text[start:end])
    if match and start + match.end() <= part.start:
        lead, end_of_lead = match[0].rstrip(" ,"), start + match.end()
    is_order = is_command(text[end_of_lead:end], is_step=is_step or bool(lead))
    if is_order:
        first, end = _command_around(text, part, start=end_of_lead, end=end)
    else:
        first = end_of_lead
    clause = _lower_word(f"{text[first : part.start]}{GAP}{text[part.end : end]}")
    found = wh_questions(as_customer(clause), part.words, is_command=is_order)
    closing = f" {as_customer(_lower_word(lead))}" if lead else ""
    if not found and not part.is_adverbial:
        found = [_in_place(text, part, is_step=is_step)]
        return [each for each in found if each]
    return [f"{each}{closing}?" for each in found]


def _further_questions(text: str, *, is_step: bool) -> list[str]:
    """What a step acts on, and what does what a sentence says."""
    lead = _LEAD.match(text)
    clause = as_customer(_lower_word(text[lead.end() :] if lead else text))
    closing = f" {as_customer(_lower_word(lead[0].rstrip(' ,')))}" if lead else ""
    is_order = is_command(clause, is_step=is_step or bool(lead))
    found = command_questions(clause) if is_order else statement_questions(clause)
    return [f"{each}{closing}?" for each in found]


def _in_place(text: str, part: AnswerSpan, *, is_step: bool) -> str:
    """A sentence with one of its parts asked for; "" if little else is left of it."""
    start, end = _clause_around(text, part)
    lead = _LEAD.match(text[start:end])
    behind = start + lead.end() if lead else start
    if lead and part.end <= behind and is_command(text[behind:end], is_step=True):
        # "Once a week, wash it"
        question = f"{text[start : part.start]}{part.words} should I {text[behind:end]}"
    else:
        lead_text = lead[0].rstrip(" ,") if lead and behind <= part.start else ""
        start = behind if lead_text else start
        if is_command(text[start:end], is_step=is_step):
            question = _question_of_command(text, part, lead_text, start=start, end=end)
        else:
            opening = f"{lead_text}, " if lead_text else ""
            question = f"{opening}{text[start : part.start]}{part.words}{text[part.end : end]}"
    question = as_customer(" ".join(question.split()))
    question = re.sub(r" (?=,)", "", question).strip(" ,;")
    is_whole = question.count("(") == question.count(")")
    if not is_whole or len(question.split()) < _MIN_QUESTION_WORDS:
        return ""
    return f"{question[0].upper()}{question[1:]}?"


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


def _named(question: str, thing: Thing | None, heading: str, number: int) -> str:
    """A question that names what it is about: before it, or as a heading with a colon."""
    if thing is None:
        leans = bool(LEANS.match(question) or re.match("(?:Its|Their) ", question))
        is_led = (leans or number % 2) and heading.casefold() not in question.casefold()
        return f"{heading}: {_lower_word(question)}" if heading and is_led else question
    if any(name.casefold() in question.casefold() for name in thing.bare_names):
        return question
    if number % 2:
        return f"{thing.bare_names[0]}: {_lower_word(question)}"
    return f"{preposition(thing).capitalize()} {thing.names[0]}, {_lower_word(question)}"


def _lower_word(text: str) -> str:
    """A text within another: its first word in lower case, unless it is a name."""
    first, _, rest = text.partition(" ")
    if first in _DETERMINERS:
        return _lower(text)
    is_name = (
        first == "I"
        or first.endswith(":")
        or first[1:] != first[1:].lower()
        or re.match(r"[A-Z&\d]", rest)
    )
    return text if is_name else _lower(text)
