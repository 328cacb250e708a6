"""Questions that a list answers, by the line above it."""

import re
from collections.abc import Iterator
from itertools import takewhile

from ftdist.library.schema import Block, Document
from ftdist.library.synthesis.keyword_queries import keywords
from ftdist.library.synthesis.lead_ins import lead_in_questions
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.question_draft import worded
from ftdist.library.synthesis.sections import Section, joined
from ftdist.library.synthesis.statements import sentences
from ftdist.library.synthesis.topics import section_topic

_MAX_WORDINGS = 12
_MIN_ITEMS, _MAX_WORDS = 2, 160


def led_list_pairs(section: Section, document: Document) -> Iterator[QAPair]:
    """The lists of a section that a line leads, each with the questions that this line suggests."""
    topic = section_topic(section, document)
    for at, block in enumerate(section.blocks):
        items = list(takewhile(lambda each: each.kind == "item", section.blocks[at + 1 :]))
        if block.kind != "paragraph" or not block.text.rstrip().endswith(":"):
            continue
        lead = sentences(block.text)[-1].rstrip(": ")
        questions = lead_in_questions(lead)
        answer = joined([Block(kind="paragraph", text=f"{lead}:"), *items])
        is_answer = len(items) >= _MIN_ITEMS and len(answer.split()) <= _MAX_WORDS
        if not questions or not is_answer:
            continue
        if topic is not None:
            wordings = [text for each in questions for text in worded(each, topic.thing)]
        else:
            is_only = sum(each.text.rstrip(": ").endswith(lead) for each in document.blocks) == 1
            wordings = _below_heading(questions, section, document, is_only=is_only)
        wordings = list(dict.fromkeys(wordings))[:_MAX_WORDINGS]
        if not wordings:
            continue
        yield QAPair(
            question=wordings[0],
            answer=answer,
            made_by="heading" if any(item.text.endswith(".") for item in items) else "list",
            section=section.name,
            page=block.page,
            wordings=tuple(wordings[1:]),
        )


def _below_heading(
    questions: list[str], section: Section, document: Document, *, is_only: bool
) -> list[str]:
    """The questions alone and behind their section's heading, and what one types for them.

    Args:
        questions: without their marks.
        section: that they stand in.
        document: whose title says no more than its name.
        is_only: whether no other list of the document has the same lead.
    """
    heading = "" if section.heading.casefold() == document.title.casefold() else section.heading
    texts = [f"{each}?" for each in questions]
    typed = " ".join(keywords(f"{heading} {questions[0]}"))
    behind = [f"{heading}: {text[0].lower()}{text[1:]}" for text in texts if heading]
    if not is_only:
        return [*behind, typed.lower()] if behind else []
    polite = [f"Can you tell me {each}?" for each in filter(None, map(_embedded, questions[:1]))]
    return [texts[0], *behind[:2], *texts[1:], typed.lower(), *polite]


def _embedded(question: str) -> str:
    """A question within another one: "what I should bring"; "" if its order is not clear."""
    match = re.match(
        r"(?P<wh>(?:What|How|Where|Which [a-z ]+?)) (?P<aux>should|can|may|must) (?P<i>I|you) "
        r"(?P<rest>.+)$",
        question,
    )
    if match is None:
        return ""
    return f"{match['wh'][0].lower()}{match['wh'][1:]} {match['i']} {match['aux']} {match['rest']}"
