"""Error codes, symptoms and signals in tables are asked for in people's words."""

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_pair import QAPair

PROSE = "The Sable 17 is an electric kettle. It keeps the water hot for an hour."


def _pairs(
    *rows: tuple[str, ...],
    title: str = "Sable 17: operating manual",
    made_by: tuple[str, ...] = ("table", "symptom"),
) -> list[QAPair]:
    table = Block(kind="table", text="", rows=rows, has_header=True)
    prose = Block(kind="paragraph", text=PROSE)
    document = Document(title=title, blocks=(prose, table), location=Location("s.md"))
    return [pair for pair in questions(document) if pair.made_by in made_by]


def test_an_error_code_is_asked_for_by_its_cause_and_its_remedy() -> None:
    cause, remedy = _pairs(("Error", "Cause", "Remedy"), ("E02", "Tank empty", "Fill the tank"))

    assert cause.question == "What does error E02 mean on the Sable 17?"
    assert cause.wordings[:2] == (
        "My Sable 17 shows E02. What is wrong?", "Why do I see error E02 on the Sable 17?",
    )  # fmt: skip
    assert remedy.question == "What should I do about error E02 on the Sable 17?"
    assert remedy.wordings[:2] == (
        "My Sable 17 shows E02. What should I do?", "How do I fix error E02 on the Sable 17?",
    )  # fmt: skip
    assert (cause.answer, remedy.answer) == ("E02: Tank empty", "E02: Fill the tank")
    assert all("E02" in text for pair in (cause, remedy) for text in pair.wordings)


def test_a_meaning_of_its_own_leads_to_its_error_code() -> None:
    rows = (("E02", "Tank empty"), ("E05", "Lid open"), ("E06", "Lid open"))
    (pair,) = _pairs(("Error", "Meaning"), *rows, made_by=("reverse",))

    assert pair.question == "Which error code on the Sable 17 means tank empty?"
    assert pair.answer == "E02: Tank empty"


def test_lamps_of_one_name_are_told_apart_by_their_colour() -> None:
    head = ("Lamp", "Colour", "Meaning")
    green, red = _pairs(head, ("Power", "Green", "Ready"), ("Power", "Flashing red", "Empty"))

    assert green.question == "What does this lamp mean: Power, green?"
    assert (red.question, red.answer) == ("What does this lamp mean: Power, flashing red?", "Empty")


def test_a_lamp_is_asked_for_by_what_it_shows_and_answered_with_meaning_and_remedy() -> None:
    head = ("Lamp", "Meaning", "What to do")
    red, blinks = _pairs(
        head, ("red, two flashes", "Lid open", "Shut it"), ("Blinks green", "Ready", "Pour")
    )

    assert red.question == "What should I do about this lamp: red, two flashes?"
    assert red.wordings[:2] == (
        "The lamp of the Sable 17 shows red, two flashes. What should I do?",
        "sable 17 lamp red, two flashes",
    )
    assert red.answer == "Meaning: Lid open\nWhat to do: Shut it"
    assert blinks.wordings[0] == "The lamp of the Sable 17 blinks green. What should I do?"


def test_a_sound_is_heard() -> None:
    (pair,) = _pairs(("Beeps", "Meaning"), ("three short", "Boiling"))

    assert pair.wordings[0] == "I hear three short from the Sable 17. What does it mean?"


def test_a_problem_is_told_in_the_words_of_the_table() -> None:
    (pair,) = _pairs(("Problem", "Remedy"), ("No steam", "Open the tap"))

    assert pair.question == "What should I do about this problem: No steam?"
    assert pair.wordings[0] == "I have this problem with the Sable 17: no steam. What should I do?"


def test_a_signal_of_dots_alone_is_passed_over_and_a_code_that_is_no_fault_has_no_remedy() -> None:
    (short,) = _pairs(("Signal", "Meaning"), ("...", "Starting"), ("one long", "Ready"))
    (code,) = _pairs(("Code", "Meaning"), ("FERN10", "10 % off all ferns"))

    assert short.answer == "Ready"
    assert not any("wrong" in text or "cause" in text for text in code.wordings)
