"""Questions that single sentences of prose answer, about one per fact.

"The default port is 5665." answers "What is the default port?", and "To restart the agent, run
it again." answers "How do I restart the agent?". A sentence that leans on the one before it, such
as one about "it", gives none. Every answer is the sentence itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis.paraphrases import looks_english
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.sentence_commands import COMMANDS
from ftdist.library.synthesis.sentence_rules import RULES
from ftdist.library.synthesis.subject import Subject

_END = re.compile(r"(?<=[.!?])[\"')\u201d]?\s+(?=[\"'(\u201c]?[A-Z])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|No|Nos|Fig|Dr|Mr|Mrs|St|Inc|Ltd|Co)\.|\b[A-Z]\.)$"
)
_MIN_WORDS, _MAX_WORDS = 4, 45
_MAX_QUESTION_WORDS = 25
_LEANS = re.compile(
    r"^(?:it|this|these|those|they|that|he|she|such|there|here|however|also|but|and|or|so|then|thus"
    r"|otherwise|therefore|see|instead|both|another|others?|similarly|finally|furthermore|moreover"
    r"|again|now|still|only|first|second|third|next|last|unlike|like|for example|in this|in that"
    r"|in these|in addition|in general|as you|what|why|how|where|who|which|let)\b",
    re.IGNORECASE,
)
_LEANING_WORDS = re.compile(
    r"\b(?:it|its|this|these|those|they|their|them|above|below|following|here|such|former|latter"
    r"|same|otherwise|previous|aforementioned|he|she|his|her|one of|for example|so already"
    r"|done so|do so|that['\u2019]s|e\.g|i\.e|etc)\b",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"\[(?:picture|equation)|\bfigure \d|\b(?:see|cf)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Fact:
    """A question, without its mark, that a sentence answers."""

    question: str
    value: str = ""
    """The part of the sentence that says it; "": all of it."""

    made_by: MadeBy = "sentence"


def pairs_from_sentences(section: Section, document: Document) -> Iterator[QAPair]:
    """The questions that the paragraphs and items of a section answer, one or two a sentence."""
    subject = Subject.from_title(document.title)
    for block, after in zip(section.blocks, [*section.blocks[1:], None], strict=False):
        if block.kind not in ("paragraph", "item") or not looks_english(block.text):
            continue
        before = ""
        for sentence in sentences(block.text):
            answer = _with_code(sentence, after, is_last=block.text.rstrip().endswith(sentence))
            statement = _with_subject(sentence, before, subject)
            before = statement
            for fact in facts_of(statement) if answer else ():
                is_named = not _is_product(document.title, subject) or any(
                    name.casefold() in statement.casefold() for name in _names(subject)
                )
                preposition = "on" if subject.noun else "in"
                question = (
                    fact.question
                    if is_named
                    else subject.named_in(fact.question, preposition=preposition)
                )
                yield QAPair(
                    question=f"{question}?",
                    answer=answer,
                    made_by=fact.made_by,
                    section=section.name,
                    page=block.page,
                    value=fact.value,
                    evidence=block.text,
                    asked_value=question.casefold() if fact.made_by == "reverse" else "",
                )


def _with_subject(sentence: str, before: str, subject: Subject) -> str:
    """A sentence about "it" that follows one about the document's subject, with its name."""
    names = "|".join(map(re.escape, _names(subject)))
    about = re.match(rf"((?:The )?(?:{names}))\b", before) if names else None
    if not about or not re.match(r"It (?!is (?:possible|important|recommended|best))", sentence):
        return sentence
    return f"{about[1]}{sentence[2:]}"


def _is_product(title: str, subject: Subject) -> bool:
    """Whether a title names a product or a program, and not a chapter such as "Advanced Topics"."""
    is_whole = subject.name and subject.name.casefold() != title.casefold()  # "... Manual"
    return bool(is_whole or any(char.isdigit() for char in subject.name))


def _names(subject: Subject) -> list[str]:
    """What a document calls its subject: the name, and the name without the maker's."""
    short = subject.name.partition(" ")[2]
    is_name = len(short.split()) > 1 or any(char.isdigit() for char in short)
    return [name for name in (subject.name, short if is_name else "") if name]


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, each as it stands."""
    found: list[str] = []
    for piece in _END.split(" ".join(text.split())):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found


def facts_of(sentence: str) -> list[Fact]:
    """The questions that a sentence answers; empty if no rule is sure of one."""
    text, times = re.subn(r"^(?:Please )?(?:note|Note) that ", "", sentence.strip())
    text = text[:1].upper() + text[1:] if times else text
    if (
        not _MIN_WORDS <= len(text.split()) <= _MAX_WORDS
        or text[-1:] not in ".:!"
        or _LEANS.match(text)
        or _PICTURE.search(text)
        or text.count("(") != text.count(")")
        or text.count('"') % 2
    ):
        return []
    facts: list[Fact] = []
    for rule in (*RULES, *COMMANDS):
        fact = _applied(rule, text.rstrip(".:! "))
        if fact and (not facts or (fact.made_by == "reverse") != (facts[0].made_by == "reverse")):
            facts.append(fact)
        if len(facts) == 2:
            break
    return facts


def _applied(rule: Callable[[str], Sequence[str] | None], text: str) -> Fact | None:
    found = rule(text)
    if found is None:
        return None
    question, value, kind = (*found, "", "")[:3]
    question = " ".join(question.split()).rstrip(".,;: ")
    words = len(question.split())
    is_clear = 3 <= words <= _MAX_QUESTION_WORDS and not _LEANING_WORDS.search(question)
    if not is_clear or "?" in question or question.count("(") != question.count(")"):
        return None
    return Fact(question, value, "reverse" if kind == "reverse" else "sentence")


def _with_code(sentence: str, after: Block | None, *, is_last: bool) -> str:
    """A sentence with the code that it announces; "" if what it announces is something else."""
    if not sentence.endswith(":"):
        return sentence
    if is_last and after is not None and after.kind == "code":
        return f"{sentence}\n\n{after.text}"
    return ""
