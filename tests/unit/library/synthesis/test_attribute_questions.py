"""Each attribute is asked for in the words of people, and each value for its thing."""

import re
from collections import Counter
from itertools import chain

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.attribute_lexicon import Attribute, all_attributes, find_attribute
from ftdist.library.synthesis.document_facts import document_fact_pairs, document_facts
from ftdist.library.synthesis.fact_questions import MAX_WORDINGS
from ftdist.library.synthesis.general_questions import general_forms
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.reverse_questions import asked_values

PROSE = Block(kind="paragraph", text="The Marlow 20 is a tumble dryer for cellars.")
HEAD = ("Property", "Value")


def _document(*rows: tuple[str, str], title: str = "Tarnwell Marlow 20") -> Document:
    table = Block(kind="table", text="", rows=(HEAD, *rows), has_header=True)
    return Document(title=title, blocks=(PROSE, table), location=Location("c.md"))


def _pairs(*rows: tuple[str, str]) -> list[QAPair]:
    return document_fact_pairs(_document(*rows, ("Colour", "grey")))


def _asked(value: str, *rows: tuple[str, str], reverse: bool = False) -> list[str]:
    """All wordings of the questions that lead to a value, or with `reverse` from it."""
    pairs = [pair for pair in _pairs(*rows) if value in pair.evidence]
    return [
        text
        for pair in pairs
        if pair.made_by == ("reverse" if reverse else "table")
        for text in (pair.question, *pair.wordings)
    ]


@pytest.mark.parametrize("attribute", all_attributes(), ids=lambda each: each.names[0])
def test_every_question_of_the_lexicon_fills_its_places_and_ends_well(attribute: Attribute) -> None:
    places = set("xXnaAs") | {"units"}
    assert len(attribute.questions) >= 5
    for text in attribute.questions:
        assert set(re.findall(r"\{(\w*)\}", text)) <= places
        assert re.search(r"\{[xXn]\}", text), "names the thing"
        is_query = "{n}" in text and not text[0].isupper() and not text.endswith((".", "!"))
        assert is_query or re.search(r"[\w}][?.]$", text)
        assert text == " ".join(text.split())
    for text in attribute.reverse:
        assert set(re.findall(r"\{(\w*)\}", text)) <= {"kind", "v", "a"}
        assert "{v}" in text
        assert text.endswith("?")


def test_no_two_attributes_share_a_question_a_name_or_a_word() -> None:
    for texts in (
        [
            [text for text in each.questions if not re.search(r"\{[aA]\}", text)]
            for each in all_attributes()
        ],
        [[text for text in each.reverse if "{a}" not in text] for each in all_attributes()],
        [
            {text.casefold().rstrip(".") for text in (*each.names, *each.words)}
            for each in all_attributes()
        ],
    ):
        found = Counter(text.casefold().rstrip("?.") for text in chain.from_iterable(texts))
        assert [text for text, times in found.items() if times > 1] == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Cable length", "7.5 metres", ("lead", "cord", "flex")),
        ("Refrigerant", "R290", ("coolant", "cooling agent")),
        ("Warranty", "4 years", ("guarantee", "fails")),
        ("Noise level", "42 dB", ("loud", "sound", "noisy", "decibels")),
        ("Order number", "TW-20", ("SKU", "part number", "product code")),
        ("Colour", "grey", ("color", "shade")),
    ],
)
def test_a_fact_is_asked_for_in_the_words_of_people(
    name: str, value: str, words: tuple[str, ...]
) -> None:
    asked = _asked(value, (name, value))
    assert 12 <= len(asked) <= MAX_WORDINGS
    for word in words:
        assert any(word.casefold() in text.casefold() for text in asked), word


def test_two_voltages_are_each_asked_for_by_their_own_name() -> None:
    asked = _asked("230 V", ("Input voltage", "230 V"), ("Output voltage", "12 V"))
    assert asked
    assert all("input voltage" in text.casefold() for text in asked)


def test_two_weights_get_an_answer_that_names_each() -> None:
    answers = {pair.answer for pair in _pairs(("Weight", "4 kg"), ("Mass", "5 kg"))}
    assert "The weight of the Marlow 20 is 4 kg." in answers
    assert "The Marlow 20 weighs 4 kg." not in answers


@pytest.mark.parametrize(
    ("attribute", "value", "units", "question"),
    [
        ("drum depth", "40 cm", "centimetres", "How deep is the drum of {x}?"),
        ("blade length", "40 cm", "centimetres", "How long is the blade of {x}?"),
        ("cooling phase", "40 minutes", "minutes", "How long is the {a} of {x}?"),
        ("city tax", "2.50 EUR", "euros", "How much is the {a} of {x}?"),
        ("parking", "9 EUR per day", "", "How much is the {a} of {x}?"),
        ("head chef", "Maria Lopez", "", "Who is the {a} of {x}?"),
        ("breakfast", "7 am to 10 am", "", "What time is the {a} of {x}?"),
        ("annual fair", "12 May 2026", "", "When is the {a} of {x}?"),
        ("piping", "black", "", "What colour is the {a} of {x}?"),
        ("inks", "black, red, blue", "", "Which {a} does {x} have?"),
        ("handle", "wooden", "", "What kind of {a} does {x} have?"),
        ("rinse heat", "40 °C", "", "How many degrees is the {a} of {x}?"),
    ],
)
def test_what_is_asked_for_an_unlisted_attribute_suits_its_value(
    attribute: str, value: str, units: str, question: str
) -> None:
    assert question in general_forms(attribute, value, units=units)


def test_a_measure_of_no_part_is_no_question_about_a_part() -> None:
    assert not any(
        "How long" in form for form in general_forms("focal length", "40 mm", units="millimetres")
    )


def test_a_value_leads_to_its_thing_by_several_nouns() -> None:
    asked = _asked("72 euros", ("Price", "72 euros"), ("Power", "800 W"), reverse=True)
    assert asked[0] == "Which tumble dryer costs 72 euros?"
    assert "What costs 72 euros?" in asked
    assert any("Tarnwell product" in text for text in asked)
    assert any("which of your products" in text.casefold() for text in asked)
    assert len(asked) >= 4
    assert not any("Marlow" in text for text in asked)


@pytest.mark.parametrize(
    ("name", "value", "question"),
    [
        ("Refrigerant", "R290", "Which tumble dryer uses R290?"),
        ("Protection", "IP65", "Which tumble dryer is protected to IP65?"),
        ("Filter class", "M", "Filter class M: which of your products is that?"),
        ("App", "Tarnhome", "Which tumble dryer works with the app Tarnhome?"),
    ],
)
def test_a_short_text_leads_to_its_thing(name: str, value: str, question: str) -> None:
    assert question in _asked(value, (name, value), reverse=True)


@pytest.mark.parametrize("value", ["4 Quay Street, Brixham", "black, or grey if sold out", "yes"])
def test_a_long_text_leads_to_no_thing(value: str) -> None:
    assert not _asked(value, ("Material", value), reverse=True)


def test_a_value_that_is_a_part_of_another_one_leads_to_no_thing() -> None:
    rows = (
        ("Product", "Protection"),
        ("Vine 15", "IP65"),
        ("Vine 30", "IP65, splashproof"),
    )
    table = Block(kind="table", text="", rows=rows, has_header=True)
    document = Document(title="Price list", blocks=(table,), location=Location("c.md"))
    assert not [pair for pair in document_fact_pairs(document) if pair.made_by == "reverse"]
    values = [asked_values(fact) for fact in document_facts(document)]
    assert values == [
        ["ip rating: ip65"],
        ["ip rating: ip65, splashproof", "ip rating: ip65", "ip rating: splashproof"],
    ]


def test_rows_of_settings_and_parts_are_things_though_their_names_are_attributes() -> None:
    rows = (("Option", "Default", "Limit"), ("Port", "8080", "9000"), ("Format", "JSON", "one"))
    table = Block(kind="table", text="", rows=rows, has_header=True)
    document = Document(title="Relay 2", blocks=(table,), location=Location("c.md"))
    assert "What is the default of Port?" in [
        pair.question for pair in document_fact_pairs(document)
    ]


def test_a_size_in_square_metres_is_an_area() -> None:
    assert "area" in find_attribute("Size", value="16 m²").names
    assert "dimensions" in find_attribute("Size", value="40 x 20 cm").names


@pytest.mark.parametrize(
    ("name", "value", "question", "answer"),
    [
        ("Width x depth x height", "28 x 43 x 39 cm", "How big is the Marlow 20?",
         "The Marlow 20 measures 28 x 43 x 39 cm."),
        ("Weight without battery", "21.4 kg", "How heavy is the Marlow 20?",
         "The Marlow 20 weighs 21.4 kg (without battery)."),
        ("Weight, empty", "19.4 kg", "How heavy is the Marlow 20?",
         "The Marlow 20 weighs 19.4 kg (empty)."),
        ("Heating-up time", "11 minutes", "How long until the Marlow 20 is hot?",
         "The heating-up time of the Marlow 20 is 11 minutes."),
        ("Standby after", "45 minutes", "When does the Marlow 20 switch itself off?",
         "The Marlow 20 turns off after 45 minutes."),
        ("Grinding speed", "1.6 g per second", "How fast does the Marlow 20 grind?",
         "The grinding speed of the Marlow 20 is 1.6 g per second."),
        ("Cooling-down time", "7 minutes", "How long does the Marlow 20 take to cool down?",
         "The cooling-down time of the Marlow 20 is 7 minutes."),
        ("Max. cup height", "95 mm", "I need to know the maximum cup height of the Marlow 20.",
         "The maximum cup height of the Marlow 20 is 95 mm."),
        ("Steam boiler", "1.1 litres, stainless steel",
         "How much does the steam boiler of the Marlow 20 hold?",
         "The steam boiler of the Marlow 20 is 1.1 litres, stainless steel."),
    ],
)  # fmt: skip
def test_names_of_data_sheets_are_asked_for_as_people_say_them(
    name: str, value: str, question: str, answer: str
) -> None:
    asked = {
        text.replace("Tarnwell ", ""): pair
        for pair in _pairs((name, value))
        for text in (pair.question, *pair.wordings)
    }
    assert asked[question].answer == answer


def test_what_follows_a_comma_and_limits_nothing_stays_part_of_the_name() -> None:
    [pair] = [pair for pair in _pairs(("Delivery, UK", "5 EUR")) if pair.value == "5 EUR"]
    assert "delivery, UK" in pair.question
    assert not any("How soon" in text for text in pair.wordings)


def test_two_limits_of_one_attribute_are_told_apart() -> None:
    rows = (("Weight, with battery", "13.2 kg"), ("Weight, without battery", "11.2 kg"))
    for (_, value), limit in zip(rows, ("with battery", "without battery"), strict=True):
        asked = _asked(value, *rows)
        assert asked
        assert all(limit in each for each in asked)
