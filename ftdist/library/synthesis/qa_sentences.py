"""Questions that single sentences of prose answer, about one per fact.

"The default port is 5665." answers "What is the default port?", and "To restart the agent, run
it again." answers "How do I restart the agent?". A sentence that leans on the one before it, such
as one about "it", gives none. Every answer is the sentence itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ftdist.library.schema import Block, Document, MadeBy
from ftdist.library.synthesis.document_facts import is_english
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.paraphrases import looks_english
from ftdist.library.synthesis.pronouns import is_about_all, keeps_topic, means_all, resolved
from ftdist.library.synthesis.prose import prose_of
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.question_draft import worded
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.sentence_commands import COMMANDS
from ftdist.library.synthesis.sentence_questions import drafts_of
from ftdist.library.synthesis.sentence_rules import RULES
from ftdist.library.synthesis.topics import Topic, is_short_document, section_topic

_END = re.compile(r"(?<=[.!?])[\"')\u201d]?\s+(?=[\"'(\u201c]?[A-Z])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|No|Nos|Fig|Dr|Mr|Mrs|St|Inc|Ltd|Co)\.|\b[A-Z]\.)$"
)
_MIN_WORDS, _MAX_WORDS = 4, 45
_MAX_QUESTION_WORDS = 25
_MAX_SHORT_BLOCK = 30
_LEANS = re.compile(
    r"^(?:it|this|these|those|they|that|he|she|such|there|here|however|also|but|and|or|so|then|thus"
    r"|otherwise|therefore|see|instead|both|another|others?|similarly|finally|furthermore|moreover"
    r"|again|now|still|only|first|second|third|next|last|unlike|like|for example|in this|in that"
    r"|in these|in addition|in general|as you|what|why|how|where|who|which|let)\b",
    re.IGNORECASE,
)
_LEANING_WORDS = re.compile(
    r"\b(?:it|its|this|these|those|they|their|them|above|below|following|here|such|former|latter"
    r"|same|(?:the|an?|[a-z]+est) ones?|otherwise|previous|aforementioned|he|she|his|her|one of"
    r"|for example|so already"
    r"|done so|do so|do that|that['\u2019]s|e\.g|i\.e|etc)\b",
    re.IGNORECASE,
)
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
    topic = section_topic(section, document)
    for block, after in zip(section.blocks, [*section.blocks[1:], None], strict=False):
        if block.kind not in ("paragraph", "item") or not _is_english(block, document):
            continue
        is_general = topic is not None and is_about_all(section, topic.thing)
        is_about, before = is_general, ""
        is_own = block.kind == "paragraph" and is_short_document(document)
        is_short = topic.is_short if topic is not None else is_own
        for sentence in sentences(block.text):
            answer = _with_code(sentence, after, is_last=block.text.rstrip().endswith(sentence))
            statement = sentence
            if topic is not None:
                is_about |= is_general and topic.is_short and means_all(sentence, before)
                statement = resolved(sentence, is_about=is_about, topic=topic)
                is_about, before = keeps_topic(statement, topic.thing), sentence
            answer = answer and f"{statement}{answer[len(sentence) :]}"
            for fact in _facts(statement, topic, is_short=is_short) if answer else ():
                case = partial(_cased, statement=statement, document=document)
                yield QAPair(
                    question=case(fact.question),
                    answer=answer,
                    made_by=fact.made_by,
                    section=section.name,
                    page=block.page,
                    value=fact.value,
                    evidence=block.text,
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


def _is_english(block: Block, document: Document) -> bool:
    """Whether a paragraph is in English; a short one may not show it by itself."""
    is_short = len(block.text.split()) <= _MAX_SHORT_BLOCK and block.text.isascii()
    return looks_english(block.text) or (is_short and _has_english_prose(document))


@once_per_document
def _has_english_prose(document: Document) -> bool:
    texts = [block.text for block in document.blocks if block.kind in ("paragraph", "item")]
    return is_english(document, []) and sum(map(looks_english, texts)) * 2 >= len(texts)


def _facts(statement: str, topic: Topic | None, *, is_short: bool) -> Iterator[Fact]:
    """The questions of a sentence, with its mark and the name of the document's subject."""
    openings: set[str] = set()
    if topic is None and _OF_A_THING.search(statement):
        return
    for fact in facts_of(statement):
        if topic is not None and _VAGUE_OF_A_THING.match(fact.question):
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
    is_short = is_short and not openings
    for draft in drafts_of(text[:1].upper() + text[1:], topic, is_short=is_short):
        wordings = draft.wordings(topic.thing if topic else None)
        opening = _opening(draft.direct)
        is_new = opening not in openings and not (
            openings and topic is None and opening == "yes or no"
        )
        if wordings and is_new:
            yield Fact(wordings[0], draft.value, wordings=tuple(wordings[1:]))


def _opening(question: str) -> str:
    """How a question asks; all that are answered with yes or no are alike."""
    words = question.split()
    if words[0] not in ("What", "How", "When", "Where", "Which", "Why", "Who"):
        return "yes or no"
    return " ".join(words[: 2 if words[0] in ("How", "What") else 1])


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
        and not _LEANS.match(text)
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
