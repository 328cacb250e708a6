"""Cloze questions: each asks for a part of a sentence; and queries of the sentence's keywords.

"Steam leaves the wand at 135 degrees." answers "How many degrees does steam leave the wand at?" and
the query "steam leaves wand". They ask for what no rule of `qa_sentences` puts into a question, so
that every sentence of a short document has some.
"""

import re
from collections.abc import Sequence

from ftdist.library.schema import Document
from ftdist.library.synthesis.answer_spans import answer_spans
from ftdist.library.synthesis.keyword_queries import KeywordQueries, keywords
from ftdist.library.synthesis.naming import preposition
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.pronouns import with_object_before
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.query_synonyms import with_query_synonyms
from ftdist.library.synthesis.question_draft import worded
from ftdist.library.synthesis.sections import Section, sections
from ftdist.library.synthesis.span_questions import (
    LINE,
    SpanQuestion,
    lower_unless_name,
    span_questions,
)
from ftdist.library.synthesis.statements import LEANS, Statement, statements
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.verb_forms import VerbPhrase, verb_of

MAX_WORDINGS = 16
"""Of a sentence of a short document."""

MAX_FURTHER_WORDINGS = 8
"""Of a sentence that answers a question already."""

MAX_LONG_WORDINGS = 2
"""Of a sentence of a long document, whose many sentences would make the questions most of it."""

_MIN_KEYWORDS, _MAX_WORDS, _MAX_CHARACTERS = 2, 60, 600
_MAX_HEADING_WORDS = 4
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
_ASKS_US = re.compile(r"\b(?:do|can|will|may|should|must) you\b", re.IGNORECASE)
_NAMES_US = re.compile(r"\byour?\b(?! (?:tell|help|give|name|explain|look)\b)", re.IGNORECASE)
_FRAMED = re.compile(r"A question about |I have a question ")
_OBJECT = r"(?:the|an?|it|your|my)\b"
_MAX_WHILE = 2
_MAX_FORMS, _FEW_WORDINGS = 12, 4
_MAX_QUERIES = 2
"""Of a sentence that has as many questions."""

_BARE_QUERY, _MIN_BARE_WORDS = 2, 3
"""Which query of a page about several things has no name before it, and its fewest words."""

_WHOLE_FACTS = ("faq", "symptom", "table", "list", "definition")
_YES_NO = re.compile(r"(?:Am|Is|Are|Do|Does|Did|Can|May|Must|Should|Will|Has|Have|Was|Were) ")
_REFERS = re.compile(
    r"\b(?:[Ss]ee (?:also|the|chapter|section|page)|[Rr]efer to|(?:described|documented|explained"
    r"|listed|found) (?:in|here|below|above|on page))\b"
)
"""A sentence that only says where something else stands."""

_ALWAYS_LEANS = re.compile(
    r"\b(?:this|these|those|former|latter|(?:the|an?) (?:new |other )?ones?)\b"
    r"|\b(?:if|when|after|before) that\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|they|their|them|he|she|his|her)\b", re.IGNORECASE)
_OF_DEFINITION = re.compile(r"(?:With how many [a-z]+|Where) (?:is|are) [A-Zt].* an? [a-z]")
_DANGLES = re.compile(r"(?:\S+ ){0,4}(?:it|its|they|their|them)\b", re.IGNORECASE)
"""A question about something that it does not name."""

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
    with_question = "\n".join(
        pair.answer
        for pair in found
        if pair.made_by == "sentence" and not _YES_NO.match(pair.question)
    )
    values = {pair.value for pair in found if pair.value}
    known = {each.casefold() for pair in found for each in (pair.question, *pair.wordings)}
    pairs: list[QAPair] = []
    for section, listed in each_section:
        for statement in listed:
            is_known = statement.text in whole or statement.text.partition(": ")[2] in values
            answer = "" if is_known else _answer(statement)
            limit = MAX_WORDINGS if statement.is_short else MAX_LONG_WORDINGS
            limit = min(limit, MAX_FURTHER_WORDINGS) if statement.text in with_question else limit
            groups = _questions(statement, section, document, queries) if answer else []
            new = [[each for each in words if each.casefold() not in known] for words in groups]
            groups = _shared_out(list(filter(None, new)), limit=limit)
            known.update(each.casefold() for words in groups for each in words)
            pairs += (
                QAPair(
                    question=first,
                    answer=answer,
                    made_by="cloze",
                    section=section.name,
                    page=statement.block.page,
                    evidence=statement.block.text,
                    wordings=tuple(others),
                )
                for first, *others in groups
            )
    return pairs


def _shared_out(groups: Sequence[list[str]], *, limit: int) -> list[list[str]]:
    """Wordings of several questions, up to `limit`: what one does not need is for the others."""
    groups = groups[: max(1, limit // _FEW_WORDINGS)]
    sizes = [0] * len(groups)
    by_length = sorted(range(len(groups)), key=lambda at: len(groups[at]))
    for left, at in zip(range(len(groups), 0, -1), by_length, strict=True):
        sizes[at] = min(len(groups[at]), (limit - sum(sizes)) // left)
    return [words[:number] for words, number in zip(groups, sizes, strict=True) if number]


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


def _questions(
    statement: Statement, section: Section, document: Document, queries: KeywordQueries
) -> list[list[str]]:
    """For each part of a sentence that is asked for its question, a query and other wordings."""
    thing = statement.topic.thing if statement.topic else None
    is_step = bool(statement.block.marker)
    text = with_object_before(statement.text.rstrip(".!: "))
    is_title = section.heading.casefold() == document.title.casefold()
    heading = "" if is_title or thing else section.heading
    asking = [
        each
        for each in span_questions(text, is_step=is_step)
        if (thing or heading or not _DANGLES.match(each.question))
        and not _OF_DEFINITION.match(each.question)
    ]
    name = thing.bare_names[0] if thing else " ".join(keywords(heading)[:_MAX_HEADING_WORDS])
    line = LINE.match(text)
    is_line = line is not None and len(keywords(line["name"])) >= _MIN_KEYWORDS
    typed = queries.queries(line["name"] if line and is_line else statement.text)
    natural = [each for each in asking if not each.is_in_place]
    typed = typed[:_MAX_QUERIES] if len(natural) >= _MAX_QUERIES else typed
    parts = list(dict.fromkeys((each.part, each.words) for each in asking if each.words))
    found: list[list[str]] = []
    for at in range(max(len(asking), len(typed))):
        words: list[str] = []
        if at < len(asking):
            words = [_named(asking[at].question, thing, heading, at)]
        if at < len(typed):
            has_end = at % 2 == 0 and at // 2 < len(parts) and not is_line
            value, end = parts[at // 2] if has_end else ("", "")
            is_bare = thing is None and at == _BARE_QUERY and len(typed[at]) >= _MIN_BARE_WORDS
            query = with_query_synonyms(typed[at], key=text) if at else typed[at]
            words.append(_query(query, name="" if is_bare else name, value=value, end=end))
        if at < len(asking) and not asking[at].is_in_place:
            words += _in_other_words(asking[at], thing, "" if is_title else section.heading, at)
        found.append(list(dict.fromkeys(filter(None, words))))
    return [words for words in found if words]


def _in_other_words(
    asking: SpanQuestion, thing: Thing | None, heading: str, number: int
) -> list[str]:
    """Other wordings of a question as a customer asks it, each naming what it is about."""
    question = asking.question
    if not _REWORDED.match(question) or _leans_on_other(question):
        return []
    is_to_us = _ASKS_US.search(question)
    if thing is not None:
        forms = [each for each in worded(question.rstrip("?"), thing) if each[-1] in "?."]
        forms = [each for each in forms if not _FRAMED.match(each)]
    else:
        forms = paraphrases(question, count=_MAX_FORMS, seed=0)[1:]
        forms = [each for each in forms if each[-1] in "?." and question not in each]
        forms = [_named(each, None, heading, number + at) for at, each in enumerate(forms, 1)]
    turn = (len(question) + number) % len(_FRAMES)
    if asking.embedded and (thing is None or thing.is_named_in(question)):
        framed = _EMBEDDING[turn].format(asking.embedded)
    else:
        named = _named(question, thing, heading, 0)
        framed = _FRAMES[turn].format(named, lower_unless_name(named))
    forms = [each for each in forms if not is_to_us or _NAMES_US.search(each)]
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


def _query(words: Sequence[str], *, name: str, value: str, end: str) -> str:
    """Words of a sentence behind what it is about, and before what is asked for."""
    known = {*name.casefold().split(), *(word.casefold() for word in keywords(value))}
    own = [word for word in words if word.casefold() not in known]
    return " ".join([*name.lower().split(), *own, *end.lower().split()])


def _named(question: str, thing: Thing | None, heading: str, number: int) -> str:
    """A question that names what it is about: before it, or as a heading with a colon."""
    if thing is None:
        needs_heading = bool(_DANGLES.match(question)) or number % 2
        if not heading or not needs_heading or heading.casefold() in question.casefold():
            return question
        return f"{heading}: {lower_unless_name(question)}"
    if thing.is_named_in(question):
        return question
    if number % 2:
        return f"{thing.bare_names[0]}: {lower_unless_name(question)}"
    return f"{preposition(thing).capitalize()} {thing.names[0]}, {lower_unless_name(question)}"
