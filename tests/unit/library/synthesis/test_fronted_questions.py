"""Sentences of rules, prices and terms: what is asked for comes first."""

import pytest

from ftdist.library.synthesis.span_questions import span_questions


def _asked(sentence: str) -> list[str]:
    return [each.question for each in span_questions(sentence, is_step=False)]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Groups of ten or more pay \u00a37.00 per person",
         "How much do groups of ten or more pay per person?"),
        ("A replacement for a lost or damaged bin costs \u00a315",
         "How much does a replacement for a lost or damaged bin cost?"),
        ("A one-off set-up fee of \u00a39 applies to Starter only",
         "How much is the one-off set-up fee?"),
        ("Guided tours in English, French or German last 60 minutes and cost \u00a360 per group",
         "How much do guided tours in English, French or German cost per group?"),
        ("The charge is \u00a328 for up to three items and \u00a38 for each further item",
         "How much is the charge for up to three items?"),
        ("The second child in a family receives a discount of 20 per cent",
         "What discount does the second child in a family receive?"),
        ("Everyone must be reachable between 10:00 and 15:00",
         "Between what times must everyone be reachable?"),
        ("Requests for more than two weeks in a row must be made at least three months ahead",
         "How many months ahead must requests for more than two weeks in a row be made?"),
        ("Up to five unused days may be carried over and must be taken by 31 March",
         "By what date must up to five unused days be taken?"),
        ("Your mailbox is deactivated on the last day and deleted after 90 days",
         "After how many days is my mailbox deleted?"),
        ("After five wrong attempts the account is locked for 30 minutes",
         "How long is the account locked after five wrong attempts?"),
        ("The waiting time for piano and drums is currently about four months",
         "How long is the waiting time for piano and drums?"),
        ("Between 23:00 and 07:00 no hourly charge applies",
         "Between what times does no hourly charge apply?"),
        ("Food and drink may be consumed only in the caf\u00e9 and the courtyard",
         "Where may food and drink be consumed?"),
        ("Choose a pot that fits; the pot should be 2 to 4 cm wider than the old one",
         "How many centimetres wider than the old one should the pot be?"),
        ("The rate is paid for 45 pence per mile for the first 10,000 miles",
         "For how much is the rate paid per mile for the first 10,000 miles?"),
        ("If you return a car late, we charge \u20ac10 plus the time used",
         "How much do you charge if I return a car late?"),
    ],
)  # fmt: skip
def test_a_long_subject_stands_behind_what_is_asked_for(sentence: str, question: str) -> None:
    assert question in _asked(sentence)


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Photography without flash is allowed for private use, except in the East Wing",
         "Is photography without flash allowed?"),
        ("Assistance dogs are welcome; other animals must stay outside",
         "Are assistance dogs welcome?"),
        ("Drones are prohibited on the whole site", "Are drones allowed?"),
        ("A doctor's note is needed from the eighth calendar day", "Is a doctor's note needed?"),
        ("Choir and orchestra are free for pupils who have individual lessons",
         "Are choir and orchestra free?"),
        ("Stolen bins are replaced free of charge if you give us a crime reference number",
         "Are stolen bins replaced free of charge?"),
        ("If a payment fails, we send two reminders", "What happens if a payment fails?"),
        ("The Plus and Business tariffs can be cancelled with one month's notice",
         "How can the Plus and Business tariffs be cancelled?"),
        ("Residents who cannot move their bins can apply for assisted collection, which is free",
         "Who can apply for assisted collection?"),
        ("Families receiving Universal Credit pay half; please hand in the notice",
         "Who pays half?"),
        ("Hardy trees and shrubs carry a two-year guarantee",
         "How long is the guarantee on hardy trees and shrubs?"),
        ("White film on glasses usually means that salt is missing",
         "What does white film on glasses mean?"),
        ("Vans and trailers need a permit, which is valid for twelve visits a year",
         "Do vans and trailers need a permit?"),
        ("You can join if you are at least 19 years old", "How old must I be to join?"),
        ("Once a week, flush the brew group with the blind filter",
         "How often should I flush the brew group with the blind filter?"),
    ],
)  # fmt: skip
def test_a_state_is_asked_for_without_its_condition(sentence: str, question: str) -> None:
    assert question in _asked(sentence)


@pytest.mark.parametrize(
    ("sentence", "beginning"),
    [
        ("Ibuprofen may be taken with food unless you are ill", "With what"),
        ("First class is only allowed for journeys over three hours", "How many hours"),
        ("Bags must be left in the lockers, which take a returnable \u00a31 coin", "How much"),
        ("Lessons are made up or, if this is not possible, refunded", "Are lessons"),
        ("It is free for children under six", "Is it"),
        ("You are welcome to bring a cushion", "Are I"),
        ("The rate is paid for 45 pence per mile for the first 10,000 miles", "How many miles"),
    ],
)
def test_what_is_not_clear_is_not_asked_for(sentence: str, beginning: str) -> None:
    assert not [each for each in _asked(sentence) if each.startswith(beginning)]
