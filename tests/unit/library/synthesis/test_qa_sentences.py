import pytest

from ftdist.library.schema import Block, Document, Location
from ftdist.library.synthesis.qa_extraction import questions
from ftdist.library.synthesis.qa_sentences import Fact, facts_of
from ftdist.library.synthesis.statements import sentences


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The default port of the agent is 5665.", "What is the default port of the agent"),
        ("To restart the agent, run the command again.", "How do I restart the agent"),
        ("If the lamp blinks, hold the button for ten seconds.",
         "What should I do if the lamp blinks"),
        ("If the tank is full, the pump stops.", "What happens if the tank is full"),
        ("The log file is stored in /var/log/agent.", "Where is the log file stored"),
        ("You can reset your pump by holding the red button.", "How can I reset my pump"),
        ("You must close the valve before you start the pump.",
         "What do I have to do before I start the pump"),
        ("The agent supports JSON, CSV and Parquet.", "What does the agent support"),
        ("Charging takes 4 hours.", "How long does charging take"),
        ("The pump weighs 4.2 kg.", "How much does the pump weigh"),
        ("The control panel has 4 buttons.", "How many buttons does the control panel have"),
        ("The fan starts when the motor is hot.", "When does the fan start"),
        ("The air filter is washed every two weeks.", "How often is the air filter washed"),
        ("The filter must be replaced after 600 hours.", "When must the filter be replaced"),
        ("Halden OS was released in 2019.", "When was Halden OS released"),
        ("Never lift the pump by its cable.", ""),
        ("Do not open the housing while the motor runs.",
         "May I open the housing while the motor runs"),
        ("Use the --force option to delete old snapshots.", "How do I delete old snapshots"),
        ("The cover cannot be opened because the lock holds it.",
         "Why can't the cover be opened"),
        ("The cover is locked because the motor is hot.", "Why is the cover locked"),
    ],
)  # fmt: skip
def test_a_sentence_answers_the_question_about_its_fact(sentence: str, question: str) -> None:
    assert [fact.question for fact in facts_of(sentence)] == ([question] if question else [])


def test_an_option_is_asked_for_in_both_directions() -> None:
    assert facts_of("The --quiet option disables all output.") == [
        Fact("What does the --quiet option do", "disables all output"),
        Fact("Which option disables all output", "--quiet", "reverse"),
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "It is 5665.",
        "This means that the port is open.",
        "The following table lists the ports.",
        "Printed labels last for years.",
        "If it blinks, hold the button.",
        "The value is ignored.",
        "See the manual for the port.",
        "Everything is stored in /var.",
    ],
)
def test_sentences_that_lean_on_others_give_no_question(sentence: str) -> None:
    assert facts_of(sentence) == []


def _document(*blocks: Block, title: str = "Halden T-7 Tide Pump") -> Document:
    return Document(title=title, blocks=blocks, location=Location("m.md"))


def test_question_and_answer_name_the_subject() -> None:
    text = "The T-7 is a pump. It stops when the tank is empty. The log is stored in /var/log."
    pairs = questions(_document(Block(kind="paragraph", text=text)))
    assert [(pair.question, pair.answer) for pair in pairs] == [
        ("What is the T-7?", "The T-7 is a pump."),
        ("When does the T-7 stop?", "The T-7 stops when the tank is empty."),
        ("Where is the log of the T-7 stored?", "The log is stored in /var/log."),
    ]
    assert {pair.evidence for pair in pairs} == {text}


def test_code_that_a_sentence_announces_belongs_to_the_answer() -> None:
    pairs = questions(
        _document(
            Block(kind="paragraph", text="To restart the agent, run this command:"),
            Block(kind="code", text="agent restart"),
            title="Agent",
        )
    )
    assert [(pair.question, pair.answer) for pair in pairs] == [
        ("How do I restart the agent?", "To restart the agent, run this command:\n\nagent restart")
    ]


def test_sentences_end_at_full_stops_and_not_at_abbreviations() -> None:
    assert sentences("Use e.g. Bash. Then stop. Ask Mr. Hale for it.") == [
        "Use e.g. Bash.",
        "Then stop.",
        "Ask Mr. Hale for it.",
    ]


def test_a_day_behind_an_hour_is_in_the_same_sentence() -> None:
    text = (
        "The store opens at 6:30 a.m. Monday through Saturday. It shuts at 9 p.m. The rest waits."
    )
    assert sentences(text) == [
        "The store opens at 6:30 a.m. Monday through Saturday.", "It shuts at 9 p.m.",
        "The rest waits.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "broken"),
    [
        ("You may take photographs for private use; flash is not permitted.", ";"),
        ("Support is available every day from 8 am.", "support is"),
    ],
)
def test_no_question_is_made_of_two_clauses_or_of_a_noun_as_a_verb(
    sentence: str, broken: str
) -> None:
    assert not [fact for fact in facts_of(sentence) if broken in fact.question]


def test_a_sentence_leads_from_its_words_only_to_a_name_of_its_own() -> None:
    assert [fact.made_by for fact in facts_of("The red lamp indicates a fault of the pump.")] == [
        "sentence"
    ]
    found = facts_of("The E7 lamp indicates a fault of the pump.")
    assert Fact("Which lamp indicates a fault of the pump", "E7", "reverse") in found


def test_batteries_are_no_time() -> None:
    (fact,) = facts_of("The remote unit takes 3 AA batteries.")
    assert fact.question == "How much does the remote unit take"


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Boil the mouthpiece for 5 minutes once a week.",
         "How often should I boil the mouthpiece for 5 minutes"),
        ("Oil the blade after every use.", "When should I oil the blade"),
        ("Clean the tank with citric acid, never with vinegar.", "How should I clean the tank"),
        ("Every full-time employee has 27 days of leave per year.",
         "How many days of leave does every full-time employee have per year"),
        ("Managers may not approve their own trips.", ""),
        ("Managers may not approve own trips.", "May managers approve own trips"),
        ("Sick days are not deducted from annual leave.",
         "Are sick days deducted from annual leave"),
        ("The projector does not support 3D.", "Does the projector support 3D"),
        ("Receipts must be handed in within 14 days.", "When must receipts be handed in"),
        ("The device must not be used near flames.", "May the device be used near flames"),
        ("Ensure you do not name the key.", ""),
        ("The server may be running as root.", ""),
    ],
)  # fmt: skip
def test_commands_and_denials_are_asked_for(sentence: str, question: str) -> None:
    assert [fact.question for fact in facts_of(sentence)] == ([question] if question else [])


def test_sentences_of_a_short_section_are_asked_for_one_by_one() -> None:
    blocks = (
        Block(kind="heading", text="Remote work", level=2),
        Block(kind="paragraph", text="You may work from home. The probation period lasts six "
              "months. The office is closed on Mondays."),
    )  # fmt: skip
    document = Document(title="Leave policy of Norwick", blocks=blocks, location=Location("hr.md"))
    asked = {pair.question: pair.answer for pair in questions(document)}
    assert asked["How long does the probation period last?"] == (
        "The probation period lasts six months."
    )


def test_a_sentence_ends_at_a_unit_or_a_single_letter_before_a_new_beginning() -> None:
    text = (
        "The oven reaches 250 \u00b0C. Never touch it. We are in Block C. "
        "The office is open. No. Ask J. Smith."
    )

    assert sentences(text) == [
        "The oven reaches 250 \u00b0C.", "Never touch it.", "We are in Block C.",
        "The office is open.", "No.", "Ask J. Smith.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "answer"),
    [
        ("Beyond that we charge 6 euros.", "Beyond that we charge 6 euros."),
        ("Otherwise ask at the desk.", "Otherwise ask at the desk."),
        ("This does not apply to pallets.", "This does not apply to pallets."),
        ("The only exception is December.", "The only exception is December."),
        ("The driver rings you.", ""),
        ("Beyond the river there is a mill.", ""),
    ],
)  # fmt: skip
def test_an_answer_holds_the_sentence_that_limits_it(limit: str, answer: str) -> None:
    fact = "Delivery costs 3.50 euros within five miles of the shop."
    block = Block(kind="paragraph", text=f"{fact} {limit}")
    document = Document(title="Delivery", blocks=(block,), location=Location("shop.md"))
    answers = {pair.answer for pair in questions(document) if pair.answer.startswith(fact)}
    assert answers == {f"{fact} {answer}".strip()}


def test_the_first_half_of_a_sentence_is_asked_for_if_the_whole_is_not() -> None:
    text = "Full-time employees have 26 days of paid holiday; part-timers get a share of that."
    block = Block(kind="paragraph", text=text)
    document = Document(title="Leave", blocks=(block,), location=Location("leave.md"))
    found = {pair.question: pair.answer for pair in questions(document)}
    assert found["How many days of paid holiday do full-time employees have?"] == text


def test_what_a_thing_does_is_asked_for_of_no_noun_in_lower_case() -> None:
    assert not [f for f in facts_of("Full pay continues for six weeks.") if " do" in f.question]
