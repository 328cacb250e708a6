"""Terms that texts hold beside the names of things."""

from ftdist.data.messages import Message
from ftdist.library.schema import MadeBy, Sample
from ftdist.library.synthesis.mentions import Mentions, find_mentions


def _found(
    *texts: str, made_by: MadeBy = "passage", names: tuple[str, ...] = ("K-88",)
) -> Mentions:
    samples = [Sample(text=text, location="a", made_by=made_by, doc_id="a.md") for text in texts]
    return find_mentions(samples, terms=["noise level", "noise", "display", "flow"], names=names)


def test_a_thing_is_mentioned_by_whole_words_in_singular_or_plural() -> None:
    found = _found(
        "Noise levels of the K-88 vary.", "The K-880 has a display.", "Flow and display."
    )
    assert {term for term, name in found.beside if name == "K-88"} == {"noise level", "noise"}
    assert found.anywhere == {"noise level", "noise", "display", "flow"}


def test_a_text_without_a_name_counts_for_its_document_and_for_all_things() -> None:
    found = _found("It has a display.")
    assert found.holds("display", "a.md")
    assert not found.holds("display", "K-88")
    assert found.of_nothing == {"display"}


def test_a_question_and_its_answer_are_one_text() -> None:
    messages = (
        Message(role="user", content="Does it have a display?"),
        Message(role="assistant", content="Yes, the K-88 has one."),
    )
    sample = Sample(messages=messages, location="a", made_by="faq", doc_id="a.md")
    found = find_mentions([sample], terms=["display"], names=["K-88"])
    assert (found.beside, found.of_nothing) == ({("display", "K-88")}, set())


def test_an_answer_that_nothing_is_told_mentions_its_attribute_of_its_thing_alone() -> None:
    text = "The documents do not give the flow of the K-88."
    found = _found(text, made_by="unanswerable")
    assert found.holds("flow", "K-88")
    assert not found.holds("flow", "")
