"""Questions for two facts at once, and the pairs that are left to probes."""

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.document_facts import document_facts
from ftdist.library.synthesis.probe_facts import known_facts, two_fact_probes
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.two_facts import is_probed_pair

PROSE = Block(kind="paragraph", text="The FP-300 is a pump for barrels.")


def _document(*rows: tuple[str, ...], title: str = "Halden FP-300") -> Document:
    table = Block(kind="table", text="", rows=rows, has_header=True)
    return Document(title=title, blocks=(PROSE, table), location=Location("c.md"))


def _pairs(document: Document) -> list[QAPair]:
    return [pair for pair in questions(document) if pair.made_by == "two facts"]


HEAD = ("Property", "Value")
CATALOGUE = (
    ("Model", "Price", "Weight", "Flow"),
    ("FP-300", "129 euros", "4.2 kg", "60 litres"),
    ("FP-500", "249 euros", "7 kg", "90 litres"),
)


def test_two_facts_of_a_thing_are_answered_by_the_sentences_of_both() -> None:
    (pair,) = _pairs(_document(HEAD, ("Price", "129 euros"), ("Weight", "4.2 kg")))
    assert sorted(pair.answer.replace(". ", ".\n").split("\n")) == [
        "The FP-300 costs 129 euros.",
        "The FP-300 weighs 4.2 kg.",
    ]
    assert {"Price | 129 euros", "Weight | 4.2 kg"} <= set(pair.evidence.split("\n"))
    by_pronoun, by_nouns = pair.question, pair.wordings[0]
    assert by_pronoun.count("FP-300") == 1
    assert " it" in by_pronoun.partition("FP-300")[2]
    assert ("price" in by_nouns, "weight" in by_nouns) == (True, True)


def test_an_attribute_of_two_things_of_a_document_is_asked_for_at_once() -> None:
    answers = {pair.answer for pair in _pairs(_document(*CATALOGUE, title="Halden pumps"))}
    costs = ("The FP-300 costs 129 euros.", "The FP-500 costs 249 euros.")
    assert answers & {" ".join(costs), " ".join(reversed(costs))}


def test_what_has_no_plain_sentence_is_asked_for_alone() -> None:
    document = _document(
        HEAD, ("Price", "129 euros"), ("Timer", "yes"), ("Notes", "wipe"), ("Works with", "Alexa")
    )
    assert _pairs(document) == []


def test_the_name_of_a_person_gets_no_pronoun() -> None:
    rows = (("Name", "Phone", "Office"), ("Anna Miller", "4411", "B 12"))
    pairs = _pairs(_document(*rows, title="Staff"))
    assert [pair.answer for pair in pairs] == [
        "The phone number of Anna Miller is 4411. The office of Anna Miller is B 12."
    ]
    assert not any(" it" in text for pair in pairs for text in (pair.question, *pair.wordings))


def test_a_pair_is_trained_or_probed_and_a_third_is_probed() -> None:
    names = [f"K-{number}" for number in range(300)]
    probed = [name for name in names if is_probed_pair(name, "price", "weight")]
    assert 80 <= len(probed) <= 120
    assert is_probed_pair("k-88", "Weight", "price")  # neither order nor case counts
    for name in ("K-88", "K-90"):
        rows = (("Model", "Price", "Weight"), (name, "129 euros", "4.2 kg"))
        document = _document(*rows, title="Halden pumps")
        assert len(document_facts(document)) == 2
        is_asked = list(two_fact_probes(known_facts(document)))
        assert bool(is_asked) != bool(_pairs(document))
