"""Pages about several things: headings name problems and topics, lists tell prices."""

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair

TEXT = (
    "Dried milk is the usual cause of this. Unscrew the tip and leave it overnight in a glass of "
    "water, as the milk has to dissolve."
)


def _pairs(heading: str, *blocks: Block, title: str) -> list[QAPair]:
    head = Block(kind="heading", text=heading, level=2)
    document = Document(title=title, blocks=(head, *blocks), location=Location("h.md"))
    return questions(document)


def _of_heading(heading: str, text: str, *, title: str = "Help with your machine") -> QAPair:
    found = _pairs(heading, Block(kind="paragraph", text=text), title=title)
    return next(pair for pair in found if pair.made_by == "heading")


def test_a_heading_above_what_to_do_is_asked_as_a_problem() -> None:
    pair = _of_heading("Weak steam", TEXT)

    assert pair.question == "Weak steam. What should I do?"
    assert "Weak steam: what can I do?" in pair.wordings


def test_a_heading_of_one_word_is_a_problem_only_if_it_names_one() -> None:
    assert _of_heading("Leaks", TEXT).question == "Leaks. What should I do?"
    assert "What should I do" not in _of_heading("Arrival", TEXT).question


def test_a_heading_above_facts_is_asked_as_a_topic_without_the_title() -> None:
    text = "We accept cards and bank transfers, and the invoice is sent by mail on the same day."

    pair = _of_heading("Paying", text, title="Prices and delivery")

    assert pair.question == "What should I know about paying?"


def _items(*texts: str) -> list[Block]:
    return [Block(kind="item", text=text, level=1) for text in texts]


@pytest.mark.parametrize("heading", ["Prices and delivery", "Delivery", "Spare parts"])
def test_a_list_of_amounts_of_money_tells_prices_whatever_its_heading(heading: str) -> None:
    lines = _items("Milk jug, 0.6 litres: 22 euros", "Pallet: 29 euros", "Set of burrs: 38 euros")

    found = {pair.question: pair for pair in _pairs(heading, *lines, title="Prices and delivery")}

    assert found["How much does Pallet cost?"].answer == "Pallet costs 29 euros."


@pytest.mark.parametrize(
    ("heading", "title", "line"),
    [
        ("Photo competition", "News and prices", "First place: 500 euros"),
        ("What you save", "Fees and help", "Family card: 30 euros"),
        ("Results", "Shop and figures", "Revenue: $410,000"),
        ("Your order", "Shop and orders", "Total: $85"),
        ("Our town", "News and people", "Swimming pool: 410,000 euros"),
    ],
)
def test_money_that_nobody_pays_for_a_thing_is_no_price(
    heading: str, title: str, line: str
) -> None:
    lines = _items(line, "Another one: 20 euros")

    assert not any("cost" in pair.question for pair in _pairs(heading, *lines, title=title))


def test_a_page_that_does_not_help_has_no_problems() -> None:
    pair = _of_heading("Warranty", TEXT, title="Fees and rules")

    assert pair.question == "What should I know about warranty?"


def test_a_deposit_below_its_heading_stays_one() -> None:
    lines = _items("Canoe: \u00a340", "Rowing boat: \u00a360")

    found = [pair.answer for pair in _pairs("Deposit", *lines, title="Boats and prices")]

    assert not any("costs" in answer for answer in found)


def test_a_name_up_to_its_number_ends_without_a_comma() -> None:
    lines = _items("Descaler DS-8, six sachets: 14.50 euros", "Brush B-2, large: 3 euros")

    found = _pairs("Prices", *lines, title="Prices and delivery")

    assert not any(",?" in text for pair in found for text in (pair.question, *pair.wordings))
