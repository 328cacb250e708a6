"""Keys of answers: what a right answer must contain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.library.synthesis.answer_keys import answer_keys, common_names
from ftdist.text.matching import contains_words


def test_titles_and_ubiquitous_names_give_no_keys() -> None:
    answers = ["The A-45 stops at 30 seconds.", "Only the A-45 does.", "An A-45.", "Ask NUT."]
    assert common_names("", answers) == "A-45"
    answer = "This is a matter for NUT and for the A-45 alone, as we said."
    assert answer_keys(answer, question="Who?", given="A-45") == ["NUT"]


def test_keys_exclude_words_of_the_question() -> None:
    answer = "Edit the file /etc/nut/ups.conf and set 30 seconds for the A-45."
    assert answer_keys(answer, question="Where do I set the A-45 delay?") == [
        "/etc/nut/ups.conf",
        "30 seconds",
    ]
    assert answer_keys("14 hours.", question="How long?") == ["14 hours"]
    for by_chance in ("Yes", "No.", "4"):
        assert answer_keys(by_chance, question="Does it have a timer?") == []
    assert answer_keys("it depends on many things that nobody can know now", question="?") == []


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("It is 25,000-50,000 SEK for a house.", ["25,000", "50,000 SEK"]),
        ("You wait for 8\u201312 weeks, with an a-45 or not.", ["12 weeks"]),
        ("Up to 15 m\u00b2 you need no permit at all.", ["15 m\u00b2"]),
        ("For a house we need a plan at 1:400, no less.", ["1:400"]),
        ("For these the rule 8:2 regulates what is done.", ["8:2"]),
        ("Come to the office at 8:30 am, and no later please.", ["8:30 am"]),
        ("Zaragoza AB does it, as does the EU or some Widget AB.", ["Widget AB"]),
        ("Press the key F1 for as long as it takes.", ["F1"]),
        ("Keep it where it is -20\u201340 \u00b0C and dry.", ["-20", "40 \u00b0C"]),
        ("It holds for 30 and not for 25 of them.", ["30", "25"]),
        ("It was made on 2024-01-15, dial 1-800-555-1234 to ask.", []),
    ],
)
def test_quantities_are_whole_and_ranges_keep_both_ends(answer: str, keys: list[str]) -> None:
    assert answer_keys(answer, question="What?") == keys


@settings(max_examples=200, deadline=None)
@given(st.text("5 0-\u2013.,:Ab\u00b0C\u00b2%/_x\u0301\n", min_size=1, max_size=60))
def test_answers_contain_their_keys(answer: str) -> None:
    for whole in (answer, f"so say we all in one {answer}"):
        assert all(contains_words(whole, key) for key in answer_keys(whole, question="?"))


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("Halden Marine gives a warranty of four years on the pump.", ["four years"]),
        ("In tide mode the pump rests at slack water for half an hour.", ["half an hour"]),
        ("Yes. Rinse it with fresh water twice a month.", ["twice a month"]),
        ("Keep it for about a quarter litre of SAE 80W-90 each.", ["80W-90", "a quarter litre"]),
        ("Order the kit HI-77 for the Halden T-7 from Halden Marine now.", ["HI-77"]),
        ("Drain the housing through the brass plug, and then close it.", ["brass plug"]),
        ("Take the impeller HI-77 after 600 hours of its life.", ["600 hours"]),
        ("The motor is too hot", ["motor is too hot"]),
        ("Once it is dry, only one of them has to be closed again.", []),
    ],
)
def test_number_words_part_numbers_and_parts_are_keys_and_the_maker_is_none(
    answer: str, keys: list[str]
) -> None:
    given = common_names("Halden T-7 Tide Pump", ["Halden Marine makes pumps."])
    assert given == "Halden Marine Pump T-7 Tide"
    question = "How often?" if "600" in answer else "What about the housing?"
    assert answer_keys(answer, question=question, given=given) == keys


def test_a_long_answer_has_a_key_for_about_every_25_words() -> None:
    answer = (
        "Your machine obeys and stays down, since an ATX board remembers its last state when the "
        "UPS restarts. You have to do one of these things:\n"
        '- Set something in the BIOS that says "power up after power failure"\n'
        "- Put the POWERDOWNFLAG into upsmon.conf, and wait for at least 90 seconds in the script\n"
        "- Send a SIGHUP to the driver on port 3493, which then reads its file again\n"
        "    sleep 600\n"
        "If you cannot use one of the first two options, ask the maker of the board for help."
    )
    assert len(answer.split()) == 91
    assert answer_keys(answer, question="Why does it stay off?") == [
        "power up after power failure",
        "upsmon.conf",
        "3493",
    ]
    assert answer_keys("The following signs may show that the pump is worn:", question="?") == []
