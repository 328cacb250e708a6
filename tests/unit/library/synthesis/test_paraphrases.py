import re

import pytest

from ftdist.library.synthesis.paraphrases import paraphrases
from ftdist.library.synthesis.probe_rewordings import reworded
from ftdist.library.synthesis.synonyms import with_synonym
from ftdist.library.synthesis.verb_forms import (
    VerbPhrase,
    gerund,
    is_plural,
    participle,
    split_subject,
    third_person,
)
from ftdist.library.synthesis.wording_overlap import WordingOverlap

_POLITE = re.compile(r"^(?:I have a question|Can you answer|Please help|Here is what|A customer)")
_COMMON = (
    "How do I reset my A-45 widget?",
    "How do I set up the pump?",
    "How much does the pump cost?",
    "How long does the battery last?",
    "How often should I clean the filter?",
    "How heavy is the pump?",
    "How many ports does the A-45 have?",
    "What is the weight of the T-7?",
    "What is the default port of the API?",
    "What does error E4 mean on the T-7?",
    "What happens if I press the red button twice?",
    "What should I do if the lamp blinks?",
    "Which command reloads the config?",
    "Where can I buy spare parts?",
    "Where is the log file stored?",
    "When should I replace the impeller?",
    "Who do I contact about an invoice?",
    "Why does the pump stop after ten minutes?",
    "Why is the light blinking?",
    "Can I run it with salt water?",
    "Do I need to update the firmware?",
    "Should I use a surge protector?",
    "Does the A-45 work outdoors?",
    "Is there a mobile app?",
)


@pytest.mark.parametrize("question", _COMMON)
def test_common_questions_have_eight_wordings_and_none_only_a_polite_phrase(question: str) -> None:
    found = paraphrases(question, count=8, seed=1)
    assert len(set(found)) == 8
    assert sum(bool(_POLITE.match(text)) for text in found) <= 1
    assert sum(question.rstrip("?").lower() in text.lower() for text in found) <= 2


@pytest.mark.parametrize("question", _COMMON)
def test_names_and_numbers_stay_in_every_wording(question: str) -> None:
    names = re.findall(r"[A-Z]+-?\d+|\bAPI\b|\bten\b|\btwice\b", question)
    for text in paraphrases(question, count=12, seed=3):
        assert all(name in text for name in names), text


@pytest.mark.parametrize("question", _COMMON)
def test_wordings_of_probes_are_not_among_those_trained(question: str) -> None:
    assert not set(reworded(question)) & set(paraphrases(question, count=12, seed=2))


def test_a_negation_and_a_condition_stay() -> None:
    for text in paraphrases("Why doesn't the pump stop if the tank is full?", count=8, seed=1):
        assert "doesn't" in text
        assert "if the tank is full" in text or text.endswith("if tank is full")


def test_a_condition_before_the_question_goes_behind_it() -> None:
    found = paraphrases("If the tank is full, what happens to the pump?", count=3, seed=1)
    assert "What happens to the pump if the tank is full?" in found


def test_what_is_said_beside_the_question_stays() -> None:
    found = paraphrases("I like Fahrenheit. Where is the config file?", count=6, seed=1)
    assert all(text.startswith("I like Fahrenheit. ") for text in found[:5])


@pytest.mark.parametrize(
    ("question", "wording"),
    [
        ("How do I set up the pump?", "What are the steps for setting up the pump?"),
        ("How do I set up the pump?", "How is the pump set up?"),
        ("How often should I clean the filters?", "How often should the filters be cleaned?"),
        ("How heavy are the pumps?", "Which weight do the pumps have?"),
        ("Why does the pump stop?", "What makes the pump stop?"),
        ("Why doesn't upsmon send it?", "upsmon doesn't send it. Why?"),
        ("Does the warranty cover water?", "Is it true that the guarantee covers water?"),
        ("May I take it on a plane?", "Is taking it on a plane allowed?"),
    ],
)
def test_other_constructions(question: str, wording: str) -> None:
    assert wording in paraphrases(question, count=20, seed=1)


def test_a_question_that_no_rule_fits_has_its_bare_form_and_one_polite_phrase() -> None:
    found = paraphrases("Is the tank dishwasher safe?", count=8, seed=1)
    assert found[:2] == ["Is the tank dishwasher safe?", "Is the tank dishwasher safe"]
    assert len(found) == 3
    assert _POLITE.match(found[2])


def test_own_wordings_replace_those_by_rule() -> None:
    found = paraphrases("What is the price of it?", count=3, seed=1, own=["How much is it?"])
    assert found == ["What is the price of it?", "How much is it?"]


def test_forms_of_verbs_and_nouns() -> None:
    assert [gerund(verb) for verb in ("set", "use", "tie", "see", "clean")] == [
        "setting",
        "using",
        "tying",
        "seeing",
        "cleaning",
    ]
    assert [participle(verb) for verb in ("write", "copy", "plug", "reset", "use")] == [
        "written",
        "copied",
        "plugged",
        "reset",
        "used",
    ]
    assert [third_person(verb) for verb in ("try", "pass", "do", "stop")] == [
        "tries",
        "passes",
        "does",
        "stops",
    ]
    assert [is_plural(noun) for noun in ("the pumps", "the status", "the UPS", "parts of it")] == [
        True,
        False,
        False,
        True,
    ]


def test_the_border_of_subject_and_verb_is_found_or_not_guessed() -> None:
    assert split_subject("the pump stop at noon", is_singular=True) == ("the pump", "stop at noon")
    assert split_subject("the pumps stop", is_singular=True) is None
    assert split_subject("the dishwasher safe", is_singular=None) is None
    phrase = VerbPhrase.parse("turn off the pump at night")
    assert phrase is not None
    assert phrase.passive == ("the pump", "is", "turned off at night")


def test_a_synonym_replaces_verbs_and_no_names() -> None:
    assert with_synonym("How do I buy it?", key="") == "How do I purchase it?"
    assert with_synonym("Where is the contact?", key="") == "Where is the contact?"
    assert with_synonym('What is "delete" for?', key="") == 'What is "delete" for?'


def test_overlap_of_wordings_by_hand() -> None:
    """Three of five words in common; one of two four-word sequences."""
    overlap = WordingOverlap()
    overlap.record(["how do i reset it", "how do i reset them"])
    assert overlap.values() == {
        "questions": 1,
        "per_question": 2.0,
        "word_overlap": round(4 / 6, 3),
        "ngram_overlap": 0.5,
    }
    overlap.record(["alone"])
    assert overlap.questions == 1


def test_a_question_for_a_part_of_a_command_has_other_verbs_and_openings() -> None:
    found = paraphrases("How long should I hold the main switch?", count=20, seed=0)

    assert {
        "How long do I have to hold the main switch?",
        "How long must I hold the main switch?",
        "For how long do I hold the main switch?",
        "How long must the main switch be held?",
        "I want to hold the main switch. How long?",
        "Tell me how long to hold the main switch.",
        "Holding the main switch: how long?",
        "how long to hold main switch",
    } <= set(found)


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("For how many minutes should I let it rest?", "How long do I let it rest?"),
        ("How many grams of beans should I fill in?", "What amount of beans do I fill in?"),
        ("At how many degrees Celsius does it burn?", "At what temperature does it burn?"),
        ("How many degrees Celsius does steam leave the wand at?",
         "What temperature does steam leave the wand at?"),
        ("How many euros does a loan of a bike cost?", "How much does a loan of a bike cost?"),
        ("With what should I wipe the wand?", "Using what do I wipe the wand?"),
        ("Until when should I wait?", "For how long do I wait?"),
        ("How often should I wash the mat with soap?", "How frequently do I wash the mat?"),
    ],
)  # fmt: skip
def test_another_opening_asks_for_the_same(question: str, other: str) -> None:
    assert other in paraphrases(question, count=20, seed=0)


def test_the_object_that_is_asked_for_is_missing_in_no_sentence_before() -> None:
    found = paraphrases("How many grams of beans should I fill in?", count=20, seed=0)

    assert "I want to fill in. How many grams of beans?" not in found
    assert not any(each.startswith("Filling in") for each in found)


def test_what_to_do_at_an_interval_is_no_case() -> None:
    assert "How should I react once the lamp is green?" in paraphrases(
        "What should I do once the lamp is green?", count=20, seed=0
    )
    assert not any(
        "react" in each for each in paraphrases("What should I do once a week?", count=20, seed=0)
    )


def test_a_predicate_behind_where_is_no_place_that_somebody_looks_for() -> None:
    found = paraphrases("Where are campfires allowed?", count=20, seed=0)

    assert "In which place are campfires permitted?" in found
    assert not any("located" in each or "find" in each for each in found)


@pytest.mark.parametrize(
    ("question", "wrong"),
    [
        ("How often should I clean the door of the oven?", r"the door\?$"),
        ("After how many minutes should I stir?", "what time"),
        ("How many days are there in the course?", "^How long"),
        ("How long can I stay in the pool?", "I stays|does I"),
        ("Where should I put the coin?", "place I go|place to go|looking for"),
        ("What is charged as six in low season?", "define|explain"),
        ("How much is a boat charged per hour?", "expensive|price"),
    ],
)
def test_no_wording_changes_the_meaning(question: str, wrong: str) -> None:
    found = paraphrases(question, count=20, seed=0)

    assert not [each for each in found if re.search(wrong, each)]


def test_a_noun_that_looks_like_a_participle_is_a_place() -> None:
    assert "Where can I find the kitchen garden?" in paraphrases(
        "Where is the kitchen garden?", count=20, seed=0
    )


def test_no_sentence_before_a_question_ends_with_its_preposition() -> None:
    found = paraphrases("Which number should I ring you on if I am late?", count=20, seed=0)

    assert "Tell me which number I should ring you on if I am late." in found
    assert not any(each.startswith("I have to ring") for each in found)
