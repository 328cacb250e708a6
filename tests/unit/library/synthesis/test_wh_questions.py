"""What asks for a part of a sentence comes first, and its auxiliary before the subject."""

import re

import pytest

from ftdist.library.synthesis.question_clauses import GAP, first_clause
from ftdist.library.synthesis.span_questions import span_questions
from ftdist.library.synthesis.wh_questions import wh_questions


def _questions(sentence: str, *, is_step: bool = False) -> list[str]:
    return [each.question for each in span_questions(sentence, is_step=is_step)]


@pytest.mark.parametrize(
    ("sentence", "first"),
    [
        ("The hatch closes at 6.20 pm", "What time does the hatch close?"),
        ("The key goes back to the shed, where the hatch closes at 6.20 pm",
         "What time does the hatch close?"),
        ("Rooms are ready from 1.30 pm", "What time are rooms ready?"),
        ("The gate is down from 10 pm to 6 am", "Between what times is the gate down?"),
        ("The bridge is only 2.3 metres high", "How many metres high is the bridge?"),
        ("There are 74 berths in the harbour", "How many berths are there in the harbour?"),
        ("On your last day we need the room by 10.45 am",
         "By what time do you need the room on my last day?"),
        ("Showers are free and run for four minutes at a push",
         "How long do showers run at a push?"),
        ("Showers cost nothing and run for four minutes at a push",
         "How long do showers run at a push?"),
        ("The spare set is called BR-48", "What is the spare set called?"),
        ("You can pay within 14 days", "Within how many days can I pay?"),
        ("We ring you on 0555 421 860", "Which number do you ring me on?"),
        ("The old winch lifts 300 kg", "How many kilograms does the old winch lift?"),
        ("The paddles are strapped beneath the bench", "Where are the paddles strapped?"),
        ("Sweet beans do not belong in the mill, because their sugar sticks",
         "Why do sweet beans not belong in the mill?"),
        ("Tanks have to be emptied before shipping", "When do tanks have to be emptied?"),
        ("We've cut the price by 12 percent", "What percentage have you cut the price by?"),
        ("Food scraps belong in the bucket with the brown lid", "Where do food scraps belong?"),
        ("The Tolby 9 switches off when the tank is full and rings three times",
         "When does the Tolby 9 switch off?"),
        ("The Quill 9 prints from a phone and needs no ink", "What does the Quill 9 print from?"),
        ("The kettle keeps water hot for half an hour", "How long does the kettle keep water hot?"),
        ("The laundry takes tokens", "What does the laundry take?"),
        ("The laundry dryer hangs outside the south wall",
         "What hangs outside the south wall?"),
    ],
)  # fmt: skip
def test_a_statement_is_asked_for_with_its_auxiliary_before_the_subject(
    sentence: str, first: str
) -> None:
    found = _questions(sentence)
    assert first in (found[0], found[-1]), found


@pytest.mark.parametrize(
    ("step", "first"),
    [
        ("Wait for two beeps", "How many beeps should I wait for?"),
        ("Turn the switch to ON and wait for two beeps", "How many beeps should I wait for?"),
        ("Fasten the red cord to your wrist", "What should I fasten the red cord to?"),
        ("Put on your life jacket", "What should I put on?"),
        ("Fill in 50 g of beans", "How many grams of beans should I fill in?"),
        ("During that time, park in the upper field", "Where should I park during that time?"),
        ("Keep the button pressed for five seconds", "How long should I keep the button pressed?"),
        ("Clean the burrs with the brush supplied", "What should I clean the burrs with?"),
        ("Unplug the yellow cable first", "What should I unplug first?"),
    ],
)
def test_a_step_is_asked_for_with_should_i(step: str, first: str) -> None:
    assert _questions(step, is_step=True)[0] == first


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        (f"the boat is an open one with {GAP}", "with what"),  # of the noun, not of the verb
        (f"a buzzer means that {GAP} of the charge is left", "what percentage"),
        (f"high season means 5 July to {GAP}", "what date"),
        (f"dogs stay on a lead of {GAP}", "how many metres"),
        (f"undo the screws with a {GAP} hex key", "how many millimetres"),
        (f"put the {GAP} weight on the fork", "how many grams"),
        (f"guests may not light fires after {GAP}", "what time"),
        (f"whoever pays by transfer saves {GAP}", "what percentage"),
        (f"tins, glass and {GAP} of paper a day fill the bins", "how many kilograms"),
    ],
)
def test_a_part_that_cannot_be_moved_has_no_wh_question(clause: str, words: str) -> None:
    assert wh_questions(clause, words, is_command=clause.startswith(("undo", "put"))) == []


def test_a_verb_that_no_list_has_is_known_by_where_it_stands() -> None:
    assert _questions("The marquee sleeps at most 40 people")[0] == (
        "How many people does the marquee sleep?"
    )
    assert _questions("Our crane hoists the hull at 8 pm")[0] == (
        "What time does your crane hoist the hull?"
    )


def test_a_clause_ends_before_the_next_verb_or_subject() -> None:
    assert first_clause("from the barn and turn left") == "from the barn"
    assert first_clause("for bread and butter") == "for bread and butter"
    assert first_clause("by noon, and we take it back") == "by noon"


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Never use a straw, because the suction hurts", "Why should I not use a straw?"),
        ("Don't spray oil near the discs", "Can I spray oil near the discs?"),
        ("Please clean the filter with a brush", "What should I clean the filter with?"),
        ("Before you start, shift to the smallest gear", "What should I shift to before I start?"),
        ("The room is cleaned by your landlord every Friday",
         "How often is the room cleaned by my landlord?"),
        ("Tours start at 11 am and 2 pm", "What times do tours start at?"),
        ("Pets are collected between 4 pm and 5.30 pm", "Between what times are pets collected?"),
        ("The coach leaves at 8.15 am sharp", "What time does the coach leave?"),
        ("The trip is on Friday 14 June", "When is the trip?"),
        ("Luggage may be left with the porter", "With whom may luggage be left?"),
        ("Orders can be sent by e-mail", "How can orders be sent?"),
        ("Guests pay \u00a38 a visit and mustn't stay long", "How much do guests pay a visit?"),
        ("Smoking costs you \u20ac150", "How much does smoking cost me?"),
        ("You can freeze yours for three months if you're ill",
         "How long can I freeze mine if I am ill?"),
        ("Windows shouldn't be open in winter, because the heat is lost",
         "Why should windows not be open in winter?"),
        ("250 g plain flour, sifted", "How many grams of plain flour do I need?"),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_for_by_what_it_means(sentence: str, question: str) -> None:
    assert question in _questions(sentence)


@pytest.mark.parametrize(
    ("sentence", "no"),
    [
        ("We can't keep food in the shed", r"\bcan you\b"),  # it is the other way round
        ("Ibuprofen may be taken with food unless you are ill", r"^With what"),
        ("Drinks are served in the garden except when it rains", r"^Where .* when it rains"),
        (
            "Memberships renew by themselves unless they're ended 30 days before",
            "^(How|When) do memberships",
        ),
        ("Rolls are brushed with egg before they go in at 4.30 am", r"^What time are rolls"),
        ("The server listens on port 8443 by default", "^How does"),
        ("The rent is due on the third working day", "^Where"),
        ("Birthday cakes need five days' notice", "how many days"),
        ("Lockers take a \u00a31 coin", "how much coin"),
        ("Apricots need less sugar than plums", "what do apricots need"),
        ("Lay both chains side by side", "^How"),
        ("Should the weather be bad, we stay at home", "should should"),
        ("No glass bottles on the floor", "."),
        (f"Wait for {GAP} ten minutes", "."),
    ],
)
def test_no_question_says_what_its_sentence_does_not(sentence: str, no: str) -> None:
    found = [each for each in _questions(sentence) if re.search(no, each, re.IGNORECASE)]
    assert not found


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("We do not treat horses or farm animals", "Do you treat horses or farm animals?"),
        ("We don't sail on Christmas Day", "Do you sail on Christmas Day?"),
        ("We never sell tickets on board", "Do you ever sell tickets on board?"),
        ("Passengers may not stay in their cars", "May passengers stay in their cars?"),
        ("Alcohol is never reimbursed", "Is alcohol reimbursed?"),
        ("Alcohol, parking fines and gym charges are never reimbursed",
         "Are parking fines reimbursed?"),
        ("Dogs are not allowed inside, apart from guide dogs", "Are dogs allowed inside?"),
        ("You do not need a referral from your GP", "Do I need a referral from my GP?"),
        ("We take cards only", "How can I pay?"),
        ("We accept cash and all major cards", "Which payment methods do you accept?"),
        ("You must be at least 18 and show a photo ID", "How old must I be?"),
        ("The child lock is switched on by pressing both buttons",
         "How do I switch on the child lock?"),
        ("Scan the code on the router to join the network", "How do I join the network?"),
        ("In the box you will find the router and a card", "What is in the box?"),
        ("Bus 14 stops right outside the gate", "Which bus stops right outside the gate?"),
        ("Callum Reid treats children and runs a class", "Who treats children?"),
        ("Bring any scan reports", "What should I bring?"),
        ("After five wrong attempts your account is locked for 30 minutes",
         "How long is my account locked after five wrong attempts?"),
        ("Last admission is 45 minutes before closing",
         "How many minutes before closing is last admission?"),
        ("The line manager has five days to reply", "Who has five days to reply?"),
        ("A request body must not be larger than 64 KB", "How large may a request body be?"),
        ("We advise against switching the heating off at night",
         "Should I switch the heating off at night?"),
        ("Only use the supplied TC-42 charger", "Which charger should I use?"),
        ("You may borrow a machine for 4 euros a day",
         "How much does it cost to borrow a machine a day?"),
        ("Please give us 48 hours' notice for prescriptions",
         "How much notice do you need for prescriptions?"),
        ("Outside opening hours, ring our normal number",
         "What should I do outside opening hours?"),
        ("Hold Away for three seconds before you go on holiday",
         "What should I do before I go on holiday?"),
        ("Flights must be approved by the finance director", "Who must approve flights?"),
        ("Whoever pays in advance gets a discount of 2 percent",
         "What discount do I get if I pay in advance?"),
        ("From the eighth day we need a doctor's note", "When do you need a doctor's note?"),
        ("Submit the claim within 60 days of the expense",
         "Within how many days of the expense should I submit the claim?"),
        ("Ring your manager before 9.30 am on the first day",
         "Before what time should I ring my manager on the first day?"),
        ("Stitches are removed after ten days", "After how many days are stitches removed?"),
        ("Oil the chain every 300 km", "How often should I oil the chain?"),
        ("Bring your pet between 8.15 and 8.45 am",
         "Between what times should I bring my pet?"),
        ("The last ferry departs at 19.40 in summer and at 16.30 in winter",
         "When does the last ferry depart in summer?"),
        ("Each passenger may bring two pieces of luggage of up to 20 kg",
         "How many pieces of luggage may each passenger bring?"),
        ("Bite on the gauze for 30 minutes", "How long should I bite on the gauze?"),
        ("Paying yearly saves you 15 percent", "What percentage does paying yearly save me?"),
    ],
)  # fmt: skip
def test_a_sentence_is_asked_for_as_a_customer_asks(sentence: str, question: str) -> None:
    assert question in _questions(sentence)


@pytest.mark.parametrize(
    ("sentence", "no"),
    [
        ("We cannot keep food in the shed", r"^Can"),  # whose food, it does not say
        ("During that time, park in the upper field", r"^What should I do during that"),
        ("Dogs stay on a lead of two metres", r"^What lead"),
        ("Press Boost once; this takes 50 minutes", r"^This takes"),
        ("All text has to be encoded as UTF-8", r"^What do have"),
        ("Please keep flames and drains one metre away", r"does keep"),
        ("Today we have five vets", r"does Today"),
        ("Anyone who would struggle to pay up front can ask for help", "would struggle to,"),
        ("First class is only allowed for journeys over three hours", "^How many hours is"),
        ("Choose the cost centre your manager gave you", "choose gave"),
    ],
)  # fmt: skip
def test_no_question_of_a_sentence_is_broken_english(sentence: str, no: str) -> None:
    assert not [each for each in _questions(sentence) if re.search(no, each)]
