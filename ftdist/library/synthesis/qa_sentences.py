"""Questions that single sentences of prose answer, about one per fact.

"The default port is 5665." answers "What is the default port?", and "To restart the agent, run
it again." answers "How do I restart the agent?". A sentence that leans on the one before it, such
as one about "it", gives none. Every answer is the sentence itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ftdist.library.schema import Document, MadeBy
from ftdist.library.synthesis.prose import prose_of
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.question_draft import worded
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.sentence_commands import COMMANDS
from ftdist.library.synthesis.sentence_questions import drafts_of
from ftdist.library.synthesis.sentence_rules import RULES
from ftdist.library.synthesis.stated_facts import stated_pairs
from ftdist.library.synthesis.statements import LEANING_WORDS, LEANS, Statement, statements

_MIN_WORDS, _MAX_WORDS = 4, 45
_MAX_YES_NO = 3
"""Questions that ask whether a sentence is so: few do, and each holds its answer."""

_MAX_QUESTION_WORDS = 25
_PICTURE = re.compile(r"\[(?:picture|equation)|\bfigure \d|\b(?:see|cf)\b", re.IGNORECASE)
_OF_A_THING = re.compile(r"\b(?:is|are) (?:not )?(?:included|supplied|sold separately)\b(?! in)")
"""What only the thing that a sentence does not name has."""

_ONE_WORD_SUBJECT = re.compile(
    r"\w+ (?:is|has|can|will|must|was|\w+s) (?!(?:is|are|can|has|have|must|may|will)\b)"
)
_VAGUE_OF_A_THING = re.compile(r"What does (?!.*\boption\b).+ do$")


@dataclass(frozen=True)
class Fact:
    """A question, without its mark, that a sentence answers."""

    question: str
    value: str = ""
    """The part of the sentence that says it; "": all of it."""

    made_by: MadeBy = "sentence"
    wordings: tuple[str, ...] = ()
    asked_value: str = ""


def pairs_from_sentences(section: Section, document: Document) -> Iterator[QAPair]:
    """The questions that the paragraphs and items of a section answer, a few per sentence."""
    for each in statements(section, document):
        if not each.answer:
            continue
        case = partial(_cased, statement=each.text, document=document)
        openings: set[str] = set()
        for pair in stated_pairs(each, section, document):
            openings.add(_opening(pair.question))
            wordings = tuple(map(case, pair.wordings))
            yield replace(pair, question=case(pair.question), wordings=wordings)
        for fact in _facts(each, openings):
            yield QAPair(
                question=case(fact.question),
                answer=each.answer,
                made_by=fact.made_by,
                section=section.name,
                page=each.block.page,
                value=fact.value,
                evidence=each.block.text,
                wordings=tuple(map(case, fact.wordings)),
                asked_value=fact.asked_value,
            )


def _cased(question: str, *, statement: str, document: Document) -> str:
    """A question with the first word of its sentence as it stands within other sentences."""
    first = statement.split()[0]
    usual = prose_of(document).cased(first) if re.fullmatch("[A-Z][a-z]+", first) else ""
    if not usual or (usual == first and not _ONE_WORD_SUBJECT.match(statement)):
        return question
    other = first.lower() if usual == first else first
    pattern = rf"(?<=[\w,:] )(?<!\bI )(?<!\bto ){other}\b(?! [A-Z])"
    return re.sub(pattern, usual, question, count=1)


def _facts(each: Statement, openings: set[str]) -> Iterator[Fact]:
    """The questions of a sentence, with its mark and the name of the document's subject.

    Args:
        each: the sentence.
        openings: of the questions that it answers already.
    """
    statement, topic, is_stated = each.text, each.topic, bool(openings)
    if topic is None and _OF_A_THING.search(statement):
        return
    for fact in facts_of(statement) or facts_of(_first_half(statement)):
        is_vague = topic is not None and _VAGUE_OF_A_THING.match(fact.question)
        is_known = is_stated and _opening(fact.question) in (*openings, "yes or no")
        if is_vague or is_known:
            continue
        openings.add(_opening(fact.question))
        question, *wordings = (
            worded(fact.question, topic.thing) if topic is not None else [f"{fact.question}?"]
        )
        asked_value = question.casefold() if fact.made_by == "reverse" else ""
        yield replace(
            fact, question=question, wordings=tuple(wordings), asked_value=asked_value
        )  # fmt: skip
    text = re.sub(r"^(?:Please )?[Nn]ote that ", "", statement)
    whole = re.sub(r"^Both (?=[a-z]+s )", "Two ", text)
    if not _MIN_WORDS <= len(text.split()) <= _MAX_WORDS or not _is_whole(whole):
        return
    is_short = each.is_short and not openings
    for draft in drafts_of(text[:1].upper() + text[1:], topic, is_short=is_short):
        wordings = draft.wordings(topic.thing if topic else None)
        opening = _opening(draft.direct)
        is_new = opening not in openings and not (is_stated and opening == "yes or no")
        is_new &= not (openings and topic is None and opening == "yes or no")
        if wordings and is_new:
            limit = _MAX_YES_NO if opening == "yes or no" else len(wordings)
            yield Fact(wordings[0], draft.value, wordings=tuple(wordings[1:limit]))


def _first_half(statement: str) -> str:
    """What a sentence says before its semicolon."""
    half, semicolon, _ = statement.partition("; ")
    return f"{half}." if semicolon else ""


def _opening(question: str) -> str:
    """How a question asks; all that are answered with yes or no are alike."""
    words = question.split()
    if words[0] not in ("What", "How", "When", "Where", "Which", "Why", "Who"):
        return "yes or no"
    return " ".join(words[: 2 if words[0] in ("How", "What") else 1])


def facts_of(sentence: str) -> list[Fact]:
    """The questions that a sentence answers; empty if no rule is sure of one."""
    if not sentence:
        return []
    text, times = re.subn(r"^(?:Please )?(?:note|Note) that ", "", sentence.strip())
    text = text[:1].upper() + text[1:] if times else text
    if not _MIN_WORDS <= len(text.split()) <= _MAX_WORDS or not _is_whole(text):
        return []
    facts: list[Fact] = []
    for rule in (*RULES, *COMMANDS):
        fact = _applied(rule, text.rstrip(".:! "))
        if fact and (not facts or (fact.made_by == "reverse") != (facts[0].made_by == "reverse")):
            facts.append(fact)
        if len(facts) == 2:
            break
    return facts


def _is_whole(text: str) -> bool:
    """Whether a sentence is one, and does not lean on what stands before it."""
    return (
        text[-1:] in ".:!"
        and not LEANS.match(text)
        and not _PICTURE.search(text)
        and text.count("(") == text.count(")")
        and text.count('"') % 2 == 0
    )


def _applied(rule: Callable[[str], Sequence[str] | None], text: str) -> Fact | None:
    found = rule(text)
    if found is None:
        return None
    question, value, kind = (*found, "", "")[:3]
    question = re.sub(r"\bour\b", "your", " ".join(question.split()).rstrip(".,;: "))
    question = re.sub(r"\b([ap]\.m)(?![.\w])", r"\1.", question)
    words = len(question.split())
    is_clear = 3 <= words <= _MAX_QUESTION_WORDS and not LEANING_WORDS.search(question)
    if not is_clear or re.search("[?;]", question) or question.count("(") != question.count(")"):
        return None
    return Fact(question, value, "reverse" if kind == "reverse" else "sentence")
