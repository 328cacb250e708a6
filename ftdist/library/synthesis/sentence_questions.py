"""Questions about a sentence by its parts, for what no rule of its whole form fits."""

import re
from dataclasses import replace

from ftdist.library.synthesis.clause_questions import ask_clause
from ftdist.library.synthesis.clauses import Clause, clauses_of, parse
from ftdist.library.synthesis.command_questions import ask_command, command_of
from ftdist.library.synthesis.naming import marked, marked_part, marked_subject
from ftdist.library.synthesis.question_draft import QuestionDraft
from ftdist.library.synthesis.sentence_parts import mine, subject_of
from ftdist.library.synthesis.things import Thing
from ftdist.library.synthesis.topics import Topic

_MAX_WORDS = 30
_MAX_QUESTION_WORDS = 20
_LEANING = re.compile(
    r"\b(?:this|these|those|above(?! \d)|following|here|such|former|latter|same"
    r"|otherwise|previous|aforementioned|he|she|his|her|one of|for example|e\.g|i\.e|etc|we|us|our"
    r"|also|then|too|however|still|already|do so|(?:in|on|from|of|to|with|for|at) that \w+"
    r"|(?:the|an?|[a-z]+est) (?:\w+ )?ones?|but|unless)\b",
    re.IGNORECASE,
)
_PRONOUNS = re.compile(r"\b(?:it|its|itself|they|their|them)\b", re.IGNORECASE)
_OR_ELSE = re.compile(r"^(?P<m>.+?), (?:or|otherwise)(?: else)? (?P<z>.+)$")
_TECHNICAL = re.compile(r"\b(?:[a-z]*[A-Z][A-Z]\w*|[A-Za-z]+\d\w*|[a-z]+[._]\w+)\b")
_NAMED = re.compile(
    r"[A-Z]\w* \d|\w*[A-Z]{2}\w*|[a-z]+[A-Z]\w+|\w[_.]\w|^(?:The )?[A-Z]\w+ [A-Z]\w+"
)
_NEEDS_CONTEXT = re.compile(r"^(?:the|an?) [a-z-]+$", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?P<lead>(?:After|Before|During|In|On|With|Without|For|At|From|Until) [^,]{3,40}(?=,)"
    r"|By default),? (?=[a-z])"
)
_UNSPLIT = re.compile(
    r", (?:is|are|was|were|has|have|can|must|may|will|costs?|takes?)\b"
    r"|^When\b.*(?:\b\d{1,2}[.:]\d\d\b|\d (?:minutes|hours|days)$)"
)
"""What is left of several predicates or times: "When does it leave at 9.30 and ..."."""

_REMARK = re.compile(r"(?:, (?:never|not)| but (?:not|never)) .+$")


def drafts_of(statement: str, topic: Topic | None, *, is_short: bool) -> list[QuestionDraft]:
    """The questions of a sentence that names what it is about, one or two per clause.

    Args:
        statement: a sentence in which no pronoun leans on another one.
        topic: that its section is about; None: only a clear subject is asked for.
        is_short: whether a clause that no other rule fits is asked for with yes or no.
    """
    text = re.sub(r"(?<! [ap]\.m)[.!]+$", "", statement.strip())
    if len(text.split()) > _MAX_WORDS or text[-1:] in ":?" or re.search(r'[{}<`"|]', text):
        return []
    thing = topic.thing if topic else None
    or_else = _OR_ELSE.match(text)
    or_else = or_else if or_else and _says_more(or_else["z"]) else None
    main = or_else["m"] if or_else else text
    command = command_of(main)
    if command is not None:
        is_clear = thing is not None or _is_clear_object(command.rest, is_short=is_short)
        found: list[QuestionDraft | None] = (
            [*ask_command(command, thing, is_short=is_short)] if is_clear else []
        )
    else:
        found = _of_statement(_REMARK.sub("", main), thing, is_short=is_short)
    if or_else and (thing is not None or is_short):
        found.append(_what_happens(main, or_else["z"], thing))
    return [each for each in found if each and _is_good(each)]


def _of_statement(text: str, thing: Thing | None, *, is_short: bool) -> list[QuestionDraft | None]:
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    clauses = [each for each in clauses_of(rest[:1].upper() + rest[1:]) if _is_clear(each)]
    if thing is None:
        clauses = [each for each in clauses if not _NEEDS_CONTEXT.match(each.subject)]
    found = [
        ask_clause(each, thing, is_short=is_short or bool(_NAMED.search(each.subject)))
        for each in clauses
    ]
    if lead is None:
        return found
    return [_led(each, lead["lead"]) for each in found[:1] if each]


def _is_clear_object(text: str, *, is_short: bool) -> bool:
    """Whether the object of a command needs no context: it has a technical name, or no "the"."""
    is_common = is_short and not re.match(
        r"(?:.{0,17}\b(?:the|it|them|this|these|that|those)\b|\d|(?:at least|half|for) )", text
    )
    return is_common or bool(_TECHNICAL.search(text))


def _led(draft: QuestionDraft, lead: str) -> QuestionDraft:
    """A question that ends with what a statement begins with, such as "after the trial"."""
    end = mine(f" {lead[0].lower()}{lead[1:]}")
    return replace(draft, predicate=draft.predicate + end, finite=draft.finite + end)


def _says_more(text: str) -> bool:
    """Whether a part after "or" is a statement of its own."""
    return bool(
        re.match(r"(?:it|they|you|there|this) \w", text)
        or parse(f"{text[:1].upper()}{text[1:]} again")
    )


def _is_clear(clause: Clause) -> bool:
    """Whether the subject names something without its context."""
    text = clause.subject
    if re.match(r"(?:an?|all|both|every|each|\d+|[a-z]+teen|two|three|four) ", text, re.I):
        return not re.search(r"\b(?:that|which|who|other)\b", text)
    return bool(subject_of(text))


def _is_good(draft: QuestionDraft) -> bool:
    """Whether a question reads well: short, with every pronoun behind what it stands for."""
    direct = re.sub(r"\{p:([^{}]*)\}", r"{\1}", draft.direct)
    pronoun = _PRONOUNS.search(direct)
    mark = direct.find("{")
    is_bound = pronoun is None or pronoun[0].lower() == "itself" or -1 < mark < pronoun.start()
    return (
        is_bound
        and not _LEANING.search(direct)
        and 3 <= len(direct.split()) <= _MAX_QUESTION_WORDS
        and not re.search(r"[;:]| ,|,$|\b(?:that|but|and|or|than)$", direct)
        and not _UNSPLIT.search(direct)
        and direct.count("(") == direct.count(")")
    )


def _what_happens(main: str, then: str, thing: Thing | None) -> QuestionDraft | None:
    """What happens if somebody does not do what the sentence asks for."""
    command = command_of(main)
    if command is not None and not command.is_forbidden:
        condition = f"I do not {command.action}"
    else:
        clause = parse(main)
        if clause is None or clause.aux not in ("must", "should") or clause.is_negated:
            return None
        subject = marked_subject(clause.subject, thing)
        if not subject:
            return None
        if clause.rest.startswith("be "):
            negated = f"{'are' if clause.is_plural else 'is'} not {clause.rest[3:]}"
        else:
            negated = f"{'do' if clause.is_plural else 'does'} not {clause.rest}"
        condition = f"{subject} {mine(negated)}"
    if thing is not None and "{" not in condition:
        condition = marked_part(marked(condition, thing), thing)
    return QuestionDraft(
        opening="What", aux="", subject="", predicate=f"happens if {condition}",
        finite=f"happens if {condition}", value=then,
        others=(f"What will happen if {condition}", f"What is the result if {condition}"),
    )  # fmt: skip
