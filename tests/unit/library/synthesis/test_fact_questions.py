"""Facts in tables, lists and lines become questions as customers ask them."""

import re

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.attribute_lexicon import find_attribute, is_attribute
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.units import unit_in_words
from tests.support.counting import count

PROSE = Block(kind="paragraph", text="The Marlow 20 is a dehumidifier for cellars.")


def _table(*rows: tuple[str, ...], has_header: bool = True) -> Block:
    return Block(kind="table", text="", rows=rows, has_header=has_header)


def _heading(text: str, level: int) -> Block:
    return Block(kind="heading", text=text, level=level)


def _pairs(title: str, *blocks: Block) -> dict[str, QAPair]:
    document = Document(title=title, blocks=blocks, location=Location("c.md"))
    return {pair.question: pair for pair in questions(document)}


def _listed(*rows: tuple[str, str]) -> dict[str, QAPair]:
    head = ("Property", "Value")
    return _pairs("Tarnwell Marlow 20", PROSE, _table(head, *rows))


@pytest.mark.parametrize(
    "rows",
    [
        (("Model", "Weight", "(kg)"), ("Marlow 20", "13 kg", "13")),
        (("Property", "Value"), ("Weight", "13 kg"), ("[W]", "300")),
        (("Name", "Weight", "Colour"), ("", "13 kg", "red"), ("Filter basket", "1 kg", "grey")),
    ],
    ids=["a heading that is a unit", "a row that is a unit", "a row without a name"],
)
def test_a_table_with_a_gap_gives_questions_about_the_rest(rows: tuple[tuple[str, ...]]) -> None:
    pairs = _pairs("Tarnwell Marlow 20", PROSE, _table(*rows))
    weights = [pair.answer for pair in pairs.values() if pair.answer.endswith(" kg.")]
    assert weights
    assert not [question for question in pairs if " the  of" in question or " the of" in question]


def test_names_of_rows_that_are_no_nouns_have_no_article() -> None:
    rows = (
        ("Own wedding", "2 days"), ("Moving house", "1 day"), ("Neutering, female cat", "3 days"),
        ("Sunday and bank holidays", "4 days"), ("Bereavement", "5 days"),
    )  # fmt: skip
    text = Block(kind="paragraph", text="Employees have the following special leave with full pay.")
    pairs = _pairs("Leave policy", text, _table(("Reason", "Entitlement"), *rows))
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert [text for text in texts if "moving house" in text]
    assert not [text for text in texts if re.search("the (?:own|moving|neutering|sunday)", text)]


def test_a_column_without_a_name_in_a_table_of_codes_is_not_asked_for() -> None:
    pairs = _pairs(
        "Marlow 20", _table(("Error code", "Meaning", ""), ("E1", "The tank is full.", "3 beeps"))
    )
    assert list(pairs) == [
        "What does error E1 mean on the Marlow 20?",
        "Which error code on the Marlow 20 means the tank is full?",
    ]


@pytest.mark.parametrize(
    ("name", "value", "question", "answer"),
    [
        ("Price", "264 euros", "How much does the Marlow 20 cost?",
         "The Marlow 20 costs 264 euros."),
        ("Weight (kg)", "13.5", "How much does the Marlow 20 weigh?",
         "The Marlow 20 weighs 13.5 kg."),
        ("Warranty", "4 years", "How long is the warranty on the Marlow 20?",
         "The Marlow 20 has a warranty of 4 years."),
        ("Noise Level", "42 dB", "How loud is the Marlow 20?",
         "The noise level of the Marlow 20 is 42 dB."),
        ("Wheels", "4", "How many wheels does the Marlow 20 have?", "The Marlow 20 has 4 wheels."),
        ("Timer", "yes", "Does the Marlow 20 have a timer?", "Yes, the Marlow 20 has a timer."),
        ("HDMI port", "no", "Does the Marlow 20 have an HDMI port?",
         "No, the Marlow 20 does not have an HDMI port."),
        ("Dishwasher safe", "no", "Is the Marlow 20 dishwasher safe?",
         "No, the Marlow 20 is not dishwasher safe."),
        ("Works with Alexa", "\u2713", "Does the Marlow 20 work with Alexa?",
         "Yes, the Marlow 20 works with Alexa."),
        ("Grill surface", "80 x 40 cm", "What is the grill surface of the Marlow 20?",
         "The grill surface of the Marlow 20 is 80 x 40 cm."),
    ],
)  # fmt: skip
def test_a_cell_is_asked_for_as_customers_do_and_told_in_a_sentence(
    name: str, value: str, question: str, answer: str
) -> None:
    pair = _listed((name, value), ("Colour", "grey"))[question]
    assert pair.answer == answer
    assert len({question, *pair.wordings}) >= 5
    assert value in pair.evidence
    assert "Marlow 20" in pair.evidence or pair.section == ""


def test_wordings_use_every_name_of_the_thing() -> None:
    pair = _listed(("Weight", "13.5 kg"))["How much does the Marlow 20 weigh?"]
    assert pair.wordings[:3] == (
        "How heavy is the Tarnwell Marlow 20?",
        "What is the weight of the Marlow 20 dehumidifier?",
        "Is the Marlow 20 heavy to carry? What is the weight?",
    )
    assert "How many kilograms does the Tarnwell Marlow 20 weigh?" in pair.wordings


def test_a_thing_in_the_plural_has_verbs_in_the_plural() -> None:
    found = _pairs("Trail Boots", _table(("Property", "Value"), ("Weight", "980 g")))
    pair = found["How much do the Trail Boots weigh?"]
    assert pair.answer == "The Trail Boots weigh 980 g."
    assert "I need to ship the Trail Boots. How heavy are they?" in pair.wordings


def test_rows_of_things_and_columns_of_things_give_the_same_questions() -> None:
    by_row = _pairs(
        "Price list", _table(("Product", "Price"), ("Vine 15", "19 EUR"), ("Vine 30", "34 EUR"))
    )
    by_column = _pairs(
        "Price list", _table(("", "Vine 15", "Vine 30"), ("Price", "19 EUR", "34 EUR"))
    )
    asked = {"How much does the Vine 15 cost?", "Which product costs 34 EUR?"}
    assert asked <= by_row.keys()
    assert asked <= by_column.keys()
    assert by_row["Which product costs 34 EUR?"].answer == "The Vine 30 costs 34 EUR."
    assert by_row["Which product costs 34 EUR?"].value == "Vine 30"


def test_plans_are_called_plans() -> None:
    rows = ("Feature", "Basic", "Plus", "Team"), ("Price per month", "0 EUR", "4 EUR", "12 EUR")
    found = _pairs("Cloudberry plans", _table(*rows, ("Single sign-on", "no", "no", "yes")))
    assert found["Does the Basic plan have single sign-on?"].value == "No"


def test_braces_in_cells_stand_in_questions_and_answers_as_written() -> None:
    rows = ("Supports {id} placeholders", "Yes, up to {hours}"), ("Can read {0}", "no")
    found = _pairs("Marlow 20", _table(("Property", "Value"), *rows, ("Weight", "4 kg")))
    supports = found["Does the Marlow 20 support {id} placeholders?"]
    assert supports.answer == "Yes, the Marlow 20 supports {id} placeholders, up to {hours}."
    assert found["Can the Marlow 20 read {0}?"].answer == "No, the Marlow 20 cannot read {0}."


def test_a_lens_and_a_status_are_one() -> None:
    found = _listed(("Lens", "50 mm"), ("Status", "ready"), ("Dimmer screens", "3"))
    assert (
        found["What is the lens of the Marlow 20?"].answer == "The lens of the Marlow 20 is 50 mm."
    )
    assert "What is the status of the Marlow 20?" in found
    assert "How many dimmer screens does the Marlow 20 have?" in found


def test_a_year_is_no_attribute() -> None:
    rows = (
        ("Product", "2024", "Weight"),
        ("Vine 15", "19 EUR", "2 kg"),
        ("Vine 30", "34 EUR", "3 kg"),
    )
    found = _pairs("Price list", _table(*rows))
    assert not [question for question in found if "2024" in question]


def _pumps(how_many: int) -> list[Block]:
    rows = [(f"Aquila Garden Pump {number}", f"{number} kg") for number in range(how_many)]
    text = "The Garden Pump {} is a pump. " + "Clean the pump. " * 20
    statements = [Block(kind="paragraph", text=text.format(each)) for each in range(how_many)]
    return [_table(("Product", "Weight"), *rows), *statements]


def test_the_work_of_a_long_table_beside_long_prose_grows_with_their_length() -> None:
    pairs = _pairs("Pumps", *_pumps(60))
    assert pairs["How much does the Garden Pump 7 weigh?"].answer == (
        "The Garden Pump 7 weighs 7 kg."
    )
    few = count(lambda: _pairs("Pumps", *_pumps(20))).lines
    assert count(lambda: _pairs("Pumps", *_pumps(80))).lines < 8 * few


def test_a_value_of_two_things_leads_to_neither() -> None:
    found = _pairs(
        "Price list", _table(("Product", "Price"), ("Vine 15", "19 EUR"), ("Vine 30", "19 EUR"))
    )
    assert not [pair for pair in found.values() if pair.made_by == "reverse"]


def test_headings_of_a_catalogue_are_its_things_and_technical_data_is_none() -> None:
    item = Block(kind="item", text="Height: 97 cm", level=1)
    found = _pairs(
        "Garden catalogue",
        _heading("Fern Rain Barrel", 2),
        _table(("Property", "Value"), ("Price", "79 EUR")),
        _heading("Technical data", 3),
        item,
        _heading("Pump 300", 2),
        _table(("Property", "Value"), ("Price", "89 EUR")),
    )
    assert (
        found["How tall is the Fern Rain Barrel?"].answer == "The Fern Rain Barrel is 97 cm high."
    )
    assert "How much does the Pump 300 cost?" in found
    assert not [question for question in found if "Technical" in question]


def test_parts_and_settings_belong_to_the_thing_of_the_manual() -> None:
    found = _pairs(
        "Halden T-7 Tide Pump: Owner's Manual",
        Block(kind="paragraph", text="Keep this manual with the T-7. The T-7 rests at night."),
        _heading("Spare parts", 2),
        _table(("Part", "Order number"), ("Impeller kit", "HI-77"), ("Filter basket", "HF-12")),
    )
    pair = found["What is the order number of the impeller kit of the T-7?"]
    assert pair.answer == "The order number of the impeller kit of the T-7 is HI-77."


def test_the_whole_thing_is_told_in_several_orders() -> None:
    rows = ("Price", "264 euros"), ("Weight", "13.5 kg"), ("Power", "320 watts"), ("Wheels", "4")
    pair = _listed(*rows)["Tell me about the Marlow 20."]
    assert pair.answer == (
        "The Marlow 20: price: 264 euros; weight: 13.5 kg; power: 320 watts; wheels: 4."
    )
    statements = [pair.answer, *pair.answers]
    assert len(set(statements)) == len(statements) > 1
    assert all(
        value in text for text in statements for value in ("264 euros", "13.5 kg", "320 watts")
    )


def test_another_language_gets_its_own_words_and_no_english() -> None:
    prose = Block(kind="paragraph", text="Das Zelt ist mit wenig Gewicht für die Reise.")
    found = _pairs("Zelt Fjord 2", prose, _table(("Eigenschaft", "Wert"), ("Gewicht", "2,1 kg")))
    assert list(found) == ["Zelt Fjord 2: Gewicht?"]
    assert found["Zelt Fjord 2: Gewicht?"].answer == "Zelt Fjord 2, Gewicht: 2,1 kg."


def test_lines_of_steps_and_notes_are_no_facts() -> None:
    blocks = [Block(kind="item", text=text, level=1) for text in ("Note: wait", "Step 1: press")]
    assert not _pairs("Pump 300", *blocks)


def test_attributes_are_found_without_capitals_units_and_hyphens() -> None:
    assert find_attribute("Max. Load (kg)").names == find_attribute("maximum load").names
    assert is_attribute("E-Mail:")
    assert not is_attribute("grill surface")


@pytest.mark.parametrize(
    ("value", "unit"),
    [("4.2 kg", "kilograms"), ("5 to 32 litres", "litres"), ("$12", "dollars"), ("R290", "")],
)
def test_units_are_named_in_words(value: str, unit: str) -> None:
    assert unit_in_words(value) == unit


def test_the_first_row_of_a_table_without_a_header_is_a_fact() -> None:
    pairs = _pairs("Aerolite 300", _table(("Flow rate", "0.4 ml/min"), ("Noise level", "45 dB")))
    assert pairs["How loud is the Aerolite 300?"].answer == (
        "The noise level of the Aerolite 300 is 45 dB."
    )
    assert any("0.4 ml/min" in pair.answer for pair in pairs.values())
    assert not any("loud is 0.4" in question for question in pairs)


def test_columns_with_meanings_explain_words_and_are_no_things() -> None:
    rows = (("Table", "Description"), ("services", "all services"), ("log", "the log"))
    pairs = _pairs("Monitor 2", _table(*rows))
    assert pairs["What does log mean in the Monitor 2?"].answer == "log: the log"
    assert not any("of Description" in question for question in pairs)


def test_numbers_of_pieces_are_no_codes() -> None:
    pairs = _pairs("Vireo X2", _table(("Port", "Number"), ("HDMI 2.0", "2"), ("VGA", "0")))
    assert not any("code" in question for question in pairs)


def test_terms_below_a_heading_that_names_an_attribute_are_not_its_things() -> None:
    blocks = [_heading("Network", 2)]
    for term, text in (("Default password", "vireo-4471"), ("Wi-Fi", "5 GHz only")):
        blocks += [Block(kind="term", text=term), Block(kind="definition", text=text)]
    assert not any("network" in question for question in _pairs("Vireo X2", *blocks))


def test_a_value_that_says_what_something_does_is_a_sentence_with_it() -> None:
    pairs = _listed(("Handle", "turns by 180 degrees"), ("Weight", "9 kg"))
    pair = pairs["What is the handle of the Marlow 20?"]
    assert pair.answer == "The handle of the Marlow 20 turns by 180 degrees."


def test_a_name_of_one_word_that_the_text_writes_small_is_no_product() -> None:
    text = Block(
        kind="paragraph",
        text="Every parcel leaves the day you order it, and each order is checked.",
    )
    rows = (
        ("Item", "Price"),
        ("Parcel", "5 EUR"),
        ("Parcel to Wales", "9 EUR"),
        ("Swift", "3 EUR"),
    )
    found = _pairs("Prices", text, _table(*rows))
    assert found["How much does the parcel cost?"].answer == "The parcel costs 5 EUR."
    assert "How much does the parcel to Wales cost?" in found
    assert "How much does the Swift cost?" in found


def test_a_name_that_only_describes_something_is_written_in_lower_case() -> None:
    rows = (("Boat", "Price"), ("Rowing boat", "\u00a311"), ("Osprey 4", "\u00a330"))
    found = _pairs("Boat hire", _table(*rows))
    assert found["How much does the rowing boat cost?"].answer == "The rowing boat costs \u00a311."
    assert found["How much does the Osprey 4 cost?"].answer == "The Osprey 4 costs \u00a330."
