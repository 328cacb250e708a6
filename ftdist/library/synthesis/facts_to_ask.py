"""The facts of a document that a language model words questions for, each once."""

import re
from collections.abc import Iterator, Sequence

from ftdist.library.schema import WITHOUT_NEW_FACT, Document
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.sections import sections
from ftdist.library.synthesis.statements import LEANS, sentences
from ftdist.text.matching import UNSPACED

_OF_SENTENCES = ("sentence", "cloze")
_MIN_WORDS, _MIN_CHARACTERS = 4, 8
"""Of a sentence that is a fact, without spaces between words the latter; fewer are labels."""

_UNSPACED = re.compile(f"[{UNSPACED}]")


def fact_key(pair: QAPair, *, location: str = "") -> str:
    """The same for all questions about one fact, which is at a location."""
    content = pair.asked_value or pair.value or pair.answer
    return "\n".join([location, pair.section, pair.evidence, content])


def facts_to_ask(document: Document, pairs: Sequence[QAPair]) -> list[QAPair]:
    """The facts of a document.

    Args:
        document: whose facts they are.
        pairs: questions by rule.

    Returns:
        the first question about each fact, and with an empty question each sentence that no rule
        asks for, such as one in a language that the rules do not know.
    """
    first: dict[str, QAPair] = {}
    for pair in pairs:
        if pair.made_by not in WITHOUT_NEW_FACT:
            first.setdefault(fact_key(pair), pair)
    facts = list(first.values())
    distinct = [
        fact
        for fact in facts
        if fact.made_by not in _OF_SENTENCES or not any(_is_part(fact, other) for other in facts)
    ]
    return [*distinct, *_other_sentences(document, facts)]


def _is_part(fact: QAPair, other: QAPair) -> bool:
    """Whether a fact is a part of a sentence, or all of an answer, that is the other one."""
    if other.made_by not in _OF_SENTENCES:
        return fact.answer == other.answer
    is_shorter = len(fact.answer) < len(other.answer)
    return fact.section == other.section and is_shorter and fact.answer in other.answer


def _other_sentences(document: Document, facts: Sequence[QAPair]) -> Iterator[QAPair]:
    """The sentences without a question; one that leans on the sentence before it, with that."""
    whole = {fact.answer for fact in facts}
    covered: dict[str, list[str]] = {}
    for fact in facts:
        if fact.made_by in _OF_SENTENCES:
            covered.setdefault(fact.evidence, []).append(fact.answer)
    for section in sections(document):
        for block in section.blocks:
            if block.kind not in ("paragraph", "item"):
                continue
            before = ""
            for sentence in sentences(block.text):
                text = f"{before} {sentence}" if LEANS.match(sentence) else sentence
                before = sentence
                known = covered.get(block.text, ())
                is_known = text in whole or any(sentence in a or a in sentence for a in known)
                if not is_known and _is_fact(text):
                    yield QAPair(
                        question="",
                        answer=text,
                        made_by="written",
                        section=section.name,
                        page=section.page if block.page is None else block.page,
                        evidence=block.text,
                    )


def _is_fact(text: str) -> bool:
    """Whether a sentence says something by itself."""
    if text.startswith(" ") or text.endswith((":", "?")):
        return False  # it leans on a sentence that is not there, announces something, or asks
    is_unspaced = _UNSPACED.search(text) is not None
    return len(text) >= _MIN_CHARACTERS if is_unspaced else len(text.split()) >= _MIN_WORDS
