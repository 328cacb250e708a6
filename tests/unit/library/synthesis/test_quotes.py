"""Answers quote the paragraph, or the steps, that hold the sentence asked for."""

from dataclasses import replace

from ftdist.library.schema import Block, Document, Location, MadeBy
from ftdist.library.synthesis.qa_pair import QAPair
from ftdist.library.synthesis.quotes import Quotes

RAISE = "Raise it by two degrees if the coffee tastes sour."
GRIND = "For a bitter cup, grind coarser."
PARAGRAPH = f"The Merrin leaves our house set to 93 degrees. {RAISE} {GRIND}"


def document(*blocks: Block) -> Document:
    return Document(blocks=blocks, location=Location(file="m.md"), title="Merrin")


def paragraph(text: str) -> Block:
    return Block(kind="paragraph", text=text)


def step(number: int, text: str) -> Block:
    return Block(kind="item", text=text, level=1, marker=f"{number}.")


def pair(answer: str, evidence: str, *, made_by: MadeBy = "cloze", value: str = "") -> QAPair:
    return QAPair(
        question="When do I raise the temperature?", answer=answer, made_by=made_by,
        section="", page=None, value=value, evidence=evidence,
    )  # fmt: skip


def quotes_of(blocks: Document) -> Quotes:
    return Quotes.of(blocks, words=60)


def test_a_sentence_of_a_short_paragraph_is_answered_with_the_paragraph() -> None:
    quoted = quotes_of(document(paragraph(PARAGRAPH))).with_quote(pair(RAISE, PARAGRAPH))
    assert quoted.answer == PARAGRAPH
    assert quoted.value == RAISE


def test_a_value_that_is_known_stays_the_value() -> None:
    asked = pair(RAISE, PARAGRAPH, value="two degrees")
    assert quotes_of(document(paragraph(PARAGRAPH))).with_quote(asked).value == "two degrees"


def test_a_sentence_with_a_name_in_place_of_a_pronoun_has_its_paragraph() -> None:
    named = RAISE.replace("it", "the temperature")
    quoted = quotes_of(document(paragraph(PARAGRAPH))).with_quote(pair(named, PARAGRAPH))
    assert (quoted.answer, quoted.value) == (PARAGRAPH, named)


def test_a_long_paragraph_is_quoted_in_even_parts() -> None:
    """Eight sentences of 10 words are 80: two parts of four, where 60 are allowed."""
    lines = [f"In room {n} you see nine more clocks of oak." for n in range(1, 9)]
    assert len(" ".join(lines).split()) == 80
    text = " ".join(lines)
    quotes = quotes_of(document(paragraph(text)))
    for index, sentence in enumerate(lines):
        expected = lines[:4] if index < 4 else lines[4:]
        assert quotes.with_quote(pair(sentence, text)).answer == " ".join(expected)


def test_a_step_is_answered_with_the_steps_around_it_and_their_numbers() -> None:
    steps = [
        step(1, "Pull the plug."),
        step(2, "Lift the hopper off."),
        step(3, "Undo the screws."),
    ]
    quoted = quotes_of(document(*steps)).with_quote(pair("Undo the screws.", "Undo the screws."))
    assert quoted.answer == "1. Pull the plug.\n2. Lift the hopper off.\n3. Undo the screws."
    assert quoted.value == "Undo the screws."


def test_steps_of_two_lists_are_not_quoted_together() -> None:
    blocks = [step(1, "Pull the plug."), paragraph("Then wait."), step(1, "Undo the screws.")]
    asked = pair("Undo the screws.", "Undo the screws.")
    assert quotes_of(document(*blocks)).with_quote(asked) == asked


def test_steps_that_begin_at_1_again_are_another_list() -> None:
    texts = ("Pull the plug.", "Rinse the bowl.", "Undo the screws.", "Lift the lid.")
    blocks = [step(1 + index % 2, text) for index, text in enumerate(texts)]
    quoted = quotes_of(document(*blocks)).with_quote(pair("Lift the lid.", "Lift the lid."))
    assert quoted.answer == "1. Undo the screws.\n2. Lift the lid."


def test_steps_with_something_between_them_are_answered_one_by_one() -> None:
    """Their quote would leave out what stands between: a step within a step, or a warning."""
    inner = [replace(step(n, text), level=2) for n, text in ((1, "Lift it."), (2, "Rinse it."))]
    gloves = Block(kind="item", text="Wear gloves.", level=2)
    for between in (inner, [gloves], [paragraph("Warning: it is hot.")]):
        blocks = [step(1, "Pull the plug."), step(2, "Empty it."), *between, step(3, "Close it.")]
        quotes = quotes_of(document(*blocks))
        for text in ("Pull the plug.", "Lift it.", "Close it."):
            assert quotes.with_quote(pair(text, text)).answer == text


def test_steps_of_which_one_announces_code_are_answered_one_by_one() -> None:
    blocks = [step(1, "Pull the plug."), step(2, "Run this:"), Block(kind="code", text="reset")]
    asked = pair("Pull the plug.", "Pull the plug.")
    assert quotes_of(document(*blocks)).with_quote(asked) == asked


def test_no_quote_begins_with_a_pronoun() -> None:
    text = "It weighs 14 kg. It holds 3 litres of oil."
    asked = pair("The Merrin weighs 14 kg.", text)
    assert quotes_of(document(paragraph(text))).with_quote(asked) == asked


def test_lists_whose_numbers_do_not_follow_are_not_joined() -> None:
    blocks = [step(1, "Pull the plug."), step(2, "Empty it."), step(5, "Drop the coupon.")]
    asked = pair("Drop the coupon.", "Drop the coupon.")
    assert quotes_of(document(*blocks)).with_quote(asked) == asked


def test_a_list_without_its_first_step_is_answered_one_by_one() -> None:
    asked = pair("Close it.", "Close it.")
    blocks = [step(3, "Close it."), step(4, "Lock it.")]
    assert quotes_of(document(*blocks)).with_quote(asked) == asked


def test_a_step_that_a_section_has_twice_is_not_quoted() -> None:
    blocks = [step(1, "Turn it."), step(2, "Press OK."), step(1, "Lift it."), step(2, "Press OK.")]
    asked = pair("Press OK.", "Press OK.")
    assert quotes_of(document(*blocks)).with_quote(asked) == asked


def test_an_answer_is_quoted_with_the_part_of_the_paragraph_that_holds_it() -> None:
    """Words that both parts have do not decide: room 4 has two lamps, room 2 has four."""
    fill = ["The walls were painted by somebody from the village in May." for _ in range(6)]
    first, last = "Room 2 has 4 lamps.", "Room 4 has 2 lamps."
    text = " ".join([first, *fill[:3], *fill[3:], last])
    quotes = quotes_of(document(paragraph(text)))
    assert quotes.with_quote(pair(last, text)).answer.endswith(last)
    assert quotes.with_quote(pair(first, text)).answer.startswith(first)


def test_an_answer_that_no_part_of_the_paragraph_holds_is_not_quoted() -> None:
    fill = ["The walls were painted by somebody from the village in May." for _ in range(7)]
    text = " ".join([*fill, "It has 4 lamps."])
    asked = pair("The hall has 4 lamps.", text)
    assert quotes_of(document(paragraph(text))).with_quote(asked) == asked


def test_a_sentence_that_announces_a_list_is_not_quoted() -> None:
    text = f"{RAISE} Proceed as follows:"
    asked = pair(RAISE, text)
    assert quotes_of(document(paragraph(text))).with_quote(asked) == asked


def test_a_step_that_two_sections_have_is_quoted_from_its_own() -> None:
    blocks: list[Block] = []
    for heading, last in (("Cleaning", "Rinse the bowl."), ("Repair", "Call us.")):
        blocks.append(Block(kind="heading", text=heading, level=1))
        blocks += [step(1, "Pull the plug."), step(2, last)]
    quotes = quotes_of(document(*blocks))
    asked = pair("Pull the plug.", "Pull the plug.")
    for section, last in (("Cleaning", "Rinse the bowl."), ("Repair", "Call us.")):
        quoted = quotes.with_quote(replace(asked, section=section))
        assert quoted.answer == f"1. Pull the plug.\n2. {last}"


def test_with_no_words_nothing_is_quoted() -> None:
    asked = pair(RAISE, PARAGRAPH)
    assert Quotes.of(document(paragraph(PARAGRAPH)), words=0).with_quote(asked) == asked


def test_items_without_numbers_are_answered_one_by_one() -> None:
    items = [Block(kind="item", text=f"Parcel {n}: {n} euros", level=1) for n in (1, 2)]
    asked = pair("Parcel 1: 1 euros", "Parcel 1: 1 euros")
    assert quotes_of(document(*items)).with_quote(asked) == asked


def test_answers_of_tables_and_with_code_stay_as_they_are() -> None:
    quotes = quotes_of(document(paragraph(PARAGRAPH)))
    for asked in (
        pair("Merrin: 93 degrees", PARAGRAPH, made_by="table"),
        pair(f"{RAISE}\n\nset 95", PARAGRAPH),
        pair("Nothing of the kind stands there at all.", PARAGRAPH),
    ):
        assert quotes.with_quote(asked) == asked
