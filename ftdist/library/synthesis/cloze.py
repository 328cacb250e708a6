"""Cloze questions: each asks for a part of a sentence; and queries of the sentence's keywords.

"Steam leaves the wand at 135 degrees." answers "How many degrees does steam leave the wand at?" and
the query "steam leaves wand". They ask for what no rule of `qa_sentences` puts into a question, so
that every sentence of a short document has some.
"""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.schema import Document
from ftdist.library.synthesis.answer_spans import answer_spans
from ftdist.library.synthesis.keyword_queries import KeywordQueries, keywords
from ftdist.library.synthesis.naming import preposition
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.query_synonyms import with_query_synonyms
from ftdist.library.synthesis.sections import Section, sections
from ftdist.library.synthesis.span_questions import LINE, lower_unless_name, span_questions
from ftdist.library.synthesis.statements import LEANS, Statement, statements
from ftdist.library.synthesis.things import Thing

MAX_WORDINGS = 8
"""Of a sentence of a short document."""

MAX_FURTHER_WORDINGS = 4
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

_MAX_FRAMED = 2
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
    is_title = section.heading.casefold() == document.title.casefold()
    heading = "" if is_title or thing else section.heading
    asking = [
        each
        for each in span_questions(text, is_step=is_step)
        if thing or heading or not _DANGLES.match(each.question)
    ]
    name = thing.bare_names[0] if thing else " ".join(keywords(heading)[:_MAX_HEADING_WORDS])
    line = LINE.match(text)
    is_line = line is not None and len(keywords(line["name"])) >= _MIN_KEYWORDS
    typed = queries.queries(line["name"] if line and is_line else statement.text)
    natural = [each for each in asking if not each.is_in_place]
    typed = typed[:_MAX_QUERIES] if len(natural) >= _MAX_QUERIES else typed
    parts = list(dict.fromkeys((each.part, each.words) for each in asking if each.words))
    for at in range(max(len(asking), len(typed))):
        if at < len(asking):
            yield _named(asking[at].question, thing, heading, at)
        if at < len(typed):
            has_end = at % 2 == 0 and at // 2 < len(parts) and not is_line
            value, end = parts[at // 2] if has_end else ("", "")
            is_bare = thing is None and at == _BARE_QUERY and len(typed[at]) >= _MIN_BARE_WORDS
            words = with_query_synonyms(typed[at], key=text) if at else typed[at]
            yield _query(words, name="" if is_bare else name, value=value, end=end)
    for at, each in enumerate(natural[:_MAX_FRAMED]):
        turn = (len(text) + at) % len(_FRAMES)
        if each.embedded and (thing is None or thing.is_named_in(each.question)):
            yield _EMBEDDING[turn].format(each.embedded)
            continue
        named = _named(each.question, thing, heading, at + 1)
        yield _FRAMES[turn].format(named, lower_unless_name(named))


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
