"""Sentences that tell a listed attribute are asked for in the words of customers."""

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.clauses import clauses_of
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair


def _asked(*sentences: str, title: str = "Good to know") -> dict[str, QAPair]:
    """The pair of each question and wording that a paragraph answers."""
    texts = (" ".join(sentences), "This is about the rules of the house, as they are for you.")
    blocks = tuple(Block(kind="paragraph", text=text) for text in texts)
    document = Document(title=title, blocks=blocks, location=Location("s.md"))
    return {
        asked: pair for pair in questions(document) for asked in (pair.question, *pair.wordings)
    }


@pytest.mark.parametrize(
    ("sentence", "question", "value"),
    [
        ("The shop is open from Tuesday to Friday, 10:00 to 18:30.",
         "What time does the shop close?", "from Tuesday to Friday, 10:00 to 18:30"),
        ("Reception opens at 7 a.m.", "When is reception open?", "at 7 a.m."),
        ("A double room costs 110 euros per night.", "How much is the double room?",
         "110 euros per night"),
        ("Dogs cost 15 euros per stay.", "How much do I have to pay for dogs?",
         "15 euros per stay"),
        ("The Kestrel 5 weighs 13.2 kg.", "How heavy is the Kestrel 5?", "13.2 kg"),
        ("The bridge can carry 2 tonnes.", "How heavy may the load on the bridge be?", "2 tonnes"),
        ("The cabin is 4 m long.", "What is the length of the cabin?", "4 m long"),
        ("The boat holds 40 people.", "How many people is the boat for?", "40 people"),
        ("The kettle holds 1.7 litres.", "How much goes into the kettle?", "1.7 litres"),
        ("The tour starts at 9:30 at the pier.", "At what time does the tour begin?",
         "at 9:30 at the pier"),
        ("The tour lasts two hours.", "For how long does the tour last?", "two hours"),
        ("The scarf comes in grey and red.", "What colour is the scarf?", "grey and red"),
        ("The archive is located behind the town hall.", "I need to know where the archive is.",
         "behind the town hall"),
        ("The inn's address is 3 Quay Street, Polperro.", "In which street is the inn?",
         "3 Quay Street, Polperro"),
        ("The deposit for a canoe is 50 euros.", "How much is the deposit for the canoe?",
         "50 euros"),
        ("Our address is 14 Harbour Road, Falmouth.", "What is your address?",
         "14 Harbour Road, Falmouth"),
        ("We are closed on Mondays.", "On which days are you closed?", "on Mondays"),
        ("We charge 5 euros for late returns.", "How much do late returns cost?", "5 euros"),
        ("The car park is free of charge.", "How much does the car park cost?", "free of charge"),
        ("A white filling costs from \u00a3110.", "What is the price of the white filling?",
         "from \u00a3110"),
        ("Treatment takes between 60 and 90 minutes, depending on the tooth.",
         "How long does treatment take?", "between 60 and 90 minutes"),
        ("The market takes place on 3 May.", "On which day is the market?", "on 3 May"),
        ("Our data centres are located in Frankfurt.", "Where are your data centres?",
         "in Frankfurt"),
        ("Extra storage costs 2 euros.", "How much does extra storage cost?", "2 euros"),
        ("Boulder Barn measures 20 x 30 m.", "How big is Boulder Barn?", "20 x 30 m"),
        ("Our car park costs 12 euros per night.", "How much does your car park cost?",
         "12 euros per night"),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_for_as_customers_ask(sentence: str, question: str, value: str) -> None:
    pair = _asked(sentence)[question]
    assert (pair.answer, pair.value) == (sentence, value)


def test_both_halves_of_a_sentence_are_asked_for() -> None:
    sentence = "The boat weighs 900 kg and is made of steel."
    asked = _asked(sentence)
    assert asked["How heavy is the boat?"].answer == sentence
    assert asked["What is the boat made of?"].value == "steel"


@pytest.mark.parametrize(
    "sentence",
    [
        "The shop is not open on Mondays.",
        "The offer is open to everyone until Friday.",
        "The pool's temperature is 28 degrees.",
        "The result will surprise you.",
        "The seat is free.",
        "The seat is free for members.",
        "The cost of butter is a worry.",
        "The bottle costs 2 euros less than the can.",
        "Shoes cost 3 euros to hire.",
        "The soup is made from scratch.",
        "The road is closed for repairs until Monday.",
        "Its opening hours are from 9:00 to 17:00.",
        "The hall is free of dust.",
        "The following tour lasts two hours.",
    ],
)
def test_what_tells_no_value_is_asked_for_by_other_rules_alone(sentence: str) -> None:
    asked = " ".join(_asked(sentence))
    for words in (
        "opening hours of", "its opening", "temperatures", "price", "tour last", "metal, wood",
        "not open",
    ):  # fmt: skip
        assert words not in asked


def test_it_stands_for_the_subject_of_the_sentence_before() -> None:
    asked = _asked(
        "The Kestrel 5 is a bicycle.", "It costs 1,290 euros.", "Its top speed is 25 km/h."
    )
    assert asked["How much is the Kestrel 5?"].answer == "The Kestrel 5 costs 1,290 euros."
    assert asked["How fast is the Kestrel 5?"].answer == "The Kestrel 5's top speed is 25 km/h."
    breakfast = _asked("Breakfast costs 14 euros.", "It is served from 7:00 to 10:30.")
    assert breakfast["When is breakfast served?"].value == "from 7:00 to 10:30"


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("The pump has a filter.", "It costs 9 euros."),
        ("Helen Moss runs Maple Street.", "It is closed on Mondays."),
        ("Rooms look towards mountains.", "They are covered in snow."),
        ("The booking is free for clubs.", "Its projector weighs 2 kg."),
        ("The pump fills 2 tanks with a hose.", "It costs 9 euros."),
    ],
)
def test_it_stands_for_nothing_if_another_noun_may_be_meant(before: str, sentence: str) -> None:
    rest = sentence.partition(" ")[2]
    for pair in _asked(before, sentence).values():
        assert rest not in pair.answer or sentence in pair.answer


def test_a_part_is_named_with_the_thing_that_the_document_is_about() -> None:
    asked = _asked(
        "The Luma 12 is a desk lamp.", "The arm is 60 cm long.", "The lamp weighs 2 kg.",
        title="Luma 12",
    )  # fmt: skip
    assert asked["How long is the arm of the Luma 12?"].answer == "The arm is 60 cm long."
    assert asked["What does the Luma 12 weigh?"].answer == "The lamp weighs 2 kg."


def test_what_follows_a_colon_is_no_verb_of_the_subject_before_it() -> None:
    assert clauses_of("The oven is too heavy for that: a driver brings it and rings you") == []
    [clause] = clauses_of("The oven weighs 90 kg; a driver brings it and rings you")
    assert clause.rest == "90 kg"


def test_a_company_is_no_product() -> None:
    asked = _asked("Our price is 40 euros per hour.")
    assert asked["What is your price?"].value == "40 euros per hour"
    assert not any("are you" in each or "for you" in each for each in asked)


def test_no_question_names_a_thing_twice() -> None:
    asked = _asked("The battery of the Kestrel 5 takes four hours to charge.")
    assert "How long does it take to charge the battery of the Kestrel 5?" in asked
    assert not any("battery of the battery" in each for each in asked)
