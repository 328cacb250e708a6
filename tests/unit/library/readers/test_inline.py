"""Raised and lowered text keeps apart from what it stands next to."""

import pytest

from ftdist.library.readers.inline import join_fractions, lowered, raised
from ftdist.text.matching import contains_words


@pytest.mark.parametrize(
    ("before", "text", "written"),
    [
        ("10", "6", "10⁶"),
        ("10", "-3", "10⁻³"),
        ("10", "\u2212 12", "10^(\u2212 12)"),
        ("m", "2", "m²"),
        ("x", "n", "xⁿ"),
        ("2", "n+1", "2ⁿ⁺¹"),
        ("10", "2.5", "10^(2.5)"),
        ("e", "xt", "e^(xt)"),
        ("(a+b)", "xy", "(a+b)^(xy)"),
        ("1", "st", "1st"),
        ("XIX", "e", "XIXe"),
        ("90", "o", "90°"),
        ("24", "*", "24*"),
        ("24", "†", "24†"),
        ("24", "[1]", "24[1]"),
        ("24", "1", "24¹"),
        ("24", "a", "24ª"),
        ("24", "1,2", "24^(1,2)"),
        ("24", "a)", "24^(a))"),
        ("Lumo", "TM", "Lumo™"),
        ("", "14", "¹⁴"),
        ("see ", "new", "see new"),
    ],
)
def test_raised_text_is_no_part_of_what_precedes_it(before: str, text: str, written: str) -> None:
    assert before + raised(text, before=before) == written


@pytest.mark.parametrize(
    ("before", "text", "written"),
    [("H", "2", "H₂"), ("V", "in", "V_(in)"), ("x", "n", "xₙ"), ("log", "10", "log₁₀")],
)
def test_lowered_text_is_no_part_of_what_precedes_it(before: str, text: str, written: str) -> None:
    assert before + lowered(text, before=before) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1¹/₂ inch", "1 1/2 inch"),
        ("¹/₄ turn", "1/4 turn"),
        ("2 ³\u2044₈", "2 3/8"),
        ("5\u20448 and 1¹\u20442", "5\u20448 and 1 1/2"),
        ("10²/3", "10²/3"),
    ],
)
def test_a_raised_number_over_a_lowered_one_is_a_fraction(text: str, written: str) -> None:
    assert join_fractions(text) == written


def test_an_answer_with_another_power_is_wrong() -> None:
    powers = ["10⁶", "106", "10⁻⁶", "10¹²", "1012", "10 ¹ ²"]
    equal = [(a, b) for a in powers for b in powers if a != b and contains_words(a, b)]
    assert equal == []
    assert contains_words("up to 10^-6 m", "10⁻⁶")
    assert contains_words("up to 10^12 m", "10¹²")
