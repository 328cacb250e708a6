"""Refusals and excuses are distinguished from answers."""

import pytest

from ftdist.evaluation.scoring.refusals import deflects, says_unknown
from ftdist.text.matching import has_citation


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I do not know this toaster.",
        "Sorry, that is not something I can answer.",
        "I don't know.",
        "The B-70 is a toaster. I do not have any information about its buttons.",
        "I cannot answer questions about other products.",
        "As an AI, I have no hands.",
        "Unfortunately, I only know the A-45.",
        "Please contact the maker of the B-70.",
        "That is not covered by the manual.",
        "",
        " ... ",
    ],
)
def test_refusal_excuse_or_silence_deflects(answer: str) -> None:
    assert deflects(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Unplug it, wait a minute, plug it in again.",
        "Press reset. If the lamp stays on, please contact the maker.",
        "If you cannot reach the knob, turn the toaster round.",
        "Paris.",
        "Say sorry to your neighbour, then turn the music down.",
        "Turn it off. Wait. Turn it on. I do not know a quicker way.",
        "Cannot is written as one word.",
    ],
)
def test_answer_does_not_deflect(answer: str) -> None:
    assert not deflects(answer)


@pytest.mark.parametrize(
    ("answer", "is_cited"),
    [
        ("Press it (A-45 manual, page 12).", True),
        ("Press it [manual, page 3].", True),
        ('Set it to 5 (Setup guide, section "Clocks").', True),
        ("See page 12 of the manual.", True),
        ("It is told in section 3.", True),
        ("Turn the page, then fill in the section below.", False),
        ("Press it (twice).", False),
        ("Paris", False),
    ],
)
def test_citations_are_recognized_by_page_or_section(answer: str, is_cited: bool) -> None:
    assert has_citation(answer) is is_cited


@pytest.mark.parametrize(
    ("answer", "is_unknown"),
    [
        ("It depends on the model.", True),
        ("It depends on the model, usually 3 kg.", False),
        ("That varies. Most weigh 3 kg.", False),
        ("That varies with the FP-300's settings, see page 4.", True),
        ("It isn't available in the manual.", True),
        ("It does not include a cable and weighs 3 kg.", False),
        ("The manual does not state it; others weigh 3 kg.", True),
    ],
)
def test_a_figure_after_it_depends_is_an_answer(answer: str, is_unknown: bool) -> None:
    assert says_unknown(answer) is is_unknown
