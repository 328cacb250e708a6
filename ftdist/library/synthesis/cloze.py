"""Cloze questions: each asks for a part of a sentence; and queries of the sentence's keywords.

"Steam leaves the wand at 135 degrees." answers "How many degrees does steam leave the wand at?" and
the query "steam leaves wand". They ask for what no rule of `qa_sentences` puts into a question, so
that every sentence of a short document has some.
"""

import re
from collections.abc import Sequence

from ftdist.library.schema import Document
from ftdist.library.synthesis.answer_spans import answer_spans
from ftdist.library.synthesis.cloze_wordings import (
    DANGLES,
    named_question,
    other_wordings,
)
from ftdist.library.synthesis.keyword_queries import KeywordQueries, keywords
from ftdist.library.synthesis.pronouns import with_object_before
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.query_synonyms import with_query_synonyms
from ftdist.library.synthesis.sections import Section, sections
from ftdist.library.synthesis.span_questions import LINE, span_questions
from ftdist.library.synthesis.statements import LEANS, Statement, statements

MAX_WORDINGS = 16
"""Of a sentence of a short document."""

MAX_FURTHER_WORDINGS = 8
"""Of a sentence that answers a question already."""

MAX_LONG_WORDINGS = 2
"""Of a sentence of a long document, whose many sentences would make the questions most of it."""

_MIN_KEYWORDS, _MAX_WORDS, _MAX_CHARACTERS = 2, 60, 600
_MAX_HEADING_WORDS = 4
_FEW_WORDINGS = 4
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
            groups = _within_limit(list(filter(None, new)), limit=limit)
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


def _within_limit(groups: Sequence[list[str]], *, limit: int) -> list[list[str]]:
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
        if (thing or heading or not DANGLES.match(each.question))
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
            words = [named_question(asking[at].question, thing, heading, at)]
        if at < len(typed):
            has_end = at % 2 == 0 and at // 2 < len(parts) and not is_line
            value, end = parts[at // 2] if has_end else ("", "")
            is_bare = thing is None and at == _BARE_QUERY and len(typed[at]) >= _MIN_BARE_WORDS
            query = with_query_synonyms(typed[at], key=text) if at else typed[at]
            words.append(_query(query, name="" if is_bare else name, value=value, end=end))
        if at < len(asking) and not asking[at].is_in_place:
            words += other_wordings(asking[at], thing, "" if is_title else section.heading, at)
        found.append(list(dict.fromkeys(filter(None, words))))
    return [words for words in found if words]


def _query(words: Sequence[str], *, name: str, value: str, end: str) -> str:
    """Words of a sentence behind what it is about, and before what is asked for."""
    known = {*name.casefold().split(), *(word.casefold() for word in keywords(value))}
    own = [word for word in words if word.casefold() not in known]
    return " ".join([*name.lower().split(), *own, *end.lower().split()])
