"""Each fact of a document is asked for once, also where no rule asks for it."""

from dataclasses import replace

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.facts_to_ask import fact_key, facts_to_ask
from ftdist.library.synthesis.qa_pair import QAPair

BREW = "The Merrin brews at 93 degrees."
RAISE = "It can be set higher by two degrees."
TEXT = f"{BREW} {RAISE}"


def document(*texts: str) -> Document:
    blocks = tuple(Block(kind="paragraph", text=text) for text in texts)
    return Document(blocks=blocks, location=Location(file="m.md"), title="Merrin")


PAIR = QAPair(
    question="How hot does the Merrin brew?", answer="93 degrees", made_by="sentence",
    section="", page=None, evidence=TEXT,
)  # fmt: skip
WHOLE = replace(PAIR, question="How many degrees does it brew at?", answer=BREW, made_by="cloze")


def answers(*pairs: QAPair, texts: tuple[str, ...] = (TEXT,)) -> list[str]:
    return [fact.answer for fact in facts_to_ask(document(*texts), pairs)]


def test_several_questions_about_one_fact_give_its_first() -> None:
    again = replace(WHOLE, question="What temperature does the Merrin brew at?")
    facts = facts_to_ask(document(BREW), [WHOLE, again])
    assert [fact.question for fact in facts] == ["How many degrees does it brew at?"]


def test_a_part_of_a_sentence_that_is_a_fact_is_none_of_its_own() -> None:
    assert answers(PAIR, WHOLE, texts=(BREW,)) == [BREW]
    assert answers(replace(PAIR, evidence=BREW), texts=(BREW,)) == ["93 degrees"]


def test_an_answer_that_is_one_sentence_is_asked_for_once() -> None:
    faq = replace(WHOLE, made_by="faq", section="How hot is it?")
    assert answers(faq, WHOLE, texts=(BREW,)) == [BREW]
    assert answers(faq, texts=(BREW,)) == [BREW]


def test_a_sentence_that_no_rule_asks_for_has_an_empty_question() -> None:
    [first, other] = facts_to_ask(document(TEXT), [WHOLE])
    assert (first.question, first.answer) == (WHOLE.question, BREW)
    assert (other.question, other.answer, other.made_by) == ("", TEXT, "written")  # with "It"
    assert other.evidence == TEXT


def test_labels_and_sentences_that_lean_on_nothing_are_no_facts() -> None:
    assert answers(texts=("Do this:", "It is full.", "Two boilers.", "Is it hot in there?")) == []


def test_languages_without_spaces_are_asked_for_too() -> None:
    text = (
        "\u30bf\u30f3\u30af\u306e\u5bb9\u91cf\u306f\u4e8c\u30ea\u30c3\u30c8\u30eb\u3067\u3059\u3002"
    )
    assert answers(texts=(text,)) == [text]


def test_overviews_and_pairs_of_facts_are_no_facts_of_their_own() -> None:
    both = replace(WHOLE, made_by="two facts", answer=f"{BREW} It weighs 19 kg.")
    assert answers(both, WHOLE, texts=(BREW,)) == [BREW]


def test_the_key_is_the_same_when_the_answer_is_quoted_with_its_paragraph() -> None:
    quoted = replace(WHOLE, answer=TEXT, value=BREW)
    assert fact_key(quoted, location="m.md") == fact_key(WHOLE, location="m.md")
    assert fact_key(WHOLE, location="m.md") != fact_key(WHOLE, location="n.md")
    reverse = replace(WHOLE, answer="Merrin", asked_value="weight: 19 kg")
    assert fact_key(reverse) != fact_key(replace(reverse, asked_value="power: 1 kW"))
