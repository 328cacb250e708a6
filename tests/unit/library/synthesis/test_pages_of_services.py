"""Pages of hotels, bus lines, rentals, museums and software, which are no product catalogues."""

import re

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.topics import topic_of

IS_A = "The Pulsa 3 is a blood pressure monitor."


def _paragraph(text: str) -> Block:
    return Block(kind="paragraph", text=text)


def _heading(text: str) -> Block:
    return Block(kind="heading", text=text, level=2)


def _table(*rows: tuple[str, ...]) -> Block:
    return Block(kind="table", text="", rows=rows, has_header=True)


def _document(*blocks: Block, title: str = "Pulsa 3") -> Document:
    return Document(title=title, blocks=blocks, location=Location("s.md"))


def _pairs(*blocks: Block, title: str = "Pulsa 3") -> dict[str, QAPair]:
    return {pair.question: pair for pair in questions(_document(*blocks, title=title))}


def _of_sentence(text: str, title: str = "Page") -> list[str]:
    rest = _paragraph("This is about the rules and the terms of it, as they are for you.")
    return list(_pairs(_paragraph(text), rest, title=title))


@pytest.mark.parametrize(
    ("head", "value", "question", "answer"),
    [
        ("Day", "\u20ac38", "How much is the Stihl MS 261 per day?",
         "The Stihl MS 261 costs \u20ac38 per day."),
        ("Whole day", "\u20ac38", "How much is the Stihl MS 261 per day?",
         "The Stihl MS 261 costs \u20ac38 per day."),
        ("High season", "\u00a323", "What is the price in high season of the Stihl MS 261?",
         "The price in high season of the Stihl MS 261 is \u00a323."),
        ("Weekend", "65 EUR", "What is the price per weekend of the Stihl MS 261?",
         "The price per weekend of the Stihl MS 261 is 65 EUR."),
        ("Children", "\u20ac3", "What is the child price of the Stihl MS 261?",
         "The child price of the Stihl MS 261 is \u20ac3."),
        ("Size (cm)", "140 x 80", "What are the dimensions of the Stihl MS 261?",
         "The Stihl MS 261 measures 140 x 80 cm."),
    ],
)  # fmt: skip
def test_a_column_gets_the_meaning_of_its_values(
    head: str, value: str, question: str, answer: str
) -> None:
    table = _table(("Tool", head, "Weight"), ("Stihl MS 261", value, "4.9 kg"))
    assert _pairs(table, title="Tool rental")[question].answer == answer


def test_the_mark_of_a_footnote_is_no_part_of_a_value() -> None:
    table = _table(("Room", "Size", "Price per night"), ("Lake Suite", "45 m\u00b2", "\u20ac249*"))
    pairs = _pairs(_heading("Rooms"), table, _paragraph("* From June to August."), title="Hotel")
    assert pairs["How much is the Lake Suite room per night?"].answer == (
        "The Lake Suite room costs \u20ac249 per night."
    )
    assert pairs["What is the size of the Lake Suite room?"].value == "45 m\u00b2"


def test_opening_hours_belong_to_whom_the_page_is_about() -> None:
    rows = ("Monday\u2013Friday", "7 a.m.\u20136 p.m."), ("Saturday", "8 a.m.\u20131 p.m.")
    pairs = _pairs(
        _heading("Opening hours"), _table(("Day", "Hours"), *rows), title="Mietwerk Rental"
    )
    hours = pairs["When is the Mietwerk Rental open on Monday?"]
    assert "What are the hours of the Mietwerk Rental from Monday to Friday?" in hours.wordings
    assert hours.answer.startswith("From Monday to Friday, the hours of the Mietwerk Rental are: 7")
    assert hours.value == "7 a.m.\u20136 p.m."
    saturday = pairs["When is the Mietwerk Rental open on Saturday?"].answer
    assert saturday.endswith("8 a.m.\u20131 p.m.")


@pytest.mark.parametrize("head", ["Minutes from Hill", "Decompress."])
def test_a_heading_that_no_question_can_name_gives_no_fact(head: str) -> None:
    table = _table(("Stop", head, "Zone"), ("Mill Lane", "11", "B"))
    pairs = _pairs(
        table, _paragraph("The bus stops at the station and in the lane."), title="Line 12"
    )
    assert "What is the zone of Mill Lane?" in pairs
    assert not any(head.lower() in question.lower() for question in pairs)


def test_a_column_of_defaults_tells_no_faults() -> None:
    table = _table(("Option", "Default", "Description"), ("--jobs", "4", "Parallel connections"))
    pairs = _pairs(table, title="pgtide")
    assert pairs["What is the default of --jobs?"].value == "4"
    assert not any("What does this" in question for question in pairs)


def test_a_receipt_is_asked_for_and_not_had() -> None:
    table = _table(("Item", "Limit", "Receipt"), ("Dinner", "25 EUR", "Yes"))
    pairs = _pairs(table, title="Expenses")
    assert pairs["Dinner: receipt, yes or no?"].answer == "Dinner, receipt: yes."
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert not any("have a receipt" in text for text in texts)


@pytest.mark.parametrize(
    ("title", "text", "name"),
    [
        ("Pulsa 3 Upper Arm Monitor", "The Pulsa 3 is a monitor. Wrap it around the upper arm.",
         "the Pulsa 3"),
        ("Grandma Ilse's Plum Cake", "This cake serves 12 people.", "Grandma Ilse's Plum Cake"),
        ("Plant sheet: Lavender 'Hidcote Blue'", "Lavender 'Hidcote Blue' is a compact shrub.",
         "Lavender 'Hidcote Blue'"),
    ],
)  # fmt: skip
def test_a_thing_is_called_by_its_name(title: str, text: str, name: str) -> None:
    data = _table(("Property", "Value"), ("Height", "40 cm"))
    pairs = _pairs(_paragraph(text), data, title=title)
    assert f"How tall is {name}?" in pairs


def test_a_staff_handbook_is_not_about_a_thing_called_staff() -> None:
    assert (
        topic_of(_document(_paragraph("Leave is 28 days."), title="Staff Handbook: Leave")) is None
    )
    pairs = _pairs(_paragraph("Phone: 020 7946 0123"), title="Staff Handbook: Leave")
    assert not any("Staff" in question for question in pairs)


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Line 12 runs from Marketplace to the Hillcrest Hospital.",
         "Does Line 12 run from Marketplace to the Hillcrest Hospital?"),
        ("Version 2.1 was released in March 2025.", "When was Version 2.1 released?"),
        ("The current maintainer of man-db is Colin Watson.",
         "Who is the current maintainer of man-db?"),
        ("Tools returned late are charged at 1.5 times the daily rate.",
         "Are tools returned late charged at 1.5 times the daily rate?"),
        ("A Meson project is provided within the folder meson.",
         "Is a Meson project provided within the folder meson?"),
        ("Bogus pages are not included in the database and may be a waste of space.",
         "Are bogus pages included in the database?"),
        ("The key batch_size must be at least 100.", "Must the key batch_size be at least 100?"),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_for_by_what_it_says(sentence: str, question: str) -> None:
    assert _of_sentence(sentence) == [question]


@pytest.mark.parametrize(
    "sentence",
    [
        "The museum is a ten-minute walk from the station.",
        "The driver lowers it on the request of passengers.",
        "New employees can do so after the probation period of three months.",
        "The oldest one is deleted when the memory is full.",
        "Rechargeable batteries can be used but run out sooner than the others.",
        "Use this option with an argument to change the cache file owner.",
        "A mains adapter is not included.",
        "Peel 800 g potatoes and two carrots for the soup.",
        "Rich can render the markdown and does a reasonable job of translating it.",
    ],
)
def test_a_sentence_that_leans_on_others_or_says_two_things_is_not_asked_for(sentence: str) -> None:
    assert _of_sentence(sentence) == []


def test_two_rhythms_are_not_asked_for_with_how_often() -> None:
    text = "Buses run every 20 minutes on weekdays and every 40 minutes on Sundays in the winter."
    assert not any(question.startswith("How often") for question in _of_sentence(text))


def test_a_question_keeps_names_and_has_common_words_in_lower_case() -> None:
    text = (
        "The program Rich is in Python. Rich requires Python 3.8 or later. Chain oil is sold here."
        " Use the chain oil of the shop. Toad and Rich can be combined."
    )
    found = _of_sentence(text)
    assert "What does Rich require?" in found
    assert "Is chain oil sold here?" in found or not any("hain oil" in each for each in found)


def test_an_hour_at_the_end_has_its_question_mark_and_one_full_stop() -> None:
    text = f"{IS_A} The weekend rate runs from Friday 4 p.m. to Monday 9 a.m."
    pairs = _pairs(_paragraph(text))
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert any("9 a.m.?" in text for text in texts)
    assert not any(".." in text or (text.startswith("Can ") and text[-1] != "?") for text in texts)


def test_keywords_hold_what_is_asked_for() -> None:
    pairs = _pairs(_paragraph(f"{IS_A} The base is 1.90 m high."))
    assert "pulsa 3 base how high" in pairs["How high is the base of the Pulsa 3?"].wordings


@pytest.mark.parametrize("heading", ["Opening hours and admission", "Visit the Harbour Museum"])
def test_a_heading_that_is_no_topic_is_not_asked_for(heading: str) -> None:
    text = "The museum opened in the year 1991 and has about 12,000 objects in the collection."
    found = _pairs(_heading(heading), _paragraph(text), title="Harbour Museum")
    assert not any(
        pair.made_by == "heading" for pair in found.values() if "open hours" in pair.question
    )
    assert "What should I know about visit the Harbour Museum?" not in found


def test_a_topic_of_a_place_is_at_it() -> None:
    text = "Dogs are welcome in the rooms on the ground floor and in the garden of the house."
    found = _pairs(_heading("Pets"), _paragraph(text), title="Hotel Lindenhof")
    assert "What should I know about pets at Hotel Lindenhof?" in found


def test_an_hour_keeps_its_full_stop_before_a_name() -> None:
    text = "The house is a hotel. If you arrive after 10 p.m., call the reception of the hotel."
    pairs = _pairs(_paragraph(text), title="Hotel Lindenhof")
    texts = [text for pair in pairs.values() for text in (pair.question, *pair.wordings)]
    assert any("after 10 p.m." in text for text in texts)
    assert not any("p.m " in text or "p.m?" in text for text in texts if text[-1] in "?.")


def test_hours_of_several_places_are_asked_for_by_day() -> None:
    table = _table(
        ("Day", "Museum", "Caf\u00e9"),
        ("Monday", "Closed", "Closed"),
        ("Tuesday", "10:00\u201317:00", "10:00\u201316:30"),
    )
    pairs = _pairs(_heading("Opening hours"), table, title="Plan your visit")
    assert pairs["Is the museum open on Monday?"].answer == "On Monday, the museum is closed."
    assert pairs["When is the caf\u00e9 open on Tuesday?"].answer == (
        "On Tuesday, the hours of the caf\u00e9 are: 10:00\u201316:30."
    )
    assert not [pair for pair in pairs.values() if pair.made_by == "reverse"]


def test_an_amount_below_what_it_is_paid_for_is_a_price() -> None:
    table = _table(("Ticket", "Single", "Ten visits"), ("Child (5\u201315)", "\u20ac2", "\u20ac18"))
    pairs = _pairs(_heading("Tickets"), table, title="Pool")
    price = pairs["How much does the child ticket (ten visits) cost?"].answer
    assert price == "The child ticket (ten visits) (5\u201315) costs \u20ac18."


@pytest.mark.parametrize(
    ("head", "value", "question", "answer"),
    [
        ("Booking needed", "no", "Is a booking needed for the spin class?",
         "No, a booking is not needed for the spin class."),
        ("Towels included", "yes", "Are towels included with the spin class?",
         "Yes, towels are included with the spin class."),
        ("Length", "50 minutes", "How long does the spin class take?",
         "The length of the spin class is 50 minutes."),
    ],
)  # fmt: skip
def test_a_course_belongs_to_no_product(head: str, value: str, question: str, answer: str) -> None:
    table = _table(("Course", head, "Price"), ("Spin class", value, "\u20ac9"))
    pairs = _pairs(_heading("Courses"), table, title="Harbour Leisure Centre")
    assert pairs[question].answer == answer


@pytest.mark.parametrize(
    ("head", "value", "question", "answer"),
    [
        ("Water", "Every 10 days", "How often should I water the moth orchid?",
         "Water the moth orchid every 10 days."),
        ("Plant out", "April to May", "When should I plant out the moth orchid?",
         "Plant out the moth orchid: April to May."),
        ("Collection", "Every two weeks", "How often is the moth orchid collected?",
         "The collection of the moth orchid is every two weeks."),
        ("Safe for pets", "no", "Is the moth orchid safe for pets?",
         "No, the moth orchid is not safe for pets."),
    ],
)  # fmt: skip
def test_what_is_done_to_a_thing_is_asked_for_by_when_and_how_often(
    head: str, value: str, question: str, answer: str
) -> None:
    table = _table(("Plant", head, "Price"), ("Moth orchid", value, "\u20ac9"))
    assert _pairs(table, title="Plant care")[question].answer == answer


def test_options_of_several_things_are_asked_for_by_thing() -> None:
    table = _table(("Function", "Eco", "Glass"), ("Extra dry", "yes", "no"))
    text = _paragraph("The programmes of the machine have the following functions.")
    answers = [pair.answer for pair in _pairs(text, table, title="Aquanor 6").values()]
    assert any(answer.startswith("No, ") and "Glass" in answer for answer in answers)
    assert not any("have a Glass" in answer or "have a glass" in answer for answer in answers)


def test_allergens_are_no_things_that_have_products() -> None:
    table = _table(
        ("Product", "Gluten", "Soya"), ("Rye bread", "yes", "no"), ("Brownie", "no", "yes")
    )
    text = _paragraph("The products of the bakery hold the following allergens.")
    answers = [pair.answer.lower() for pair in _pairs(text, table, title="Allergens").values()]
    assert any("rye bread" in answer and "gluten" in answer for answer in answers)
    assert not [answer for answer in answers if re.search("(?:soya|gluten) (?:has|does)", answer)]


def test_a_plan_with_the_name_of_a_place_is_no_place() -> None:
    table = _table(("", "Shop", "Pro"), ("Price per month", "\u00a319", "\u00a314"))
    text = _paragraph("These are the plans that you can choose from.")
    answers = [pair.answer for pair in _pairs(text, table, title="Plans").values()]
    assert any("Shop" in answer for answer in answers)
    assert not [answer for answer in answers if "the shop" in answer or "The shop" in answer]


@pytest.mark.parametrize(
    ("product", "value", "answer"),
    [
        ("Rye bread", "yes", "Yes, the rye bread contains gluten."),
        ("Oat cookies", "no", "No, the oat cookies do not contain gluten."),
    ],
)
def test_what_a_product_contains_is_said_so(product: str, value: str, answer: str) -> None:
    table = _table(("Product", "Gluten", "Price"), (product, value, "\u20ac4"))
    text = _paragraph("These are the products of our bakery and what is in them.")
    assert answer in [pair.answer for pair in _pairs(text, table, title="Price list").values()]


def test_a_column_of_months_is_no_place_that_opens() -> None:
    table = _table(
        ("Day", "April\u2013September", "October\u2013March"),
        ("Sunday", "10:00\u201314:00", "closed"),
    )
    pairs = _pairs(_heading("Opening hours"), table, title="Recycling centre")
    assert not [pair for pair in pairs.values() if "March is closed" in pair.answer]


def test_a_row_of_a_plan_is_no_kind_of_it() -> None:
    rows = ("Monthly fee", "\u20ac8", "\u20ac9"), ("Additional member", "\u20ac5", "\u20ac3")
    table = _table(("", "Basic", "Plus"), *rows)
    pairs = _pairs(_heading("Tariffs"), table, title="Car sharing")
    assert not [pair for pair in pairs.values() if "(additional member)" in pair.answer]


def test_a_leaflet_owns_no_plant() -> None:
    rows = ("Peace lily", "half shade", "16 \u00b0C"), ("Boston fern", "bright", "12 \u00b0C")
    table = _table(("Plant", "Light", "Min. temp."), *rows)
    thanks = _paragraph("The plants will give you pleasure for years. Ask our staff if not sure.")
    pairs = _pairs(thanks, table, title="PLANT-CARE LEAFLET: HOUSE, BALCONY AND GARDEN")
    assert not [question for question in pairs if "LEAFLET" in question]


def test_several_things_are_asked_about_with_it_is_true() -> None:
    table = _table(("Item", "Accepted", "Charge"), ("Car tyres", "yes", "\u20ac4"))
    text = _paragraph("You can bring the following things to the recycling centre.")
    texts = [
        wording
        for pair in _pairs(text, table, title="Recycling").values()
        for wording in (pair.question, *pair.wordings)
    ]
    assert [text for text in texts if text.startswith("Are the car tyres accepted")]
    assert not [text for text in texts if "they true" in text or "them true" in text]


def test_rows_of_one_name_are_told_apart_by_their_brackets() -> None:
    rows = (
        ("Incoming (IMAP)", "imap.peak.example", "993"),
        ("Incoming (POP3)", "pop.peak.example", "995"),
    )
    text = _paragraph("These are the settings that your mail program needs for the server.")
    answers = [
        pair.answer
        for pair in _pairs(text, _table(("", "Server", "Port"), *rows), title="Mail").values()
    ]
    assert any("993" in answer and "IMAP" in answer for answer in answers)
    assert any("995" in answer and "POP3" in answer for answer in answers)


def test_an_amount_is_no_price_where_nothing_is_sold() -> None:
    table = _table(("Trip", "Germany", "Abroad"), ("Overnight stay", "\u20ac110", "\u20ac140"))
    text = _paragraph("These are the amounts that you may spend on a trip for the company.")
    pairs = _pairs(_heading("Hotels"), text, table, title="Travel policy")
    assert not [pair for pair in pairs.values() if "costs" in pair.answer]
