"""The questions of one document: by rule, and those that a language model wrote."""

from collections.abc import Iterator
from dataclasses import replace

from ftdist.library.schema import Conversation, Document
from ftdist.library.stages.generate import GeneratedQA, GenerationInput
from ftdist.library.stages.sample_settings import SampleSettings
from ftdist.library.synthesis.chat_questions import is_single_question
from ftdist.library.synthesis.cloze import cloze_pairs
from ftdist.library.synthesis.facts_to_ask import fact_key, facts_to_ask
from ftdist.library.synthesis.passages import passage_of, passages
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair, value_digest
from ftdist.library.synthesis.quotes import Quotes


def questions_by_rule(document: Document, settings: SampleSettings) -> list[QAPair]:
    """The questions that rules find in a document; none without `extract_questions`."""
    if not settings.questions:
        return []
    shared = set(settings.shared_values)
    found = questions(document)
    pairs = [
        pair
        for pair in found
        if not pair.asked_value or value_digest(pair.asked_value) not in shared
    ]
    if settings.cloze:
        known = {pair.question.casefold() for pair in pairs}
        others = cloze_pairs(document, found=found)
        pairs += [pair for pair in others if pair.question.casefold() not in known]
    return pairs


def questions_of(
    document: Document, settings: SampleSettings, generated: GeneratedQA
) -> list[QAPair]:
    """The questions of a document with their answers as quotes."""
    pairs = questions_by_rule(document, settings)
    if generated.questions:
        known = {pair.question.casefold() for pair in pairs}
        location = str(document.location)
        for fact in facts_to_ask(document, pairs):
            written = generated.questions.get(fact_key(fact, location=location))
            if written and not fact.question and written[0].casefold() not in known:
                pairs.append(replace(fact, question=written[0]))
    quotes = Quotes.of(document, words=settings.quote_words)
    return [quotes.with_quote(pair) for pair in pairs]


def document_input(document: Document, settings: SampleSettings) -> Iterator[GenerationInput]:
    """The facts of a document, passage by passage, for a language model to ask about."""
    texts = list(passages(document, words=settings.passage_words))
    facts: dict[str, list[QAPair]] = {}
    for fact in facts_to_ask(document, questions_by_rule(document, settings)):
        facts.setdefault(passage_of(fact, texts), []).append(fact)
    for text, held in facts.items():
        yield GenerationInput(text=text, location=str(document.location), facts=held)


def chat_input(row: Conversation) -> Iterator[GenerationInput]:
    """The fact that a conversation of one question is about."""
    if is_single_question(row):
        yield GenerationInput(text="", location=str(row.location), facts=[chat_fact(row)])


def chat_fact(row: Conversation) -> QAPair:
    """The question and answer that a conversation begins with."""
    question, answer = (message["content"].strip() for message in row.messages[:2])
    return QAPair(question=question, answer=answer, made_by="as written", section="", page=None)
