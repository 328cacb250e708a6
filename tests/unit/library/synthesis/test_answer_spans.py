"""The parts of a sentence that one can ask for."""

import pytest

from ftdist.library.synthesis.answer_spans import answer_spans


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Steam leaves the wand at 135 degrees Celsius", ["how many degrees Celsius"]),
        ("An inspection costs 35 euros", ["how much"]),
        ("An inspection costs \u00a312.50 a day", ["how much"]),
        ("Add 3 g of cleaning powder", ["how many grams of cleaning powder"]),
        ("Members get a discount of 2 percent", ["what percentage"]),
        ("The bar opens at 9:30", ["what time"]),
        ("The bar opens at 9.30 and shuts at noon", ["what time"]),
        ("The jug holds up to 1.25 litres", ["how many litres"]),
        ("The jug costs 12.50 euros", ["how much"]),
        ("The jug costs 50p", ["how much"]),
        ("The pump works down to -20 \u00b0C", ["how many \u00b0C"]),
        ("Add 40 g of whey and stir", ["how many grams of whey"]),
        ("Bake 20 minutes", ["how many minutes"]),
        ("The bar opens at 3 p.m. today", ["what time"]),
        ("The bar is open from 9:30 to 17:00", ["between what times"]),
        ("Calls are taken on 0555 421 860", ["which number"]),
        ("Backflush the group every two weeks", ["how often"]),
        ("The gate is shut on Mondays", ["on which days"]),
        ("The password is changed every Monday", ["how often"]),
        ("Prices are valid until 30 September", ["what date"]),
        ("The sealing ring OR-21 cures the leak", ["Which sealing ring"]),
        ("The spare set is called BR-48", ["what"]),
        ("Cleaning takes a quarter of an hour", ["how long"]),
        ("Write to desk@example.org", ["which address"]),
        ("Wipe the wand with a damp cloth", ["with what"]),
        ("Put a bowl under the spouts", ["where"]),
        ("The tray has to be washed by hand", ["how"]),
        ("Press Steam until the lamp turns orange", ["until when"]),
        ("The lid stays shut because the motor is hot", [" why"]),
    ],
)
def test_a_part_of_a_sentence_is_asked_for_by_what_it_says(sentence: str, words: list[str]) -> None:
    assert [part.words for part in answer_spans(sentence)] == words


@pytest.mark.parametrize(
    "sentence",
    [
        "The Merrin 2 needs room", "Our house is old", "At the end it stops",
        "Press 2 to access the menu", "The show starts at 8 and lasts long",
        "In 2024 sales rose", "The HP-9 needs little", "Anyone over 16 who lives here can join",
    ],
)  # fmt: skip
def test_the_number_of_a_name_and_a_fixed_phrase_are_not_asked_for(sentence: str) -> None:
    assert answer_spans(sentence) == []


def test_we_are_no_part_to_ask_for() -> None:
    assert answer_spans("Buy logs from us rather than bringing wood from elsewhere") == []
