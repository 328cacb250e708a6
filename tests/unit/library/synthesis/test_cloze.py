"""Each sentence of a short document is asked for: by one of its parts, and by its keywords."""

import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.cloze import (
    MAX_FURTHER_WORDINGS,
    MAX_LONG_WORDINGS,
    MAX_WORDINGS,
    cloze_pairs,
)
from ftdist.library.synthesis.keyword_queries import KeywordQueries, keywords
from ftdist.library.synthesis.qa_extraction import questions

IS_A = "The Sable 17 is an electric kettle."
ENGLISH = "There is a house by the river, and what is in it is for those who live there."


def _document(*texts: str, title: str, heading: str, kind: str) -> Document:
    head = (Block(kind="heading", text=heading, level=2),) if heading else ()
    blocks = tuple(
        Block(kind=kind, text=text, marker="1." if kind == "item" else "")  # type: ignore[arg-type]
        for text in texts
    )
    last = Block(kind="paragraph", text=ENGLISH)
    return Document(title=title, blocks=(*head, *blocks, last), location=Location("r.md"))


def _wordings(
    *texts: str, title: str = "Rooms and rules", heading: str = "", kind: str = "paragraph"
) -> dict[str, list[str]]:
    """The questions of each answer."""
    document = _document(*texts, title=title, heading=heading, kind=kind)
    pairs = cloze_pairs(document, found=questions(document))
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.answer, []).extend([pair.question, *pair.wordings])
    return {answer: asked for answer, asked in found.items() if answer != ENGLISH}


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("You have 40 days to change your mind.", "How many days do I have to change my mind?"),
        ("We keep spare parts for 12 years.", "How long do you keep spare parts?"),
        ("A driver rings you on 0555 421 860.", "Which number does a driver ring me on?"),
        ("If you arrive after 9 pm, take the key from the safe.",
         "What should I do if I arrive after 9 pm?"),
        ("We call you at noon and bring two keys for you.",
         "How many keys do you bring for me?"),
        ("Wipe the wand with a damp cloth.", "With what should I wipe the wand?"),
        ("Once a week, wipe the wand with a cloth.",
         "With what should I wipe the wand once a week?"),
        ("Empty the tank and fill it with tap water.", "With what should I fill the tank?"),
        ("Raise the heat by two degrees if the coffee tastes sour.",
         "What should I do if the coffee tastes sour?"),
        ("If the tray is full, empty the tray into the sink.",
         "What should I do if the tray is full?"),
        ("Do not lift the desk by its edge.", "Can I lift the desk by its edge?"),
        ("Address for parcels: 8 Tanner's Yard, Orsley.", "What is the address for parcels?"),
        ("From 14 degrees upwards we recommend the filter.",
         "From how many degrees upwards do you recommend the filter?"),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_for_as_a_customer_says_it(sentence: str, question: str) -> None:
    document = _document(sentence, title="Rooms and rules", heading="", kind="paragraph")
    others = [each for pair in questions(document) for each in (pair.question, *pair.wordings)]

    assert question in [*others, *_wordings(sentence)[sentence]]


def test_no_question_of_a_document_stands_there_twice() -> None:
    sentence = "If the tray is full, empty the tray into the sink."
    document = _document(sentence, title="Rooms and rules", heading="", kind="paragraph")
    found = questions(document)

    pairs = [*found, *cloze_pairs(document, found=found)]

    texts = [each.casefold() for pair in pairs for each in (pair.question, *pair.wordings)]
    assert "what should i do if the tray is full?" in texts
    assert len(texts) == len(set(texts))


def test_a_page_about_one_thing_names_it_in_every_question() -> None:
    sentence = "Steam leaves the spout at 98 degrees."

    found = _wordings(IS_A, sentence, title="Sable 17")[sentence]

    assert found[0] == "With the Sable 17, how many degrees does steam leave the spout at?"
    assert all("sable 17" in each.casefold() for each in found)
    assert not any("sable 17:" in each for each in found)


def test_a_page_named_after_a_person_keeps_the_name() -> None:
    first, second = "This cake serves twelve guests.", "Bake it in the hot oven for 45 minutes."

    found = _wordings(first, second, title="Grandma Tova's plum cake")

    assert "Grandma Tova's plum cake serves twelve guests." in found
    assert not any("the grandma" in each for asked in found.values() for each in asked)


def test_a_page_about_several_things_names_the_heading_in_some() -> None:
    sentence = "Dried milk has clogged the tip of the wand."

    found = _wordings(sentence, heading="Weak steam")[sentence]

    assert found[:2] == [
        "What has clogged the tip of the wand?",
        "weak steam dried milk clogged tip wand",
    ]


def test_a_question_that_begins_with_a_pronoun_is_led_by_its_heading() -> None:
    text = "Guests use the network LakeNet. Its password is changed every Monday at the desk."

    found = _wordings(text, heading="Wi-Fi")[text]

    assert found[0] == "Wi-Fi: how often is its password changed at the desk?"
    assert not any(each.startswith("Its") for each in found)


def test_without_a_heading_nothing_is_asked_of_a_pronoun() -> None:
    text = "Guests use the network LakeNet. Its password is changed every Monday at the desk."

    found = _wordings(text)[text]

    assert found
    assert not any(" its " in f" {each.casefold()} " for each in found if each.endswith("?"))


def test_no_query_holds_the_value_that_it_looks_for() -> None:
    sentence = "An inspection costs 35 euros on weekdays."

    queries = [each for each in _wordings(sentence)[sentence] if not each.endswith("?")]

    assert queries[0] == "inspection costs weekdays how much"
    assert not any("35" in each or "euro" in each for each in queries)


def test_a_short_query_leads_to_one_sentence_alone() -> None:
    texts = ["The lamp blinks red twice.", "The lamp blinks red at night beside the old gate."]
    queries = KeywordQueries(texts)

    assert queries.queries(texts[0]) == [
        ["lamp", "blinks", "red", "twice"], ["lamp", "blinks", "twice"], ["red", "twice"],
    ]  # fmt: skip
    again = KeywordQueries([*texts, "The lamp in the hall blinks red, but only twice."])
    assert again.queries(texts[0])[1:] == []


def test_keywords_leave_out_small_words_paths_and_values() -> None:
    text = "The files of the Merrin 2 are kept in /var/log/agent for 30 days."

    assert keywords(text) == ["files", "merrin", "kept"]


def test_a_sentence_that_leans_on_the_one_before_is_answered_with_both() -> None:
    found = _wordings("The tray has a red float. It shows the level of the water.")

    assert list(found) == [
        "The tray has a red float.",
        "The tray has a red float. It shows the level of the water.",
    ]


def test_what_other_questions_ask_for_has_no_cloze_questions() -> None:
    prices = [f"Room {name}: {price} euros" for name, price in (("Elm", 80), ("Oak", 95))]

    assert _wordings(*prices, kind="item") == {}


def test_a_sentence_with_a_question_has_fewer_and_one_of_a_long_document_fewest() -> None:
    plain = "Rinse the jug, then hold the main switch for ten seconds until the lamp goes out."
    known = "The mill weighs 4.2 tonnes with its wheels, above the water, behind the barn."
    many = "Many words that only make this page a long one stand here for no reason at all."

    short = _wordings(plain, known)
    long = _wordings(plain, *[many] * 80)

    assert MAX_FURTHER_WORDINGS < len(short[plain]) <= MAX_WORDINGS
    assert len(short[known]) == MAX_FURTHER_WORDINGS
    assert len(long[plain]) == MAX_LONG_WORDINGS


def test_a_reference_to_another_page_and_a_question_are_not_asked_for() -> None:
    assert _wordings("The hours are listed in chapter 4 of the guide.", "Is the tank full?") == {}


def test_sentences_in_another_language_are_not_asked_for_in_english() -> None:
    mixed = "Rauchen ist nur im Hof erlaubt. Smoking is allowed in the yard of the house."

    found = _wordings(mixed, "Hunde sind nicht erlaubt.")

    assert list(found) == ["Smoking is allowed in the yard of the house."]


def test_short_steps_beside_a_list_of_prices_are_asked_for() -> None:
    prices = [f"Filling {number}: \u00a3{number}9" for number in (1, 2, 3, 4)]
    step = "Bite on the gauze for 30 minutes."

    assert _wordings(step, *prices)[step][0] == "How long should I bite on the gauze?"


def test_a_sentence_of_more_than_600_characters_is_not_looked_at() -> None:
    short = f"Turn the screw that is called {'x' * 500} with a key."
    long = f"Turn the screw that is called {'x' * 600} with a key."

    assert _wordings(short, long).keys() == {short}


@pytest.mark.parametrize(
    "sentence", ["Shops stay open for one hour.", "The hall above the pool holds 90 people."]
)
def test_a_number_and_a_place_lean_on_no_other_sentence(sentence: str) -> None:
    assert sentence in _wordings(f"The film has two parts for you. {sentence}")


def test_a_case_that_is_named_before_leans_on_it() -> None:
    text = "Check whether the tank is full. If that does not help, press the red button twice."

    assert text in _wordings(text)


def test_a_sentence_with_two_questions_is_typed_in_two_ways_at_most() -> None:
    groups = "Groups of ten or more visitors pay 7 euros per person on Mondays."
    (asked,) = _wordings(groups).values()
    questions_of_it = [text for text in asked if text.endswith(("?", "."))]
    assert len(questions_of_it) >= 2
    assert len(asked) - len(questions_of_it) <= 2


def test_each_part_of_a_sentence_has_wordings_of_its_own() -> None:
    sentence = "Dissolve one sachet in 1.2 litres of warm water and pour the mixture into the tank."

    found = _wordings(IS_A, sentence, title="Sable 17", heading="Descaling")[sentence]

    assert {
        "In how many litres of warm water should I dissolve one sachet on the Sable 17?",
        "When descaling the Sable 17, how many litres of warm water should I dissolve one sachet"
        " in?",
        "With the Sable 17, where should I pour the mixture?",
    } <= set(found)
    assert len(found) <= MAX_WORDINGS


def test_somebody_who_does_what_a_heading_names_asks() -> None:
    sentence = "Fit the lower burr with the hex key until it clicks into the ring."

    found = _wordings(sentence, heading="Cleaning the burrs")[sentence]

    assert any(each.startswith("When cleaning the burrs, ") for each in found)
    assert any(each.startswith("I am cleaning the burrs. ") for each in found)
    bare = _wordings(sentence, heading="The burrs")[sentence]
    assert not any(each.startswith(("When the", "I am")) for each in bare)


def test_a_part_at_the_end_of_a_command_is_named_whole() -> None:
    sentence = "Plug the kettle in and hold the main switch for three seconds."

    found = _wordings(IS_A, sentence, title="Sable 17")[sentence]

    assert "How long should I hold the main switch of the Sable 17?" in found
    cooling = "Switch off and let the kettle cool for 35 minutes."
    found = _wordings(IS_A, cooling, title="Sable 17")[cooling]
    assert "How long should I let the Sable 17 cool?" in found


def test_what_we_do_is_not_asked_of_the_customer() -> None:
    found = _wordings("We ask for silence from 11 pm.")["We ask for silence from 11 pm."]

    assert "Can you tell me when you ask for silence?" in found
    assert not any(" i ask" in each.casefold() or " to ask" in each for each in found)


def test_a_question_that_leans_on_another_sentence_has_no_more_wordings() -> None:
    found = _wordings(IS_A, "Choose a finer grind when it is quicker.", title="Sable 17")

    (texts,) = (texts for answer, texts in found.items() if "finer grind" in answer)
    assert [each for each in texts if "when it is quicker" in each.casefold()] == [
        "With the Sable 17, what should I do when it is quicker?"
    ]


def test_no_name_stands_behind_a_preposition_that_is_left_over() -> None:
    sentence = "Unplug the kettle and plug the lead in again after ten minutes."

    found = _wordings(IS_A, "Plug the cable in.", sentence, title="Sable 17")

    texts = [each for asked in found.values() for each in asked]
    assert any("should I plug in" in each for each in texts)
    assert not any(" in on the Sable 17" in each for each in texts)


def test_a_heading_of_one_word_names_nothing_that_a_customer_does() -> None:
    sentence = "The laundry takes tokens for four minutes at a push of the red button."

    found = _wordings(sentence, heading="Washing")[sentence]

    assert not any(each.startswith(("When washing", "I am washing")) for each in found)


def test_once_something_is_so_is_no_frequency() -> None:
    sentence = "Once the lamp is green again, rinse the tank with fresh water."
    document = _document(sentence, title="Rooms and rules", heading="", kind="paragraph")

    pairs = questions(document)
    pairs = [*pairs, *cloze_pairs(document, found=pairs)]

    texts = [each for pair in pairs for each in (pair.question, *pair.wordings)]
    assert not any("how often" in each.casefold() for each in texts)


def test_the_thing_at_the_end_of_a_sentence_is_what_it_means_in_the_next() -> None:
    first, second = "Children must not operate the kettle.", "Never store it in the open air."

    found = _wordings(IS_A, f"{first} {second}", title="Sable 17", heading="Safety")

    assert "Never store the Sable 17 in the open air." in found
