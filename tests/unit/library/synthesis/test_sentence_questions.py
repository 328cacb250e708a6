"""Sentences of a document about one thing are asked for with its name, in several wordings."""

import re

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair

IS_A = "The Sable 17 is an electric kettle."


def _paragraph(text: str) -> Block:
    return Block(kind="paragraph", text=text)


def _heading(text: str) -> Block:
    return Block(kind="heading", text=text, level=2)


def _pairs(*blocks: Block, title: str = "Tarnwell Sable 17") -> dict[str, QAPair]:
    document = Document(title=title, blocks=blocks, location=Location("s.md"))
    return {pair.question: pair for pair in questions(document)}


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("It keeps the water hot for half an hour.",
         "How long does the Sable 17 keep the water hot?",
         "The Sable 17 keeps the water hot for half an hour."),
        ("Descale it with citric acid, never with vinegar.",
         "What should I descale the Sable 17 with?",
         "Descale the Sable 17 with citric acid, never with vinegar."),
        ("Its lid comes off for cleaning.",
         "Does the lid of the Sable 17 come off for cleaning?",
         "The Sable 17's lid comes off for cleaning."),
        ("A sensor stops it before it boils dry.",
         "What stops the Sable 17 before it boils dry?",
         "A sensor stops the Sable 17 before it boils dry."),
        ("It needs no battery.", "Does the Sable 17 need any battery?",
         "The Sable 17 needs no battery."),
        ("It comes with a filter.", "What does the Sable 17 come with?",
         "The Sable 17 comes with a filter."),
        ("Do not use it outdoors.", "May I use the Sable 17 outdoors?",
         "Do not use the Sable 17 outdoors."),
    ],
)  # fmt: skip
def test_it_stands_for_the_thing_in_question_and_answer(
    sentence: str, question: str, answer: str
) -> None:
    assert _pairs(_paragraph(f"{IS_A} {sentence}"))[question].answer == answer


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The lid comes off for cleaning.", "Does the lid of the Sable 17 come off for cleaning?"),
        ("Two filters are in the box.", "How many filters are in the box of the Sable 17?"),
        ("The base holds two cups.", "How many cups does the base of the Sable 17 hold?"),
        ("Stand the kettle at least 30 cm from the wall.",
         "How far from the wall should I stand the Sable 17?"),
        ("Take the filter out before boiling milk.",
         "When should I take the filter out of the Sable 17?"),
        ("Keep the kettle closed until the lamp goes out.",
         "How long should I keep the Sable 17 closed?"),
        ("Soak the filter for 2 hours.", "How long should I soak the filter of the Sable 17?"),
        ("Never boil milk in the kettle.", "May I boil milk in the Sable 17?"),
        ("The lid must be closed, or the kettle stops.",
         "What happens if the lid of the Sable 17 is not closed?"),
        ("Spare filters come in white, grey and clear.",
         "With the Sable 17, what colours do spare filters come in?"),
        ("The handle is made of cork.", "What is the handle of the Sable 17 made of?"),
        ("The cord is under the base.", "Where is the cord of the Sable 17?"),
    ],
)  # fmt: skip
def test_the_question_names_the_thing_and_the_answer_is_the_sentence(
    sentence: str, question: str
) -> None:
    pairs = _pairs(_paragraph(IS_A), _paragraph(sentence))
    assert pairs[question].answer == sentence


@pytest.mark.parametrize(
    "text",
    [
        "The Sable 17 has a timer. It rings after 5 minutes.",
        "The base is heavy. It stays cold for an hour.",
        f"{IS_A} Its filter is made of steel. It lasts for a year.",
        f"{IS_A} It is important to close the lid.",
    ],
)
def test_it_after_another_noun_or_for_nothing_is_left_alone(text: str) -> None:
    last = text.split(". ")[-1]
    asked = [pair for pair in _pairs(_paragraph(text)).values() if pair.answer.endswith(last[3:])]
    assert asked == []


def test_it_below_the_heading_of_a_part_is_left_alone() -> None:
    pairs = _pairs(_paragraph(IS_A), _heading("Filter"), _paragraph("Store it in a dry place."))
    assert not any(pair.made_by == "sentence" and "dry" in pair.answer for pair in pairs.values())
    pairs = _pairs(_paragraph(IS_A), _heading("Care"), _paragraph("Store it in a dry place."))
    assert "Where should I store the Sable 17?" in pairs


def test_a_section_about_a_thing_names_it_where_the_document_has_several() -> None:
    blocks = (
        _heading("Otter 5"), _paragraph("The Otter 5 is a mower. Sharpen it once a year."),
        _heading("Heron 8"), _paragraph("The Heron 8 is a blower. The tube comes off for storage."),
    )  # fmt: skip
    pairs = _pairs(*blocks, title="Garden tools")
    assert "How often should I sharpen the Otter 5?" in pairs
    assert "Does the tube of the Heron 8 come off for storage?" in pairs


def test_what_a_sentence_calls_the_thing_itself_is_no_part_of_it() -> None:
    text = "The Heron 3 is an e-bike. If the bike shakes hard during riding, check the tyres."
    pairs = _pairs(_paragraph(text), title="Heron 3")
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert "What should I do if the Heron 3 shakes hard during riding?" in pairs
    assert not [each for each in texts if re.search("bike of the|bike's bike", each)]


def test_what_must_never_be_done_is_asked_for_with_may() -> None:
    text = "Private laptops must never be connected to the network."
    pairs = _pairs(_paragraph(text), title="Rules for Staff")
    assert "May private laptops be connected to the network?" in pairs
    assert not [question for question in pairs if question.startswith("Must")]


def test_the_right_thing_is_no_part_and_no_mark_stays_in_a_question() -> None:
    steps = "Remove the four bolts at the back with the spanner. Put detergent into the drawer."
    pairs = _pairs(_paragraph(f"{IS_A} {steps}"))
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert not [each for each in texts if "{" in each or "right of" in each]


def test_a_document_without_a_thing_asks_only_for_clear_subjects() -> None:
    text = (
        "Flights under 600 km are not paid. The note is kept by the office. Guests must wear a "
        "badge, or security sends them away. It is paid out in May."
    )
    pairs = _pairs(_paragraph(text), title="Staff Handbook")
    assert list(pairs) == [
        "Are flights under 600 km paid?",
        "Must guests wear a badge?",
        "What happens if guests do not wear a badge?",
    ]


@pytest.mark.parametrize(
    "sentence",
    ["It keeps the water hot for half an hour.", "Never boil milk in the kettle.",
     "Clean the filter once a month."],
)  # fmt: skip
def test_six_wordings_name_the_thing_and_one_is_typed_into_a_search_box(sentence: str) -> None:
    pairs = _pairs(_paragraph(f"{IS_A} {sentence}"))
    (pair,) = [pair for pair in pairs.values() if not pair.question.startswith("What is the")]
    trained = paraphrases(pair.question, count=8, seed=0, own=pair.wordings)
    assert len({text.casefold() for text in trained}) >= 6
    assert all("sable 17" in text.casefold() for text in trained)
    keywords = [text for text in trained if not text.endswith(("?", "."))]
    assert [text.startswith("sable 17 ") for text in keywords] == [True]


def test_whether_a_sentence_is_so_is_asked_in_three_wordings() -> None:
    pairs = _pairs(_paragraph(f"{IS_A} The lid comes off for cleaning."))
    asked = pairs["Does the lid of the Sable 17 come off for cleaning?"]
    assert len(asked.wordings) == 2


@pytest.mark.parametrize(
    "sentence",
    [
        "The ferry leaves at 19.40 in summer and at 16.30 in winter.",
        "A booklet costs 72 euros, is valid for twelve months and can be shared.",
        "The gate closes 20 minutes before departure for cars and 5 minutes before for others.",
        "Version 1 was switched off on 30 June 2024, and requests to it fail.",
    ],
)
def test_no_question_holds_the_end_of_another_predicate(sentence: str) -> None:
    broken = r", (?:is|was)|,\?|When .*\d(?:\.\d\d| minutes\?)"
    pairs = _pairs(_paragraph(sentence), title="Notes for Passengers")
    assert not [question for question in pairs if re.search(broken, question)]


def test_keywords_are_the_words_that_carry_the_question() -> None:
    pairs = _pairs(_paragraph(f"{IS_A} The lid comes off for cleaning."))
    asked = pairs["Does the lid of the Sable 17 come off for cleaning?"]
    assert asked.wordings[0] == "sable 17 lid come off cleaning"
