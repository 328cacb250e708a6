"""The sentences of a section, each with what it leans on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.document_facts import OTHER_LANGUAGES, is_english
from ftdist.library.synthesis.last_document import once_per_document
from ftdist.library.synthesis.paraphrases import looks_english
from ftdist.library.synthesis.pronouns import (
    is_about_all,
    keeps_topic,
    means_all,
    resolved,
    with_subject_before,
)
from ftdist.library.synthesis.sections import Section
from ftdist.library.synthesis.topics import Topic, is_short_document, section_topic

_END = re.compile(r"(?<=[.!?])[\"')\u201d]?\s+(?=[\"'(\u201c]?[A-Z])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|Fig|Dr|Mr|Mrs|St|Inc|Ltd|Co)\."
    r"|(?<![\u00b0\d] )(?<!\u00b0)\b[A-Z]\.)$"
)
_STARTS = re.compile(
    r"(?:The|This|These|It|We|You|If|When|In|On|At|For|An?|There|Please|Never|Do|All|Each|Our|Your"
    r"|Guests|Members|Use|Keep|Press|Turn) "
)
"""The beginning of a sentence, also behind a single capital, as in "Block C. The office"."""

_HOUR = re.compile(r"\d ?[ap]\.m\.$")
_DAY_OR_MONTH = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July"
    r"|August|September|October|November|December)(?: (?:to|through|and|\d)|s\b|[.,]|$)"
)
"""What follows an hour within a sentence: "from 6:30 a.m. Monday to Friday"."""

_MAX_SHORT_BLOCK, _MIN_PROSE_WORDS = 30, 6

LEANS = re.compile(
    r"^(?:it|this|these|those|they|that|he|she|such|there|here|however|also|but|and|or|so|then|thus"
    r"|otherwise|therefore|see|instead|both|another|others?|similarly|finally|furthermore|moreover"
    r"|again|now|still|only|first|second|third|next|last|unlike|like|for example|in this|in that"
    r"|in these|in addition|in general|as you|what|why|how|where|who|which|let)\b",
    re.IGNORECASE,
)
"""The beginning of a sentence that needs the one before it."""

_LIMITS = re.compile(
    r"^(?:(?:Above|Below|Beyond|Outside|Over|Past|Under|Up to|After|Before|Without) (?:that|this"
    r"|these|those|it|them)\b|Otherwise\b|Else\b|If not\b|However\b|But\b|Except\b|Exceptions?\b"
    r"|(?:The|An|Our) (?:only )?exceptions?\b|(?:This|That|It) (?:does not|doesn['\u2019]t) apply\b"
    r"|(?:This|That|It) (?:only )?applies\b|In (?:all |any )?other cases?\b"
    r"|(?:All (?:the )?)?others? (?:is|are|costs?|takes?|must|can|need)\b)"
)
"""The beginning of a sentence that limits what the one before it says."""

LEANING_WORDS = re.compile(
    r"\b(?:it|its|this|these|those|they|their|them|above|below|following|here|such|former|latter"
    r"|same|(?:the|an?|[a-z]+est) ones?|otherwise|previous|aforementioned|he|she|his|her|one of"
    r"|for example|so already"
    r"|done so|do so|do that|that['\u2019]s|e\.g|i\.e|etc)\b",
    re.IGNORECASE,
)
"""Words that stand for something that was named before."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sentence of a paragraph or an item.

    Attributes:
        text: with the name of the topic in place of a pronoun that means it.
        answer: the text with the code that it announces, or the sentence that limits it; "" if it
            announces something else.
        before: the sentence before it in its block; "": it is the first.
        block: that it stands in.
        topic: of its section.
        is_short: whether its document is so short that every sentence is worth a question.
    """

    text: str
    answer: str
    before: str
    block: Block
    topic: Topic | None
    is_short: bool


def statements(section: Section, document: Document) -> Iterator[Statement]:
    """The sentences of a section's paragraphs and items that are in English, in their order."""
    topic = section_topic(section, document)
    for block, after in zip(section.blocks, [*section.blocks[1:], None], strict=False):
        if block.kind not in ("paragraph", "item") or not _is_english(block, document):
            continue
        is_general = topic is not None and is_about_all(section, topic.thing)
        is_about, before, text = is_general, "", ""
        is_own = block.kind == "paragraph" and is_short_document(document)
        found = sentences(block.text)
        for sentence, limit in zip(found, [*found[1:], ""], strict=True):
            if OTHER_LANGUAGES.search(sentence) and not looks_english(sentence):
                continue
            code = _with_code(sentence, after, is_last=block.text.rstrip().endswith(sentence))
            text = with_subject_before(sentence, text) if topic is None else sentence
            if topic is not None:
                is_about |= is_general and topic.is_short and means_all(sentence, before)
                text = resolved(sentence, is_about=is_about, topic=topic)
                is_about = keeps_topic(text, topic.thing)
            yield Statement(
                text=text,
                answer=code and _with_limit(f"{text}{code[len(sentence) :]}", limit),
                before=before,
                block=block,
                topic=topic,
                is_short=topic.is_short if topic is not None else is_own,
            )
            before = sentence


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, each as it stands."""
    found: list[str] = []
    for piece in _END.split(" ".join(text.split())):
        is_time = found and _HOUR.search(found[-1]) and _DAY_OR_MONTH.match(piece)
        if is_time or (found and _ABBREVIATION.search(found[-1]) and not _STARTS.match(piece)):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found


def _is_english(block: Block, document: Document) -> bool:
    """Whether a paragraph is in English; a short one may not show it by itself."""
    is_ascii = all(char.isascii() or not char.isalpha() for char in block.text)
    is_short = len(block.text.split()) <= _MAX_SHORT_BLOCK and is_ascii
    is_short &= not OTHER_LANGUAGES.search(block.text)
    return looks_english(block.text) or (is_short and _has_english_prose(document))


@once_per_document
def _has_english_prose(document: Document) -> bool:
    prose = (block.text for block in document.blocks if block.kind in ("paragraph", "item"))
    texts = [text for text in prose if len(text.split()) >= _MIN_PROSE_WORDS]
    return is_english(document, []) and sum(map(looks_english, texts)) * 2 >= len(texts)


def _with_code(sentence: str, after: Block | None, *, is_last: bool) -> str:
    """A sentence with the code that it announces; "" if what it announces is something else."""
    if not sentence.endswith(":"):
        return sentence
    if is_last and after is not None and after.kind == "code":
        return f"{sentence}\n\n{after.text}"
    return ""


def _with_limit(answer: str, after: str) -> str:
    """An answer with the sentence after it, if that one says where it does not hold."""
    return f"{answer} {after}" if _LIMITS.match(after) else answer
